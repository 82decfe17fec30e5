/** Masks as flip positions: set operations, box and area without pixels, and COCO's compressed run lengths. */

import type { Box, Point, Runs, Size } from "./state";

/** A mask that another program wrote is damaged. */
export class RunsError extends Error {
  override readonly name = "RunsError";
}

/** No pixel. */
export function emptyRuns(sizeHw: Size): Runs {
  return { sizeHw, edges: new Uint32Array(0) };
}

export function areaPx(runs: Runs): number {
  const { edges } = runs;
  let area = 0;
  for (let i = 0; i < edges.length; i += 2) area += endOf(runs, i) - (edges[i] ?? 0);
  return area;
}

/** Position where the run that begins at edge `i` ends. */
function endOf(runs: Runs, i: number): number {
  return runs.edges[i + 1] ?? runs.sizeHw[0] * runs.sizeHw[1];
}

/** The tight box, zeros for an empty mask. */
export function boxOf(runs: Runs): Box {
  const [height] = runs.sizeHw;
  let [x0, y0, x1, y1] = [Infinity, Infinity, 0, 0];
  for (let i = 0; i < runs.edges.length; i += 2) {
    const first = runs.edges[i] ?? 0;
    const last = endOf(runs, i) - 1;
    const [left, right] = [Math.floor(first / height), Math.floor(last / height)];
    x0 = Math.min(x0, left);
    x1 = Math.max(x1, right + 1);
    if (left === right) {
      y0 = Math.min(y0, first - left * height);
      y1 = Math.max(y1, last - left * height + 1);
    } else {
      y0 = 0;
      y1 = height;
    }
  }
  return x1 === 0 ? [0, 0, 0, 0] : [x0, y0, x1, y1];
}

/** Whether the pixel in which `xy` lies is foreground. */
export function contains(runs: Runs, xy: Point): boolean {
  const [height, width] = runs.sizeHw;
  const [x, y] = [Math.floor(xy[0]), Math.floor(xy[1])];
  if (x < 0 || y < 0 || x >= width || y >= height) return false;
  const position = x * height + y;
  let [low, high] = [0, runs.edges.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((runs.edges[middle] ?? 0) <= position) low = middle + 1;
    else high = middle;
  }
  return low % 2 === 1;
}

type Rule = (inFirst: boolean, inSecond: boolean) => boolean;

function combine(first: Runs, second: Runs, rule: Rule): Runs {
  const [a, b] = [first.edges, second.edges];
  const edges: number[] = [];
  let [i, j, isInside] = [0, 0, false];
  while (i < a.length || j < b.length) {
    const position = Math.min(a[i] ?? Infinity, b[j] ?? Infinity);
    if (a[i] === position) i += 1;
    if (b[j] === position) j += 1;
    const next = rule(i % 2 === 1, j % 2 === 1);
    if (next !== isInside) edges.push(position);
    isInside = next;
  }
  return { sizeHw: first.sizeHw, edges: Uint32Array.from(edges) };
}

export const union = (first: Runs, second: Runs): Runs => combine(first, second, (a, b) => a || b);
export const intersect = (first: Runs, second: Runs): Runs => combine(first, second, (a, b) => a && b);
export const subtract = (first: Runs, second: Runs): Runs => combine(first, second, (a, b) => a && !b);
/** What one of the two has and the other has not. */
export const difference = (first: Runs, second: Runs): Runs => combine(first, second, (a, b) => a !== b);

/** Intersection over union; 1 for two empty masks. */
export function iou(first: Runs, second: Runs): number {
  const both = areaPx(union(first, second));
  return both === 0 ? 1 : areaPx(intersect(first, second)) / both;
}

export function areEqual(first: Runs, second: Runs): boolean {
  return first.edges.length === second.edges.length && first.edges.every((edge, i) => edge === second.edges[i]);
}

const FIRST_CHARACTER = 48;
const MAX_CHARACTERS = 7;

/** COCO's compressed counts. */
export function toCounts(runs: Runs): string {
  const pixels = runs.sizeHw[0] * runs.sizeHw[1];
  const counts: number[] = [];
  let before = 0;
  for (const edge of runs.edges) {
    counts.push(edge - before);
    before = edge;
  }
  if (before < pixels || counts.length === 0) counts.push(pixels - before);
  let text = "";
  for (const [i, count] of counts.entries()) {
    let rest = i > 2 ? count - (counts[i - 2] ?? 0) : count;
    for (let isMore = true; isMore; ) {
      let five = rest & 0x1f;
      rest >>= 5;
      isMore = (five & 0x10) === 0 ? rest !== 0 : rest !== -1;
      if (isMore) five |= 0x20;
      text += String.fromCharCode(five + FIRST_CHARACTER);
    }
  }
  return text;
}

/**
 * The mask of COCO's compressed counts.
 *
 * Throws RunsError for counts that are cut, damaged, or of another number of pixels.
 */
export function fromCounts(text: string, sizeHw: Size): Runs {
  const pixels = sizeHw[0] * sizeHw[1];
  const counts = parseCounts(text, pixels);
  const edges: number[] = [];
  let position = 0;
  for (const count of counts) {
    position += count;
    // Two flips at one place cancel out: an empty run in the middle is legal but says nothing.
    if (edges.length > 0 && edges[edges.length - 1] === position) edges.pop();
    else edges.push(position);
  }
  if (position !== pixels) {
    throw new RunsError(`a mask covers ${position} px but the picture has ${pixels}; load the picture again`);
  }
  if (edges[edges.length - 1] === pixels) edges.pop();
  return { sizeHw, edges: Uint32Array.from(edges) };
}

function parseCounts(text: string, pixels: number): number[] {
  const counts: number[] = [];
  let at = 0;
  while (at < text.length) {
    let [value, shift, isMore] = [0, 0, true];
    while (isMore) {
      const five = text.charCodeAt(at) - FIRST_CHARACTER;
      if (!(five >= 0 && five < 64) || shift >= 5 * MAX_CHARACTERS) {
        throw new RunsError("a mask's run lengths are damaged; load the picture again");
      }
      value += (five & 0x1f) * 2 ** shift;
      isMore = (five & 0x20) !== 0;
      shift += 5;
      at += 1;
      if (!isMore && (five & 0x10) !== 0) value -= 2 ** shift;
    }
    if (counts.length > 2) value += counts[counts.length - 2] ?? 0;
    if (value < 0 || value > pixels) throw new RunsError("a mask has an impossible run; load the picture again");
    counts.push(value);
  }
  if (counts.length === 0) throw new RunsError("a mask has no run lengths; load the picture again");
  return counts;
}

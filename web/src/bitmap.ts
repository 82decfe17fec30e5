/** Masks as pixels inside a window: brush, polygon, holes and islands. Pixels go down columns, like run lengths. */

import type { Box, Point, Runs, Size } from "./state";

/** Pixels of `window`, one byte each, index (x - x0) * height + (y - y0). */
export interface Bitmap {
  readonly window: Box;
  readonly bits: Uint8Array;
}

export const widthOf = (box: Box): number => box[2] - box[0];
export const heightOf = (box: Box): number => box[3] - box[1];

/** `box` with `margin` pixels more on each side, inside the picture. */
export function grow(box: Box, margin: number, sizeHw: Size): Box {
  return [
    Math.max(0, Math.floor(box[0]) - margin),
    Math.max(0, Math.floor(box[1]) - margin),
    Math.min(sizeHw[1], Math.ceil(box[2]) + margin),
    Math.min(sizeHw[0], Math.ceil(box[3]) + margin),
  ];
}

/** The smallest box around both; an empty one counts for nothing. */
export function unionBox(first: Box, second: Box): Box {
  if (widthOf(first) <= 0 || heightOf(first) <= 0) return second;
  if (widthOf(second) <= 0 || heightOf(second) <= 0) return first;
  return [
    Math.min(first[0], second[0]),
    Math.min(first[1], second[1]),
    Math.max(first[2], second[2]),
    Math.max(first[3], second[3]),
  ];
}

export function overlaps(first: Box, second: Box): boolean {
  return first[0] < second[2] && second[0] < first[2] && first[1] < second[3] && second[1] < first[3];
}

export function emptyBitmap(window: Box): Bitmap {
  return { window, bits: new Uint8Array(Math.max(0, widthOf(window)) * Math.max(0, heightOf(window))) };
}

/** Calls `span(x, yFirst, yEnd)` for every stretch of foreground inside `window`, column by column. */
export function forEachSpan(runs: Runs, window: Box, span: (x: number, y: number, yEnd: number) => void): void {
  const [height, width] = runs.sizeHw;
  const { edges } = runs;
  for (let i = 0; i < edges.length; i += 2) {
    const start = edges[i] ?? 0;
    const end = edges[i + 1] ?? height * width;
    const lastColumn = Math.min(Math.floor((end - 1) / height), window[2] - 1);
    for (let x = Math.max(Math.floor(start / height), window[0]); x <= lastColumn; x += 1) {
      const y = Math.max(start - x * height, window[1]);
      const yEnd = Math.min(end - x * height, window[3]);
      if (yEnd > y) span(x, y, yEnd);
    }
  }
}

/** The part of `runs` inside `window`. */
export function toBitmap(runs: Runs, window: Box): Bitmap {
  const bitmap = emptyBitmap(window);
  const height = heightOf(window);
  forEachSpan(runs, window, (x, y, yEnd) => {
    const column = (x - window[0]) * height - window[1];
    bitmap.bits.fill(1, column + y, column + yEnd);
  });
  return bitmap;
}

/** The mask whose only foreground is that of `bitmap`. */
export function toRuns(bitmap: Bitmap, sizeHw: Size): Runs {
  const { window, bits } = bitmap;
  const height = heightOf(window);
  const edges: number[] = [];
  const flip = (position: number): void => {
    // A run that goes on at the head of the next column ends and begins at one position.
    if (edges[edges.length - 1] === position) edges.pop();
    else edges.push(position);
  };
  for (let x = window[0]; x < window[2]; x += 1) {
    const column = (x - window[0]) * height;
    const top = x * sizeHw[0] + window[1];
    let value = 0;
    for (let y = 0; y < height; y += 1) {
      const next = bits[column + y] ?? 0;
      if (next !== value) flip(top + y);
      value = next;
    }
    if (value === 1) flip(top + height);
  }
  if (edges[edges.length - 1] === sizeHw[0] * sizeHw[1]) edges.pop();
  return { sizeHw, edges: Uint32Array.from(edges) };
}

/** A point where a brush of `sizePx` covers whole pixels: a pixel's middle for odd sizes, a corner for even ones. */
export function snapToPixels(xy: Point, sizePx: number): Point {
  return sizePx % 2 === 1
    ? [Math.floor(xy[0]) + 0.5, Math.floor(xy[1]) + 0.5]
    : [Math.round(xy[0]), Math.round(xy[1])];
}

/** What a round brush of diameter `sizePx` may touch on its way. */
export function strokeWindow(points: readonly Point[], sizePx: number, sizeHw: Size): Box {
  const xs = points.map((point) => point[0]);
  const ys = points.map((point) => point[1]);
  const least = (values: readonly number[]): number => values.reduce((a, b) => Math.min(a, b), Infinity);
  const most = (values: readonly number[]): number => values.reduce((a, b) => Math.max(a, b), -Infinity);
  return grow([least(xs), least(ys), most(xs), most(ys)], Math.ceil(sizePx / 2) + 1, sizeHw);
}

/** The mask of a stroke through `points`: every pixel whose middle is within half of `sizePx` of the way. */
export function strokeRuns(points: readonly Point[], sizePx: number, sizeHw: Size): Runs {
  const snapped = points.map((point) => snapToPixels(point, sizePx));
  const bitmap = emptyBitmap(strokeWindow(snapped, sizePx, sizeHw));
  for (const [i, to] of snapped.entries()) paintSegment(bitmap, snapped[i - 1] ?? to, to, sizePx / 2);
  return toRuns(bitmap, sizeHw);
}

function paintSegment(bitmap: Bitmap, from: Point, to: Point, radius: number): void {
  const { window, bits } = bitmap;
  const height = heightOf(window);
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  const squared = dx * dx + dy * dy;
  const x0 = Math.max(window[0], Math.floor(Math.min(from[0], to[0]) - radius));
  const x1 = Math.min(window[2], Math.ceil(Math.max(from[0], to[0]) + radius));
  const y0 = Math.max(window[1], Math.floor(Math.min(from[1], to[1]) - radius));
  const y1 = Math.min(window[3], Math.ceil(Math.max(from[1], to[1]) + radius));
  for (let x = x0; x < x1; x += 1) {
    const column = (x - window[0]) * height - window[1];
    for (let y = y0; y < y1; y += 1) {
      const [px, py] = [x + 0.5 - from[0], y + 0.5 - from[1]];
      const along = squared === 0 ? 0 : Math.min(1, Math.max(0, (px * dx + py * dy) / squared));
      const [ox, oy] = [px - along * dx, py - along * dy];
      if (ox * ox + oy * oy <= radius * radius + 1e-9) bits[column + y] = 1;
    }
  }
}

/** The mask of closed polygons: pixels whose middle is inside an odd number of them. */
export function polygonRuns(rings: readonly (readonly Point[])[], sizeHw: Size): Runs {
  const points = rings.flat();
  if (points.length === 0) return { sizeHw, edges: new Uint32Array(0) };
  const bitmap = emptyBitmap(strokeWindow(points, 0, sizeHw));
  const { window, bits } = bitmap;
  const height = heightOf(window);
  for (let x = window[0]; x < window[2]; x += 1) {
    const crossings = rings.flatMap((ring) => crossingsAt(ring, x + 0.5)).sort((a, b) => a - b);
    const column = (x - window[0]) * height - window[1];
    for (let i = 0; i + 1 < crossings.length; i += 2) {
      const first = Math.max(window[1], Math.ceil((crossings[i] ?? 0) - 0.5));
      const end = Math.min(window[3], Math.ceil((crossings[i + 1] ?? 0) - 0.5));
      if (end > first) bits.fill(1, column + first, column + end);
    }
  }
  return toRuns(bitmap, sizeHw);
}

function crossingsAt(ring: readonly Point[], x: number): number[] {
  const crossings: number[] = [];
  for (const [i, [bx, by]] of ring.entries()) {
    const [ax, ay] = ring[(i + ring.length - 1) % ring.length] ?? [bx, by];
    if (ax <= x !== bx <= x) crossings.push(ay + ((x - ax) / (bx - ax)) * (by - ay));
  }
  return crossings;
}

/** Labels 1..n of the connected parts of value `value`, 0 elsewhere, and the pixels of each (index 0 unused). */
export function label(bitmap: Bitmap, value: 0 | 1, isDiagonal: boolean): { labels: Int32Array; areas: number[] } {
  const [width, height] = [widthOf(bitmap.window), heightOf(bitmap.window)];
  const labels = new Int32Array(bitmap.bits.length);
  const areas = [0];
  const stack: number[] = [];
  for (let seed = 0; seed < labels.length; seed += 1) {
    if (labels[seed] !== 0 || bitmap.bits[seed] !== value) continue;
    const name = areas.length;
    let area = 0;
    labels[seed] = name;
    stack.push(seed);
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      area += 1;
      const [x, y] = [Math.floor(at / height), at % height];
      for (let dx = -1; dx <= 1; dx += 1) {
        for (let dy = -1; dy <= 1; dy += 1) {
          if (!isDiagonal && dx !== 0 && dy !== 0) continue;
          if (x + dx < 0 || x + dx >= width || y + dy < 0 || y + dy >= height) continue;
          const next = at + dx * height + dy;
          if (labels[next] === 0 && bitmap.bits[next] === value) {
            labels[next] = name;
            stack.push(next);
          }
        }
      }
    }
    areas.push(area);
  }
  return { labels, areas };
}

/** The mask with every hole filled: background that no path of side-by-side pixels joins to the outside. */
export function fillHoles(runs: Runs, box: Box): Runs {
  const bitmap = toBitmap(runs, box);
  const [width, height] = [widthOf(box), heightOf(box)];
  const { labels } = label(bitmap, 0, false);
  const outside = new Set<number>([0]);
  for (let x = 0; x < width; x += 1) {
    outside.add(labels[x * height] ?? 0).add(labels[x * height + height - 1] ?? 0);
  }
  for (let y = 0; y < height; y += 1) outside.add(labels[y] ?? 0).add(labels[(width - 1) * height + y] ?? 0);
  labels.forEach((name, i) => {
    if (!outside.has(name)) bitmap.bits[i] = 1;
  });
  return toRuns(bitmap, runs.sizeHw);
}

/** The mask's largest part alone; parts that touch at a corner are one. */
export function removeIslands(runs: Runs, box: Box): Runs {
  const bitmap = toBitmap(runs, box);
  const { labels, areas } = label(bitmap, 1, true);
  const largest = areas.reduce((best, area, name) => (area > (areas[best] ?? 0) ? name : best), 0);
  labels.forEach((name, i) => {
    bitmap.bits[i] = name === largest && name !== 0 ? 1 : 0;
  });
  return toRuns(bitmap, runs.sizeHw);
}

/** Masks as closed polygons along pixel edges, and with fewer corners for editing. */

import { heightOf, toBitmap, widthOf } from "./bitmap";
import { boxOf } from "./runs";
import type { Box, Point, Runs } from "./state";

/** Steps of a walk with the mask on its right: east, south, west, north. */
const STEPS: readonly Point[] = [
  [1, 0],
  [0, 1],
  [-1, 0],
  [0, -1],
];

/** Closed polygons around every part of the mask and, the other way round, around every hole. */
export function trace(runs: Runs, box: Box = boxOf(runs)): Point[][] {
  const bitmap = toBitmap(runs, box);
  const [width, height] = [widthOf(box), heightOf(box)];
  const isSet = (x: number, y: number): boolean =>
    x >= 0 && y >= 0 && x < width && y < height && bitmap.bits[x * height + y] === 1;
  // An edge from corner (x, y) to the east has the mask below it and background above: each starts one walk at most.
  const seen = new Uint8Array((width + 1) * (height + 1));
  const rings: Point[][] = [];
  for (let x = 0; x < width; x += 1) {
    for (let y = 0; y <= height; y += 1) {
      if (seen[x * (height + 1) + y] !== 0 || !isSet(x, y) || isSet(x, y - 1)) continue;
      rings.push(walk([x, y], isSet, (at) => (seen[at[0] * (height + 1) + at[1]] = 1)));
    }
  }
  return rings.map((ring) => ring.map(([x, y]): Point => [x + box[0], y + box[1]]));
}

function walk(start: Point, isSet: (x: number, y: number) => boolean, mark: (corner: Point) => void): Point[] {
  const ring: Point[] = [];
  let [at, heading]: [Point, number] = [start, 0];
  do {
    if (heading === 0) mark(at);
    const [dx, dy] = STEPS[heading] ?? [0, 0];
    at = [at[0] + dx, at[1] + dy];
    const next = turn(at, heading, isSet);
    if (next !== heading) ring.push(at);
    heading = next;
  } while (at[0] !== start[0] || at[1] !== start[1] || heading !== 0);
  return ring;
}

/** The heading after corner `at`: pixels that touch at a corner are one part. */
function turn(at: Point, heading: number, isSet: (x: number, y: number) => boolean): number {
  const [x, y] = at;
  // Pixels ahead on the left and on the right of the walk, by heading.
  const ahead: readonly (readonly [Point, Point])[] = [
    [[x, y - 1], [x, y]],
    [[x, y], [x - 1, y]],
    [[x - 1, y], [x - 1, y - 1]],
    [[x - 1, y - 1], [x, y - 1]],
  ];
  const [left, right] = ahead[heading] ?? [at, at];
  if (isSet(left[0], left[1])) return (heading + 3) % 4;
  return isSet(right[0], right[1]) ? heading : (heading + 1) % 4;
}

/** `ring` with the fewest corners that stay within `tolerancePx` of it (Douglas and Peucker). */
export function simplify(ring: readonly Point[], tolerancePx: number): Point[] {
  if (ring.length < 4) return [...ring];
  const first: Point = ring[0] ?? [0, 0];
  let far = 0;
  for (const [i, point] of ring.entries()) {
    if (distance(point, first, first) > distance(ring[far] ?? first, first, first)) far = i;
  }
  const there = simplifyLine(ring.slice(0, far + 1), tolerancePx);
  const back = simplifyLine([...ring.slice(far), first], tolerancePx);
  return [...there.slice(0, -1), ...back.slice(0, -1)];
}

function simplifyLine(line: readonly Point[], tolerancePx: number): Point[] {
  const keep = new Uint8Array(line.length);
  keep[0] = keep[line.length - 1] = 1;
  const stack: [number, number][] = [[0, line.length - 1]];
  for (let part = stack.pop(); part !== undefined; part = stack.pop()) {
    const [start, end] = part;
    const a: Point = line[start] ?? [0, 0];
    const b: Point = line[end] ?? [0, 0];
    let [worst, at] = [tolerancePx, -1];
    for (let i = start + 1; i < end; i += 1) {
      const off = distance(line[i] ?? a, a, b);
      if (off > worst) [worst, at] = [off, i];
    }
    if (at >= 0) {
      keep[at] = 1;
      stack.push([start, at], [at, end]);
    }
  }
  return line.filter((_, i) => keep[i] === 1);
}

/** Distance of `point` from the segment from `a` to `b`. */
export function distance(point: Point, a: Point, b: Point): number {
  const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
  const squared = dx * dx + dy * dy;
  const [px, py] = [point[0] - a[0], point[1] - a[1]];
  const along = squared === 0 ? 0 : Math.min(1, Math.max(0, (px * dx + py * dy) / squared));
  return Math.hypot(px - along * dx, py - along * dy);
}

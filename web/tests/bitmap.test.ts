import { expect, test } from "vitest";

import {
  fillHoles,
  forEachSpan,
  grow,
  overlaps,
  polygonRuns,
  removeIslands,
  snapToPixels,
  strokeRuns,
  toBitmap,
  toRuns,
  unionBox,
} from "../src/bitmap";
import { areaPx, boxOf } from "../src/runs";
import { draw, noise, show } from "./drawing";

test("pixels and run lengths are two forms of the same mask", () => {
  for (let seed = 1; seed <= 30; seed += 1) {
    const runs = noise([11, 6], 0.5, seed);
    expect(toRuns(toBitmap(runs, [0, 0, 6, 11]), [11, 6]).edges).toEqual(runs.edges);
    const window = boxOf(runs);
    expect(toRuns(toBitmap(runs, window), [11, 6]).edges).toEqual(runs.edges);
  }
});

test("spans stay inside the window", () => {
  const spans: number[][] = [];
  forEachSpan(draw("###", "###", "###"), [1, 1, 3, 2], (x, y, yEnd) => spans.push([x, y, yEnd]));
  expect(spans).toEqual([
    [1, 1, 2],
    [2, 1, 2],
  ]);
});

test("a brush of one pixel paints the pixel under it", () => {
  expect(show(strokeRuns([[2.9, 1.1]], 1, [3, 4]))).toEqual(["....", "..#.", "...."]);
});

test("a brush of two pixels covers four, one of three covers a plus", () => {
  expect(areaPx(strokeRuns([[5, 5]], 2, [10, 10]))).toBe(4);
  expect(show(strokeRuns([[2.5, 2.5]], 3, [5, 5]))).toEqual([".....", ".###.", ".###.", ".###.", "....."]);
});

test("a stroke has no gap however fast the hand", () => {
  expect(show(strokeRuns([[0.5, 1.5], [6.5, 1.5]], 1, [3, 7]))).toEqual([".......", "#######", "......."]);
  const slanted = strokeRuns([[1.5, 1.5], [18.5, 9.5]], 3, [12, 20]);
  for (let x = 1; x < 19; x += 1) expect(show(slanted).some((row) => row[x] === "#")).toBe(true);
});

test("a stroke over the rim is cut there", () => {
  const runs = strokeRuns([[-5, 2], [30, 2]], 4, [6, 8]);
  expect(boxOf(runs)).toEqual([0, 0, 8, 4]);
});

test("snapping keeps a brush on whole pixels", () => {
  expect(snapToPixels([3.7, 4.2], 5)).toEqual([3.5, 4.5]);
  expect(snapToPixels([3.7, 4.2], 4)).toEqual([4, 4]);
});

test("a polygon takes the pixels whose middle is inside", () => {
  const square = [[1, 1], [4, 1], [4, 3], [1, 3]] as const;
  expect(show(polygonRuns([square], [4, 5]))).toEqual([".....", ".###.", ".###.", "....."]);
  const hole = [[2, 1], [3, 1], [3, 3], [2, 3]] as const;
  expect(show(polygonRuns([square, hole], [4, 5]))).toEqual([".....", ".#.#.", ".#.#.", "....."]);
  expect(polygonRuns([], [4, 5]).edges).toHaveLength(0);
});

test("holes are filled, bays are not", () => {
  const runs = draw("#####", "#.#.#", "###.#", "#...#", "###.#");
  expect(show(fillHoles(runs, boxOf(runs)))).toEqual(["#####", "###.#", "###.#", "#...#", "###.#"]);
});

test("a hole joined to the outside at a corner only is a hole", () => {
  const runs = draw(".##", "#.#", "###");
  expect(show(fillHoles(runs, boxOf(runs)))).toEqual([".##", "###", "###"]);
});

test("of islands the largest stays, parts that touch at a corner are one", () => {
  const runs = draw("##..#", "##..#", "..#.#", ".....");
  expect(show(removeIslands(runs, boxOf(runs)))).toEqual(["##...", "##...", "..#..", "....."]);
});

test("boxes grow inside the picture, join and meet", () => {
  expect(grow([2, 2, 4, 4], 3, [6, 5])).toEqual([0, 0, 5, 6]);
  expect(unionBox([0, 0, 0, 0], [1, 2, 3, 4])).toEqual([1, 2, 3, 4]);
  expect(unionBox([0, 0, 2, 2], [1, 2, 3, 4])).toEqual([0, 0, 3, 4]);
  expect(overlaps([0, 0, 2, 2], [2, 0, 3, 2])).toBe(false);
  expect(overlaps([0, 0, 2, 2], [1, 1, 3, 2])).toBe(true);
});

import { expect, test } from "vitest";

import { changedBox, inkOf } from "../src/layers";
import { defaults } from "../src/state";
import { draw, maskOf } from "./drawing";

const A = maskOf("a", draw("##..", "....", "...."));
const B = maskOf("b", draw("....", "....", "...#"));

test("only where masks differ is painted anew", () => {
  expect(changedBox([A, B], [A, B])).toEqual([0, 0, 0, 0]);
  expect(changedBox([A], [A, B])).toEqual(B.box);
  expect(changedBox([A, B], [B])).toEqual(A.box);
  expect(changedBox([A, B], [{ ...A, label: "cat" }, B])).toEqual([0, 0, 0, 0]);
  expect(changedBox([A, B], [{ ...A, colour: 3 }, B])).toEqual(A.box);
  expect(changedBox([A], [{ ...A, runs: B.runs, box: B.box }])).toEqual([0, 0, 4, 3]);
});

test("outlines only have no fill, proposed masks are fainter", () => {
  const { look } = defaults();
  expect(inkOf(A, { ...look, isOutlineOnly: true }, 1).fillOpacity).toBe(0);
  expect(inkOf({ ...A, isProposed: true }, look, 1).fillOpacity).toBeLessThan(inkOf(A, look, 1).fillOpacity);
});

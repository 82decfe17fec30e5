import { expect, test } from "vitest";

import { changedBox, inkOf, inSight } from "../src/layers";
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

test("outlines only have no fill, proposed masks have a colour of their own and stripes", () => {
  const { look } = defaults();
  expect(inkOf(A, { ...look, isOutlineOnly: true }, 1).fillOpacity).toBe(0);
  const proposed = [0, 1, 2].map((colour) => inkOf({ ...A, colour, isProposed: true }, look, 1));
  expect(new Set(proposed.map((ink) => ink.colour.join())).size).toBe(1);
  expect(proposed[0]?.colour).not.toEqual(inkOf(A, look, 1).colour);
  expect(proposed.map((ink) => ink.isHatched)).toEqual([true, true, true]);
  expect(inkOf(A, look, 1).isHatched).toBe(false);
  // Where all masks are a model's, they are told from each other.
  expect(inkOf({ ...A, isProposed: true }, { ...look, areProposalsApart: false }, 1)).toEqual(inkOf(A, look, 1));
});

test("the selected masks are alone in sight when that is asked for", () => {
  const start = defaults();
  const state = { look: start.look, selected: ["b"] };
  expect(inSight([A, B], state)).toEqual([A, B]);
  const alone = { ...state, look: { ...state.look, isAlone: true } };
  expect(inSight([A, B], alone)).toEqual([B]);
  expect(inSight([A, B], { ...alone, selected: [] })).toEqual([A, B]);
});

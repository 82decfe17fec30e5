import { expect, test } from "vitest";

import { complement, GRADES, keyOf, layersOf, lookOf, scoreOf, SCORES, stateOf, viewOf, Watch } from "../src/rating";
import { areaPx, union } from "../src/runs";
import type { Runs } from "../src/state";

const RUNS: Runs = { sizeHw: [4, 5], edges: Uint32Array.of(2, 9) };

test("1 to 9 are ratings and 0 is 10; nothing else is", () => {
  expect(SCORES.map(keyOf).map(scoreOf)).toEqual(SCORES);
  for (const combo of ["Ctrl+1", "10", "A", "", "-"]) expect(scoreOf(combo)).toBeNull();
});

test("every rating has exactly one grade", () => {
  const covered = GRADES.flatMap(({ from, to }) => SCORES.filter((score) => score >= from && score <= to));
  expect(covered).toEqual(SCORES);
});

test("a view's key shows it, and again goes back to the mask", () => {
  expect(viewOf("O", "fill")).toBe("outline");
  expect(viewOf("O", "outline")).toBe("fill");
  expect(viewOf("H", "cut")).toBe("hidden");
  expect(viewOf("Q", "fill")).toBeNull();
  expect(lookOf("hidden").areMasksHidden).toBe(true);
  expect(lookOf("outline").isOutlineOnly).toBe(true);
});

test("the cut-out hides exactly what the mask leaves out", () => {
  const rest = complement(RUNS);
  expect(areaPx(rest)).toBe(20 - areaPx(RUNS));
  expect(areaPx(union(rest, RUNS))).toBe(20);
  expect(areaPx(complement({ sizeHw: [4, 5], edges: new Uint32Array(0) }))).toBe(20);
  expect(layersOf(RUNS, "cut")[0]?.runs).toEqual(rest);
  expect(layersOf(RUNS, "fill")[0]?.runs).toBe(RUNS);
});

test("the prompt is part of what is drawn, and may be left out", () => {
  const picture = { id: 1, name: "", sizeHw: [4, 5] as const };
  const prompt = { clicks: [{ xy: [1, 2] as const, isForeground: true }], box: null };
  expect(stateOf(picture, [], lookOf("fill"), prompt).work.draft.prompt).toBe(prompt);
  expect(stateOf(picture, [], lookOf("fill"), null).work.draft.prompt.clicks).toEqual([]);
});

test("long pauses and time in another window are not looked", () => {
  const watch = new Watch(1000, 0);
  watch.touch(600);
  watch.touch(5000);
  expect(watch.read(5500)).toBe(600 + 500);
  watch.hide(5600);
  watch.show(9000);
  expect(watch.read(9100)).toBe(600 + 600 + 100);
});

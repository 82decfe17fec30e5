import { expect, test } from "vitest";

import {
  areaPx,
  areEqual,
  boxOf,
  contains,
  difference,
  emptyRuns,
  fromCounts,
  intersect,
  iou,
  RunsError,
  subtract,
  toCounts,
  union,
} from "../src/runs";
import { draw, noise, show } from "./drawing";
import golden from "./golden/library.json";

test.each(golden.runs)("counts of the library are read and written alike: $size, $area px", (one) => {
  const size = [one.size[0] ?? 0, one.size[1] ?? 0] as const;
  const runs = fromCounts(one.counts, size);
  expect(areaPx(runs)).toBe(one.area);
  expect(toCounts(runs)).toBe(one.counts);
});

test("box, area and pixels of a drawn mask", () => {
  const runs = draw(".....", "..##.", "..#..", ".....");
  expect(boxOf(runs)).toEqual([2, 1, 4, 3]);
  expect(areaPx(runs)).toBe(3);
  expect(contains(runs, [3.9, 1.2])).toBe(true);
  expect(contains(runs, [3, 2])).toBe(false);
  expect(contains(runs, [-1, 1])).toBe(false);
  expect(contains(runs, [5, 1])).toBe(false);
});

test("a run that goes over the foot of a column has the full height", () => {
  expect(boxOf(draw("..#.", ".##.", ".#.."))).toEqual([1, 0, 3, 3]);
});

test("an empty mask has no box and no area, a full one everything", () => {
  expect(boxOf(emptyRuns([3, 4]))).toEqual([0, 0, 0, 0]);
  expect(areaPx(emptyRuns([3, 4]))).toBe(0);
  const full = draw("##", "##");
  expect(areaPx(full)).toBe(4);
  expect(toCounts(fromCounts(toCounts(full), [2, 2]))).toBe(toCounts(full));
});

const RULES = [
  { name: "union", combine: union, rule: (a: boolean, b: boolean) => a || b },
  { name: "intersect", combine: intersect, rule: (a: boolean, b: boolean) => a && b },
  { name: "subtract", combine: subtract, rule: (a: boolean, b: boolean) => a && !b },
  { name: "difference", combine: difference, rule: (a: boolean, b: boolean) => a !== b },
];

test.each(RULES)("$name works pixel by pixel", ({ combine, rule }) => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const [a, b] = [noise([9, 7], 0.4, seed), noise([9, 7], 0.6, seed + 100)];
    const [rowsA, rowsB] = [show(a), show(b)];
    const due = rowsA.map((row, y) =>
      row.split("").map((value, x) => (rule(value === "#", rowsB[y]?.[x] === "#") ? "#" : ".")).join(""),
    );
    expect(show(combine(a, b))).toEqual(due);
  }
});

test("intersection over union is 1 for equal and for empty masks, 0 for strangers", () => {
  const a = draw("##..", "##..");
  expect(iou(a, a)).toBe(1);
  expect(iou(emptyRuns([2, 4]), emptyRuns([2, 4]))).toBe(1);
  expect(iou(a, draw("..##", "..##"))).toBe(0);
  expect(iou(a, draw(".##.", ".##."))).toBeCloseTo(1 / 3);
  expect(areEqual(a, draw("##..", "##.."))).toBe(true);
});

test.each([
  ["too short", "1"],
  ["too long", "9"],
  ["not of the alphabet", "\u00e9"],
  ["cut in a number", "P"],
  ["empty", ""],
  ["negative", "O"],
  ["endless", "pppppppppp0"],
])("counts that are %s are refused", (_, counts) => {
  expect(() => fromCounts(counts, [2, 2])).toThrow(RunsError);
});

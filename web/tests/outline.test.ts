import { expect, test } from "vitest";

import { polygonRuns } from "../src/bitmap";
import { distance, simplify, trace } from "../src/outline";
import { areEqual } from "../src/runs";
import type { Point } from "../src/state";
import { draw, noise } from "./drawing";

test("one pixel has four corners", () => {
  expect(trace(draw("...", ".#.", "..."))).toEqual([
    [
      [2, 1],
      [2, 2],
      [1, 2],
      [1, 1],
    ],
  ]);
});

test("a hole has an outline of its own", () => {
  expect(trace(draw("###", "#.#", "###"))).toHaveLength(2);
});

test("filling the outlines of any mask gives that mask", () => {
  for (let seed = 1; seed <= 40; seed += 1) {
    const runs = noise([12, 9], 0.3 + (seed % 5) / 10, seed);
    expect(areEqual(polygonRuns(trace(runs), runs.sizeHw), runs)).toBe(true);
  }
});

test("parts that touch at a corner have one outline", () => {
  expect(trace(draw("#.", ".#"))).toHaveLength(1);
});

test("simplified outlines stay within the tolerance and lose corners", () => {
  const circle = Array.from({ length: 200 }, (_, i): Point => {
    const angle = (i / 200) * 2 * Math.PI;
    return [50 + 40 * Math.cos(angle), 50 + 40 * Math.sin(angle)];
  });
  const fewer = simplify(circle, 1);
  expect(fewer.length).toBeLessThan(40);
  for (const point of circle) {
    const off = fewer.map((a, i) => distance(point, a, fewer[(i + 1) % fewer.length] ?? a));
    expect(Math.min(...off)).toBeLessThanOrEqual(1.0001);
  }
});

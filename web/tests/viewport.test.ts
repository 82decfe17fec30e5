import { expect, test } from "vitest";

import type { Point, Size } from "../src/state";
import { clampToPicture, fit, fitBox, MAX_SCALE, panBy, resize, toPicture, toScreen, zoomAt, zoomTo } from "../src/viewport";

const SCREEN: Size = [600, 800];

test.each([
  [[480, 640]],
  [[4000, 6000]],
  [[1, 5000]],
  [[10, 10]],
] as const)("a picture of %j is shown whole and centred", (sizeHw) => {
  const viewport = fit(sizeHw, SCREEN);
  const [x0, y0] = toScreen(viewport, [0, 0]);
  const [x1, y1] = toScreen(viewport, [sizeHw[1], sizeHw[0]]);
  expect(x0).toBeGreaterThanOrEqual(0);
  expect(y0).toBeGreaterThanOrEqual(0);
  expect(x0 + x1).toBeCloseTo(800);
  expect(y0 + y1).toBeCloseTo(600);
});

test("zooming keeps the point under the cursor", () => {
  const before = fit([480, 640], SCREEN);
  const cursor: Point = [300, 200];
  const after = zoomAt(before, [480, 640], cursor, 3);
  expect(after.scale).toBeCloseTo(before.scale * 3);
  for (const i of [0, 1] as const) {
    expect(toPicture(after, cursor)[i]).toBeCloseTo(toPicture(before, cursor)[i]);
  }
});

test("zoom ends at large pixels and at a small picture", () => {
  const start = fit([480, 640], SCREEN);
  expect(zoomAt(start, [480, 640], [0, 0], 1e9).scale).toBe(MAX_SCALE);
  expect(zoomAt(start, [480, 640], [0, 0], 1e-9).scale).toBeGreaterThan(0.1);
  expect(zoomTo(start, [480, 640], 1).scale).toBeCloseTo(1);
});

test("the picture cannot be lost", () => {
  const far = panBy(fit([480, 640], SCREEN), [480, 640], 1e6, -1e6);
  const [x0, y0] = toScreen(far, [0, 0]);
  const [x1, y1] = toScreen(far, [640, 480]);
  expect(x0).toBeLessThan(800);
  expect(x1).toBeGreaterThan(0);
  expect(y1).toBeGreaterThan(0);
  expect(y0).toBeLessThan(600);
});

test("screen to picture is the way back", () => {
  const viewport = { scale: 2.5, x: -30, y: 12, screenHw: SCREEN };
  const there = toScreen(viewport, [17, 23]);
  expect(toPicture(viewport, there)).toEqual([17, 23]);
});

test("a larger window keeps the middle in the middle", () => {
  const viewport = fit([480, 640], SCREEN);
  const middle = toPicture(viewport, [400, 300]);
  const larger = resize(viewport, [1000, 1200]);
  expect(toPicture(larger, [600, 500])).toEqual(middle);
});

test("points outside are brought to the nearest pixel", () => {
  const [x, y] = clampToPicture([-5, 1e9], [10, 20]);
  expect(x).toBe(0);
  expect(Math.floor(y)).toBe(9);
});

test("a box is shown in the middle with room around it, a tiny one not larger than it helps", () => {
  const viewport = fitBox([100, 50, 180, 110], [480, 640], SCREEN);
  expect(toScreen(viewport, [140, 80])).toEqual([400, 300]);
  expect(viewport.scale).toBe(8);
  expect(fitBox([100, 50, 102, 52], [480, 640], SCREEN).scale).toBe(16);
});

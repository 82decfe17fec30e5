import { expect, test } from "vitest";

import { forEachRun, paintMasks, type Sheet, sheetBox } from "../src/paint";
import { boxOf } from "../src/runs";
import type { Runs } from "../src/state";
import { draw, noise, show } from "./drawing";

const INK = { colour: [255, 0, 0] as const, fillOpacity: 1, outlinePx: 0 };

function paint(runs: Runs, sizeHw: readonly [number, number], x: number, y: number, scale: number, ink = INK): string[] {
  const sheet: Sheet = { sizeHw, pixels: new Uint32Array(sizeHw[0] * sizeHw[1]), x, y, scale };
  paintMasks(sheet, [{ runs, box: boxOf(runs), ink }]);
  return Array.from({ length: sizeHw[0] }, (_, row) =>
    [...sheet.pixels.slice(row * sizeHw[1], (row + 1) * sizeHw[1])].map((pixel) => (pixel === 0 ? "." : "#")).join(""),
  );
}

test("at one to one the sheet shows the mask pixel by pixel", () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const runs = noise([9, 12], 0.5, seed);
    expect(paint(runs, [9, 12], 0, 0, 1)).toEqual(show(runs));
  }
});

test("magnified, every pixel is a square", () => {
  expect(paint(draw(".#", "#."), [6, 6], 0, 0, 3)).toEqual(["...###", "...###", "...###", "###...", "###...", "###..."]);
});

test("a sheet beside the origin shows its own part", () => {
  const runs = noise([20, 30], 0.5, 4);
  expect(paint(runs, [5, 6], 10, 7, 1)).toEqual(show(runs).slice(7, 12).map((row) => row.slice(10, 16)));
});

test("an outline runs along the inside of the rim", () => {
  const runs = draw("......", ".####.", ".####.", ".####.", ".####.", "......");
  const outline = paint(runs, [6, 6], 0, 0, 1, { ...INK, fillOpacity: 0, outlinePx: 1 });
  expect(outline).toEqual(["......", ".####.", ".#..#.", ".#..#.", ".####.", "......"]);
});

test("runs of one column come from top to bottom, those over a column's end are cut", () => {
  const runs = draw("#.#", "..#", "#.#", "##.");
  const columns = [0, 1, 2].map((x) => {
    const found: number[][] = [];
    forEachRun(runs, x, (y, yEnd) => found.push([y, yEnd]));
    return found;
  });
  expect(columns).toEqual([[[0, 1], [2, 4]], [[3, 4]], [[0, 3]]]);
});

test("the part of a sheet that a box touches lies inside the sheet", () => {
  expect(sheetBox({ sizeHw: [10, 10], x: 0, y: 0, scale: 1 }, [-5, 4, 3, 50])).toEqual([0, 3, 4, 10]);
});

test("stripes are strong and faint in turn, and lie still whatever part of the screen is painted", () => {
  const full = draw(...Array.from({ length: 40 }, () => "#".repeat(40)));
  const ink = { ...INK, isHatched: true };
  const paintAt = (x: number, y: number, side: number): Uint32Array => {
    const sheet: Sheet = { sizeHw: [side, side], pixels: new Uint32Array(side * side), x, y, scale: 2 };
    paintMasks(sheet, [{ runs: full, box: boxOf(full), ink }]);
    return sheet.pixels;
  };
  // At half a pixel, as a centred picture lies.
  const whole = paintAt(0.25, 0.25, 60);
  expect(new Set(whole).size).toBe(2);
  for (const [left, top] of [[7, 0], [0, 13], [20, 31]] as const) {
    const part = paintAt(0.25 + left / 2, 0.25 + top / 2, 20);
    const expected = Array.from({ length: 20 }, (_, row) => [...whole.slice((top + row) * 60 + left, (top + row) * 60 + left + 20)]);
    expect([...part]).toEqual(expected.flat());
  }
});

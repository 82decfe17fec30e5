import { expect, test } from "vitest";

import { isAmbiguous, orderMasks, promptPoints } from "../src/decoding";
import { fitFrame } from "../src/trace";
import { draw } from "./drawing";

const FRAME = fitFrame([480, 640], 512);
const click = (x: number, y: number, isForeground = true) => ({ xy: [x, y] as const, isForeground });

test("clicks without a box are followed by one padding point", () => {
  const { coords, labels } = promptPoints({ clicks: [click(320, 240), click(0, 0, false)], box: null }, FRAME);
  expect([...coords]).toEqual([256, 192, 0, 0, 0, 0]);
  expect([...labels]).toEqual([1, 0, -1]);
});

test("a box is its two corners after the clicks", () => {
  const { coords, labels } = promptPoints({ clicks: [click(320, 240)], box: [0, 0, 640, 480] }, FRAME);
  expect([...coords]).toEqual([256, 192, 0, 0, 512, 384]);
  expect([...labels]).toEqual([1, 2, 3]);
});

test("only a lone click with nothing before it is ambiguous", () => {
  expect(isAmbiguous({ clicks: [click(1, 1)], box: null }, false)).toBe(true);
  expect(isAmbiguous({ clicks: [click(1, 1)], box: null }, true)).toBe(false);
  expect(isAmbiguous({ clicks: [click(1, 1), click(2, 2)], box: null }, false)).toBe(false);
  expect(isAmbiguous({ clicks: [], box: [0, 0, 5, 5] }, false)).toBe(false);
});

test("masks come from the largest to the smallest, and the best is the one of highest predicted IoU", () => {
  const of = (areaPx: number, predictedIou: number) => ({
    runs: draw("#"),
    areaPx,
    predictedIou,
    logits: new Float32Array(1),
  });
  const ordered = orderMasks([of(5, 0.2), of(50, 0.3), of(20, 0.9)]);
  expect(ordered.masks.map((mask) => mask.areaPx)).toEqual([50, 20, 5]);
  expect(ordered.best).toBe(1);
});

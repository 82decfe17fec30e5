import { expect, test } from "vitest";

import { decodeLogits, encodeLogits, toDecoded } from "../src/remote";
import { toRle } from "../src/wire";
import { draw } from "./drawing";

test("logits go to the server and back as float16", () => {
  const logits = Float32Array.of(-3.5, 0, 12.25, 0.1);
  const back = decodeLogits(encodeLogits(logits));
  expect(back[0]).toBe(-3.5);
  expect(back[2]).toBe(12.25);
  expect(back[3]).toBeCloseTo(0.1, 3);
});

test("the server's masks come from the largest to the smallest", () => {
  const logits = encodeLogits(new Float32Array(4));
  const mask = (runs: ReturnType<typeof draw>, predicted_iou: number) => ({ rle: toRle(runs), predicted_iou, stability: 1, logits });
  const decoded = toDecoded({
    model_sha256: "a".repeat(64),
    masks: [mask(draw("#.", ".."), 0.9), mask(draw("##", "##"), 0.4)],
    best: 0,
  });
  expect(decoded.masks.map((one) => one.areaPx)).toEqual([4, 1]);
  expect(decoded.best).toBe(1);
});

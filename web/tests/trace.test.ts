import { expect, test } from "vitest";

import { fromCounts, iou } from "../src/runs";
import { axisWeights, fitFrame, Tracer } from "../src/trace";
import golden from "./golden/library.json";

test.each(golden.trace)("logits become the library's mask at $original_hw", (one) => {
  const size = [one.original_hw[0] ?? 0, one.original_hw[1] ?? 0] as const;
  const tracer = new Tracer(fitFrame(size, one.input_size), one.mask_size, 0);
  const ours = tracer.trace(Float32Array.from(one.logits));
  const theirs = fromCounts(one.counts, size);
  expect(ours.edges.length).toBeGreaterThan(0);
  // Rounding may decide a pixel on the very edge.
  expect(iou(ours, theirs)).toBeGreaterThan(0.999);
});

test("a frame rounds as the library's does", () => {
  expect(fitFrame([480, 640], 1024).resizedHw).toEqual([768, 1024]);
  expect(fitFrame([1, 5000], 512).resizedHw).toEqual([1, 512]);
  expect(fitFrame([333, 500], 512).resizedHw).toEqual([341, 512]);
});

test("what the low-res cells add to a pixel is 1 in all", () => {
  const { first, shares } = axisWeights(16, 64, 48, 211);
  for (let pixel = 0; pixel < 211; pixel += 1) {
    const sum = [0, 1, 2].reduce((total, i) => total + (shares[pixel * 3 + i] ?? 0), 0);
    expect(sum).toBeCloseTo(1);
    expect(first[pixel]).toBeGreaterThanOrEqual(first[pixel - 1] ?? 0);
  }
});

test("nothing above the threshold is an empty mask, everything a full one", () => {
  const tracer = new Tracer(fitFrame([30, 20], 64), 16, 0);
  expect(tracer.trace(new Float32Array(256).fill(-1)).edges).toHaveLength(0);
  expect([...tracer.trace(new Float32Array(256).fill(1)).edges]).toEqual([0]);
});

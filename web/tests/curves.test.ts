import { describe, expect, it } from "vitest";

import { scaleOf, servedAfter, ticksOf, turnPlaces } from "../src/curves";

describe("a scale", () => {
  it("puts the ends at the ends, and a single value in the middle", () => {
    const scale = scaleOf([2, 6, 4], [100, 0]);
    expect([2, 4, 6].map((value) => scale.at(value))).toEqual([100, 50, 0]);
    expect(scaleOf([3, 3], [0, 10]).at(3)).toBe(5);
  });

  it("has round ticks, a few of them", () => {
    expect(ticksOf(scaleOf([0, 34], [0, 1]))).toEqual([0, 10, 20, 30]);
    expect(ticksOf(scaleOf([0, 0.37], [0, 1]))).toEqual([0, 0.1, 0.2, 0.3]);
    expect(ticksOf(scaleOf([5, 5], [0, 1]))).toEqual([5]);
  });
});

describe("the paper's curve", () => {
  const turns = [1, 2, 3].map((number) => ({ number, stage: number < 3 ? "assisted" : "semi_automatic" }));

  it("lies beside the turns of its stage", () => {
    expect(turnPlaces(turns, "assisted", [34, 14])).toEqual([[0.6, 34], [2.4, 14]]);
    expect(turnPlaces(turns, "automatic", [1, 2])).toEqual([]);
  });
});

describe("the served model", () => {
  it("changes with promotions alone", () => {
    const turns = [
      { number: 1, promoted: true, pair: [0.3, 0.4] as const },
      { number: 2, promoted: false, pair: [0.4, 0.2] as const },
      { number: 3, promoted: true, pair: [0.4, 0.5] as const },
    ];
    expect(servedAfter(turns, (turn) => turn.pair).points).toEqual([[0, 0.3], [1, 0.4], [2, 0.4], [3, 0.5]]);
    expect(servedAfter([], () => [1, 2]).points).toEqual([]);
  });

  it("has no point where nothing is known", () => {
    const turns = [{ number: 1, promoted: false }];
    expect(servedAfter(turns, () => [null, 3]).points).toEqual([]);
  });
});

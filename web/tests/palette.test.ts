import { expect, test } from "vitest";

import { colourOf, cssOf } from "../src/palette";

test("the first colours are all different and are colours", () => {
  const seen = new Set(Array.from({ length: 60 }, (_, index) => cssOf(index)));
  expect(seen.size).toBe(60);
  for (const css of seen) expect(css).toMatch(/^#[0-9a-f]{6}$/);
});

test("neighbours lie far apart", () => {
  for (let index = 0; index < 40; index += 1) {
    const [a, b] = [colourOf(index), colourOf(index + 1)];
    expect(Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2])).toBeGreaterThan(60);
  }
});

import { expect, test } from "vitest";

import { defaults, EMPTY_DRAFT, isDraftEmpty } from "../src/state";

test("the tool begins with no picture, no work and the click tool", () => {
  const state = defaults();
  expect(state.picture).toBeNull();
  expect(state.work.masks).toEqual([]);
  expect(state.tool).toBe("click");
  expect(isDraftEmpty(state.work.draft)).toBe(true);
});

test("a draft with a box or a click is not empty", () => {
  expect(isDraftEmpty({ ...EMPTY_DRAFT, prompt: { clicks: [], box: [0, 0, 2, 2] } })).toBe(false);
  expect(isDraftEmpty({ ...EMPTY_DRAFT, prompt: { clicks: [{ xy: [1, 1], isForeground: false }], box: null } })).toBe(false);
});

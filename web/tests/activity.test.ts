import { expect, test } from "vitest";

import { Activity } from "../src/activity";

test("time between signs of life counts, a long pause does not", () => {
  const activity = new Activity(15_000);
  for (const now of [0, 1000, 4000, 60_000, 61_000]) activity.touch(now);
  expect(activity.since(62_000)).toBe(6000);
  activity.reset();
  expect(activity.since(63_000)).toBe(1000);
});

test("a clock that jumps back takes nothing away", () => {
  const activity = new Activity(15_000);
  activity.touch(10_000);
  activity.touch(5000);
  expect(activity.since(6000)).toBe(1000);
});

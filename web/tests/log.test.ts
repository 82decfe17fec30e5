import "fake-indexeddb/auto";

import { afterEach, expect, test } from "vitest";

import { Log } from "../src/log";
import { EMPTY_DRAFT } from "../src/state";
import type { Action } from "../src/wire";

let opened: Log[] = [];
let serial = 0;

async function openLog(name = `log-${(serial += 1)}`): Promise<Log> {
  const log = await Log.open(name);
  opened.push(log);
  return log;
}

afterEach(() => {
  for (const log of opened) log.close();
  opened = [];
});

const action = (key: string, maskId = "a"): Action => ({
  key,
  kind: "delete",
  mask_id: maskId,
  base_version: 1,
  at: "2026-01-01T00:00:00Z",
});
const entry = (key: string, imageId = 1, personId = 1, maskId = "a") => ({
  personId,
  imageId,
  action: action(key, maskId),
});
const draft = (imageId: number) => ({ imageId, draft: EMPTY_DRAFT });

test("actions are still there, in order, when the browser was closed in between", async () => {
  const first = await openLog("kept");
  await first.append([entry("one"), entry("two")], draft(1));
  await first.append([entry("three")], draft(1));
  first.close();
  const second = await openLog("kept");
  expect((await second.oldest(1, 10)).map((one) => one.action.key)).toEqual(["one", "two", "three"]);
  expect(await second.pending(1, 1)).toHaveLength(3);
  expect(await second.draft(1)).toEqual(EMPTY_DRAFT);
});

test("a batch is of one person and one picture", async () => {
  const log = await openLog();
  await log.append([entry("a"), entry("b", 2), entry("c", 2, 7), entry("d", 1)], draft(1));
  expect((await log.oldest(1, 10)).map((one) => one.action.key)).toEqual(["a"]);
  await log.remove(await log.oldest(1, 10));
  expect((await log.oldest(1, 10)).map((one) => one.action.key)).toEqual(["b"]);
  expect((await log.oldest(7, 10)).map((one) => one.action.key)).toEqual(["c"]);
  expect(await log.count()).toBe(3);
});

test("a conflict takes every waiting action on its mask along, and no other", async () => {
  const log = await openLog();
  await log.append([entry("a"), entry("b", 1, 1, "other"), entry("c")], draft(1));
  await log.setAside({ maskId: "a", personId: 1, imageId: 1, theirs: { version: 2 }, message: null });
  expect((await log.pending(1, 1)).map((one) => one.key)).toEqual(["b"]);
  const [held] = await log.conflicts(1);
  expect(held?.actions.map((one) => one.key)).toEqual(["a", "c"]);
  await log.dropConflict("a");
  expect(await log.conflicts(1)).toEqual([]);
});

test("leases and settings are kept", async () => {
  const log = await openLog();
  expect(await log.lease(1)).toBeNull();
  await log.keepLease({ imageId: 1, task_id: 5, token: 2 });
  expect(await log.lease(1)).toEqual({ imageId: 1, task_id: 5, token: 2 });
  await log.keepSetting("theme", "dark");
  expect(await log.setting("theme")).toBe("dark");
  expect(await log.setting("nothing")).toBeNull();
});

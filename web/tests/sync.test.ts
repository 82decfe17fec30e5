import "fake-indexeddb/auto";

import { expect, test } from "vitest";

import { type Schemas, ServerError } from "../src/client";
import { type HeldLease, Log } from "../src/log";
import { EMPTY_DRAFT } from "../src/state";
import { type Saving, Sync, type Wire } from "../src/sync";

/** A server that keeps what it is sent, and can be told to fail. */
class Recorder implements Wire {
  readonly kept: string[] = [];
  readonly tokens: (number | null)[] = [];
  /** What the next requests run into, in order; null answers. */
  readonly trouble: (ServerError | "lost-answer" | null)[] = [];
  conflictAt = "";
  leases = 0;

  send(_image: number, lease: HeldLease | null, actions: readonly Schemas["Action"][]): Promise<Schemas["BatchResult"]> {
    const trouble = this.trouble.shift() ?? null;
    if (trouble instanceof ServerError) return Promise.reject(trouble);
    this.tokens.push(lease?.token ?? null);
    let isStopped = false;
    const results = actions.map(({ key }): Schemas["ActionResult"] => {
      if (isStopped) return { key, outcome: "not_tried", mask: null };
      if (key === this.conflictAt) {
        isStopped = true;
        return { key, outcome: "conflict", mask: null, message: "somebody changed it" };
      }
      if (this.kept.includes(key)) return { key, outcome: "repeated", mask: null };
      this.kept.push(key);
      return { key, outcome: "applied", mask: null };
    });
    if (trouble === "lost-answer") return Promise.reject(new ServerError("no answer", 0, "unreachable"));
    return Promise.resolve({ results });
  }

  lease(imageId: number): Promise<HeldLease> {
    this.leases += 1;
    return Promise.resolve({ imageId, task_id: 1, token: 10 + this.leases });
  }
}

let serial = 0;

async function start(): Promise<{ log: Log; server: Recorder; sync: Sync; said: Saving[]; conflicts: number[] }> {
  const log = await Log.open(`sync-${(serial += 1)}`);
  const server = new Recorder();
  const said: Saving[] = [];
  const conflicts: number[] = [];
  const sync = new Sync(log, server, 1, (saving) => said.push(saving), (imageId) => conflicts.push(imageId));
  return { log, server, sync, said, conflicts };
}

async function act(log: Log, keys: readonly string[], imageId = 1, maskId = "m"): Promise<void> {
  const entries = keys.map((key) => ({
    personId: 1,
    imageId,
    action: { key, kind: "delete" as const, mask_id: maskId, base_version: 1, at: "2026-01-01T00:00:00Z" },
  }));
  await log.append(entries, { imageId, draft: EMPTY_DRAFT });
}

const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `key-${i}`);

test("everything arrives once and in order, over pictures and requests", async () => {
  const { log, server, sync } = await start();
  await act(log, numbered(120));
  await act(log, ["x", "y"], 2);
  expect(await sync.settled()).toEqual({ state: "saved", pending: 0, message: "" });
  expect(server.kept).toEqual([...numbered(120), "x", "y"]);
  expect(await log.count()).toBe(0);
});

test("offline, actions wait and are sent in order when the server is back", async () => {
  const { log, server, sync } = await start();
  server.trouble.push(new ServerError("unreachable", 0, "unreachable"), new ServerError("broken", 500, "unknown"));
  await act(log, ["a"]);
  expect((await sync.settled()).state).toBe("offline");
  await act(log, ["b"]);
  expect(await sync.settled()).toMatchObject({ state: "offline", pending: 2 });
  expect(await sync.settled()).toMatchObject({ state: "saved", pending: 0 });
  expect(server.kept).toEqual(["a", "b"]);
  sync.stop();
});

test("a server whose disk is full or read-only is told from one that is away, and gets everything later", async () => {
  const { log, server, sync } = await start();
  server.trouble.push(new ServerError("nothing was saved: free space", 503, "not_writable"));
  await act(log, ["a"]);
  const saving = await sync.settled();
  expect(saving).toEqual({ state: "unwritable", pending: 1, message: "nothing was saved: free space" });
  expect(await sync.settled()).toMatchObject({ state: "saved", pending: 0 });
  expect(server.kept).toEqual(["a"]);
  sync.stop();
});

test("when only the answer was lost, the same key acts once", async () => {
  const { log, server, sync } = await start();
  server.trouble.push("lost-answer");
  await act(log, ["a", "b"]);
  await sync.settled();
  await sync.settled();
  expect(server.kept).toEqual(["a", "b"]);
  expect(await log.count()).toBe(0);
  sync.stop();
});

test("an expired session keeps everything and says what to do", async () => {
  const { log, server, sync } = await start();
  server.trouble.push(new ServerError("sign in", 401, "signed_out"));
  await act(log, ["a"]);
  const saving = await sync.settled();
  expect(saving.state).toBe("signed-out");
  expect(saving.message).toContain("sign in again");
  expect((await sync.settled()).state).toBe("saved");
  expect(server.kept).toEqual(["a"]);
});

test("a lost lease is taken anew and kept", async () => {
  const { log, server, sync } = await start();
  await log.keepLease({ imageId: 1, task_id: 1, token: 3 });
  server.trouble.push(new ServerError("lost", 409, "lease_lost"));
  await act(log, ["a"]);
  expect((await sync.settled()).state).toBe("saved");
  expect(server.tokens).toEqual([11]);
  expect((await log.lease(1))?.token).toBe(11);
});

test("a conflict sets its mask aside and lets the others through", async () => {
  const { log, server, sync, conflicts } = await start();
  server.conflictAt = "b";
  await act(log, ["a"], 1, "other");
  await act(log, ["b", "c"], 1, "m");
  await act(log, ["d"], 1, "other");
  expect((await sync.settled()).state).toBe("saved");
  expect(server.kept).toEqual(["a", "d"]);
  expect(conflicts).toEqual([1]);
  const [held] = await log.conflicts(1);
  expect(held?.actions.map((action) => action.key)).toEqual(["b", "c"]);
  expect(held?.message).toBe("somebody changed it");
});

test("nothing counts as saved while something is on its way into the log", async () => {
  const { log, sync, said } = await start();
  await sync.settled();
  sync.expect();
  expect(said.at(-1)?.state).toBe("saving");
  await sync.settled(); // finds an empty log, which says nothing of what is on its way
  expect(said.at(-1)?.state).toBe("saving");
  await act(log, ["late"]);
  sync.arrived();
  expect(await sync.settled()).toEqual({ state: "saved", pending: 0, message: "" });
});

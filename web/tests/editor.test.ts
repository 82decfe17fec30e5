import "fake-indexeddb/auto";

import { afterEach, expect, test } from "vitest";

import { runCommand } from "../src/commands";
import { type Backend, Decoder } from "../src/decoder";
import { orderMasks } from "../src/decoding";
import { Editor, type Opened } from "../src/editor";
import { Log } from "../src/log";
import { select, stroke } from "../src/mask";
import { press } from "../src/pointer";
import { areaPx } from "../src/runs";
import type { Prompt } from "../src/state";
import { fromMask, knownOf, toMaskIn } from "../src/wire";
import { draw, maskOf } from "./drawing";

const SIZE = [4, 6] as const;
const RUNS = draw("##....", "##....", "......", "......");
const MODEL = { sha256: "a".repeat(64), inputSize: 64, maskSize: 16, maskThreshold: 0, maps: [] };

/** Answers a click with three squares around it and everything else with one, and remembers what it was asked. */
function squares(): Backend & { asked: [Prompt, Float32Array | null][] } {
  const asked: [Prompt, Float32Array | null][] = [];
  return {
    asked,
    means: { where: "browser", threads: 1, note: "" },
    open: () => Promise.resolve(),
    close: () => undefined,
    decode(prompt, logits) {
      asked.push([prompt, logits]);
      const sides = prompt.clicks.length === 1 && logits === null ? [1, 2, 3] : [2];
      return Promise.resolve(
        orderMasks(
          sides.map((side) => {
            const row = "#".repeat(side).padEnd(6, ".");
            const runs = draw(...Array.from({ length: 4 }, (_, y) => (y < side ? row : "......")));
            return { runs, areaPx: areaPx(runs), predictedIou: side === 2 ? 0.9 : 0.5, logits: Float32Array.of(side) };
          }),
        ),
      );
    },
  };
}

const logs: Log[] = [];
afterEach(() => {
  for (const log of logs.splice(0)) log.close();
});

async function open(change: Partial<Opened> = {}, name: string = crypto.randomUUID()): Promise<{ editor: Editor; log: Log }> {
  const log = await Log.open(name);
  logs.push(log);
  let clock = 0;
  const editor = new Editor({ log, personId: 1, onSaving: () => undefined, onSaved: () => undefined }, () => (clock += 1000));
  editor.open(
    { picture: { id: 1, name: "p.png", sizeHw: SIZE }, masks: [], known: new Map(), draft: null, conflicts: [], ...change },
    15_000,
  );
  return { editor, log };
}

const kindsIn = async (log: Log): Promise<string[]> => (await log.pending(1, 1)).map((action) => action.kind);
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 10));

test("every action is in the log at once, undo and redo too", async () => {
  const { editor, log } = await open();
  editor.act("Brush", (state, stamp) => stroke(state, [[1.5, 1.5]], "brush", stamp));
  editor.undo();
  editor.redo();
  await editor.saved;
  expect(await kindsIn(log)).toEqual(["create", "delete", "restore"]);
  expect((await log.pending(1, 1)).map((action) => action.base_version)).toEqual([null, 1, 2]);
});

test("a click is answered, picked, kept, and the time of all of it is the mask's", async () => {
  const { editor, log } = await open();
  editor.setDecoder(new Decoder(squares(), MODEL, null, () => undefined));
  press(editor, [0.4, 0.6]);
  expect(editor.getSnapshot().isAnswering).toBe(true);
  await settle();
  expect(editor.getSnapshot().state.answer?.candidates.map((one) => one.areaPx)).toEqual([9, 4, 1]);
  runCommand(editor, "prompt.pick1");
  runCommand(editor, "prompt.accept");
  await editor.saved;
  const [mask] = editor.getSnapshot().state.work.masks;
  expect(mask?.areaPx).toBe(9);
  expect(areaPx(mask?.provenance.firstAnswer ?? RUNS)).toBe(4);
  expect(mask?.provenance.activeMs).toBeGreaterThan(0);
  expect(await kindsIn(log)).toEqual(["create"]);
});

test("a second click carries the logits of the picked mask, and after undo the first answer is back", async () => {
  const { editor } = await open();
  const backend = squares();
  editor.setDecoder(new Decoder(backend, MODEL, null, () => undefined));
  press(editor, [0, 0]);
  await settle();
  runCommand(editor, "prompt.pick3");
  press(editor, [2, 2]);
  await settle();
  expect(backend.asked[1]?.[1]).toEqual(Float32Array.of(1));
  runCommand(editor, "edit.undo");
  await settle();
  expect(editor.getSnapshot().state.answer?.candidates).toHaveLength(3);
  expect(editor.getSnapshot().state.work.draft.picked).toBe(2);
  // Nothing was computed again: the answers were still there.
  expect(backend.asked).toHaveLength(2);
});

test("an object kept before its answer is kept with it, also when an older answer comes between", async () => {
  const { editor, log } = await open();
  editor.setDecoder(new Decoder(squares(), MODEL, null, () => undefined));
  press(editor, [0, 0]);
  press(editor, [2, 2]);
  const kept = editor.keepObject();
  expect(editor.getSnapshot().state.work.masks).toHaveLength(0);
  await kept;
  expect(editor.getSnapshot().state.work.masks.map((mask) => mask.provenance.prompts.at(-1)?.clicks.length)).toEqual([2]);
  await editor.saved;
  expect(await kindsIn(log)).toEqual(["create"]);
});

test("keeping ends without a mask when there is no answer, and when the person goes on", async () => {
  const { editor } = await open();
  const broken: Backend = { ...squares(), decode: () => Promise.reject(new Error("out of memory")) };
  editor.setDecoder(new Decoder(broken, MODEL, null, () => undefined));
  press(editor, [0, 0]);
  await editor.keepObject();
  expect(editor.getSnapshot().trouble).toBe("out of memory");
  expect(editor.getSnapshot().state.work.masks).toHaveLength(0);
  press(editor, [1, 1]);
  const kept = editor.keepObject();
  runCommand(editor, "prompt.cancel");
  await kept;
  expect(editor.getSnapshot().state.work.masks).toHaveLength(0);
});

test("keeping ends without a mask when the answer is an empty one", async () => {
  const { editor, log } = await open();
  const runs = draw("......", "......", "......", "......");
  const nothing = [{ runs, areaPx: 0, predictedIou: 0.1, logits: Float32Array.of(0) }];
  const empty: Backend = { ...squares(), decode: () => Promise.resolve(orderMasks(nothing)) };
  editor.setDecoder(new Decoder(empty, MODEL, null, () => undefined));
  press(editor, [0, 0]);
  await editor.keepObject();
  expect(editor.getSnapshot().state.answer?.candidates.map((one) => one.areaPx)).toEqual([0]);
  expect(editor.getSnapshot().state.work.masks).toHaveLength(0);
  await editor.saved;
  expect(await kindsIn(log)).toEqual([]);
});

test("a draft is there again after the browser was killed", async () => {
  const { editor } = await open({}, "killed");
  press(editor, [1, 1]);
  await editor.saved;
  const log = await Log.open("killed");
  logs.push(log);
  expect((await log.draft(1))?.prompt.clicks).toEqual([{ xy: [1, 1], isForeground: true }]);
});

test("when the browser's decoder breaks the server takes over and says so", async () => {
  const { editor } = await open();
  const broken: Backend = { ...squares(), decode: () => Promise.reject(new Error("out of memory")) };
  const notes: string[] = [];
  const fallback = (reason: string): Backend => ({ ...squares(), means: { where: "server", threads: 0, note: reason } });
  editor.setDecoder(new Decoder(broken, MODEL, fallback, (means) => notes.push(means.note)));
  press(editor, [0, 0]);
  await settle();
  expect(editor.getSnapshot().state.answer?.decodedOn).toBe("server");
  expect(notes).toEqual(["", "out of memory"]);
});

test("clicks given before the decoder is ready are answered once it is", async () => {
  const { editor } = await open();
  press(editor, [0, 0]);
  expect(editor.getSnapshot().state.answer).toBeNull();
  editor.setDecoder(new Decoder(squares(), MODEL, null, () => undefined));
  await settle();
  expect(editor.getSnapshot().state.answer).not.toBeNull();
});

test("an object that is kept before the model has answered is kept when it has", async () => {
  const { editor } = await open();
  editor.setDecoder(new Decoder(squares(), MODEL, null, () => undefined));
  press(editor, [0, 0]);
  runCommand(editor, "prompt.accept");
  expect(editor.getSnapshot().state.work.masks).toHaveLength(0);
  await settle();
  expect(editor.getSnapshot().state.work.masks[0]?.areaPx).toBe(4);
});

test("hover shows the best mask under the cursor until work begins", async () => {
  const { editor } = await open();
  editor.setDecoder(new Decoder(squares(), MODEL, null, () => undefined));
  editor.see((state) => ({ ...state, cursor: [1, 1] }));
  await editor.hover([1, 1]);
  expect(editor.getSnapshot().state.preview?.areaPx).toBe(4);
  editor.stopHover();
  expect(editor.getSnapshot().state.preview).toBeNull();
});

async function conflicted(): Promise<{ editor: Editor; log: Log }> {
  const mine = maskOf("a", RUNS);
  const wire = toMaskIn(maskOf("a", draw("......", "......", "....##", "....##")));
  const theirs: Parameters<typeof fromMask>[0] = {
    id: "a",
    image_id: 1,
    version: 5,
    state: "accepted",
    deleted: false,
    origin: "person",
    author_id: 2,
    changed_by_id: 2,
    stage: "assisted",
    order: 1,
    rle: wire.rle,
    area_px: 4,
    box_xyxy: [4, 2, 6, 4],
    label: null,
    provenance: wire.provenance,
    first_answer_iou: null,
    created_at: "2026-01-01T00:00:00Z",
    updated_at: "2026-01-01T00:00:00Z",
  };
  const { editor, log } = await open({ masks: [mine], known: knownOf([{ ...theirs, version: 1 }]) });
  await log.setAside({ maskId: "a", personId: 1, imageId: 1, theirs, message: null });
  await editor.reloadConflicts();
  return { editor, log };
}

test("while a conflict is open nothing overwrites the other's version", async () => {
  const { editor, log } = await conflicted();
  editor.see((state) => select({ ...state, brushPx: 1 }, "a"));
  editor.act("Brush", (state, stamp) => stroke(state, [[5.5, 0.5]], "brush", stamp));
  await editor.saved;
  expect(await kindsIn(log)).toEqual([]);
});

test.each([
  ["mine", ["replace 5"], 1],
  ["theirs", [], 1],
  ["both", ["create -"], 2],
] as const)("a conflict ends with %s", async (choice, actions, count) => {
  const { editor, log } = await conflicted();
  const [conflict] = editor.getSnapshot().conflicts;
  if (conflict === undefined) throw new Error("no conflict");
  await editor.resolve(conflict, choice);
  await editor.saved;
  const sent = (await log.pending(1, 1)).map((action) => `${action.kind} ${action.base_version ?? "-"}`);
  expect(sent).toEqual(actions);
  expect(editor.getSnapshot().state.work.masks).toHaveLength(count);
  expect(await log.conflicts(1)).toEqual([]);
});

import "fake-indexeddb/auto";

import { afterEach, expect, test } from "vitest";

import { runCommand } from "../src/commands";
import { Decoder } from "../src/decoder";
import { Editor } from "../src/editor";
import { EMPTY_HISTORY, record, redo, undo } from "../src/history";
import { Log } from "../src/log";
import { select, stroke } from "../src/mask";
import { acceptDraft, addClick, cancelDraft, receiveAnswer } from "../src/prompt";
import {
  acceptProposals,
  chosenProposals,
  dropProposals,
  fixProposal,
  proposedMasks,
  selectProposal,
  shownMasks,
} from "../src/proposals";
import { areaPx } from "../src/runs";
import { type Answer, isDraftEmpty, type Mask, type State } from "../src/state";
import { knownOf } from "../src/wire";
import { draw, maskOf, show, STAMP, stateOf } from "./drawing";

const SIZE = [4, 6] as const;
const LEFT = draw("##....", "##....", "......", "......");
const RIGHT = draw("....##", "....##", "......", "......");
const LOW = draw("......", "......", "......", "######");
const WIDER = draw("###...", "###...", "......", "......");

const proposal = (id: string, runs = LEFT): Mask => {
  const base = maskOf(id, runs, { isProposed: true });
  const prompts = [{ clicks: [], box: [0, 0, 2.5, 2.5] as const }];
  return { ...base, provenance: { ...base.provenance, tools: ["detector"], prompts, activeMs: 0 } };
};
/** Two proposals with an accepted mask between them. */
const start = (): State => stateOf(SIZE, proposal("p"), maskOf("a", LOW, { colour: 1 }), proposal("q", RIGHT));
const ids = (state: State): string[] => state.work.masks.map((mask) => `${mask.id}${mask.isProposed ? "?" : ""}`);
const answer = (runs = WIDER): Answer => ({
  candidates: [{ runs, predictedIou: 0.9, areaPx: areaPx(runs) }],
  best: 0,
  first: LEFT,
  modelSha256: "a".repeat(64),
  decodedOn: "browser",
});

test("next and previous go through the undecided alone, and around again", () => {
  const forward = [1, 2, 3].reduce<State[]>((all) => [...all, selectProposal(all[all.length - 1] ?? start(), 1)], []);
  expect(forward.map((state) => state.selected)).toEqual([["p"], ["q"], ["p"]]);
  expect(selectProposal(start(), -1).selected).toEqual(["q"]);
  expect(selectProposal(select(start(), "a"), -1).selected).toEqual(["p"]);
  const none = stateOf(SIZE, maskOf("a", LOW));
  expect(selectProposal(none, 1)).toBe(none);
  expect(selectProposal(stateOf(SIZE), 1).selected).toEqual([]);
});

test("a proposal is accepted as it is, and the next one is selected", () => {
  const accepted = acceptProposals(select(start(), "p"), ["p"]);
  expect(ids(accepted)).toEqual(["p", "a", "q?"]);
  expect(accepted.selected).toEqual(["q"]);
  const all = acceptProposals(accepted, ["q"]);
  expect(ids(all)).toEqual(["p", "a", "q"]);
  expect(all.selected).toEqual([]);
});

test("a dropped proposal is gone, and nothing but proposals is decided", () => {
  const dropped = dropProposals(select(start(), "p"), ["p", "a"]);
  expect(ids(dropped)).toEqual(["a", "q?"]);
  expect(dropped.selected).toEqual(["q"]);
  expect(dropProposals(start(), ["a"])).toEqual(start());
  expect(acceptProposals(start(), ["a", "nobody"])).toEqual(start());
});

test("accepting all that are left takes every one", () => {
  const state = acceptProposals(start(), proposedMasks(start()).map((mask) => mask.id));
  expect(ids(state)).toEqual(["p", "a", "q"]);
});

test("a fix asks the proposal's box again, and hides the proposal meanwhile", () => {
  const fixing = fixProposal({ ...start(), tool: "select" }, "p", 700);
  expect(fixing.work.draft).toMatchObject({ fixes: "p", startedMs: 700, prompt: { clicks: [], box: [0, 0, 2.5, 2.5] } });
  expect(fixing.tool).toBe("click");
  expect(fixing.selected).toEqual(["p"]);
  expect(shownMasks(fixing.work).map((mask) => mask.id)).toEqual(["a", "q"]);
  // Nothing is decided by it.
  expect(ids(fixing)).toEqual(["p?", "a", "q?"]);
  expect(ids(cancelDraft(fixing))).toEqual(["p?", "a", "q?"]);
  expect(isDraftEmpty(cancelDraft(fixing).work.draft)).toBe(true);
  expect(fixProposal(start(), "a", 0)).toEqual(start());
});

test("clicks go on from the fix, and what is kept takes the proposal's place with all that made it", () => {
  const clicked = addClick(fixProposal(start(), "p", 700), { xy: [2, 0], isForeground: true }, 900);
  expect(clicked.work.draft.fixes).toBe("p");
  expect(clicked.work.draft.before?.prompt.box).toEqual([0, 0, 2.5, 2.5]);
  const kept = acceptDraft(receiveAnswer(clicked, clicked.work.draft.prompt, answer()), STAMP);
  expect(ids(kept)).toEqual(["p", "a", "q?"]);
  const [mask] = kept.work.masks;
  expect(show(mask?.runs ?? LEFT)).toEqual(show(WIDER));
  expect(mask?.provenance.tools).toEqual(["detector", "click"]);
  expect(mask?.provenance.prompts).toHaveLength(2);
  expect(mask?.provenance.activeMs).toBe(100);
  expect(mask?.colour).toBe(0);
});

test("paint goes on from the fix: from its answer, or from the proposal when nothing was said", () => {
  const painting = { ...fixProposal(start(), "p", 700), tool: "brush" as const, brushPx: 1 };
  const painted = stroke(painting, [[0.5, 2.5]], "brush", STAMP);
  expect(ids(painted)).toEqual(["p", "a", "q?"]);
  expect(show(painted.work.masks[0]?.runs ?? LEFT)).toEqual(["##....", "##....", "#.....", "......"]);
  expect(isDraftEmpty(painted.work.draft)).toBe(true);
  const clicked = addClick(painting, { xy: [2, 0], isForeground: true }, 900);
  const answered = receiveAnswer(clicked, clicked.work.draft.prompt, answer());
  const both = stroke(answered, [[0.5, 2.5]], "brush", STAMP);
  expect(show(both.work.masks[0]?.runs ?? LEFT)).toEqual(["###...", "###...", "#.....", "......"]);
  expect(both.work.masks[0]?.provenance.tools).toEqual(["detector", "click", "brush"]);
});

test("a proposal that is decided while it is being fixed leaves no fix behind", () => {
  const fixing = fixProposal(start(), "p", 700);
  expect(dropProposals(fixing, ["p"]).work.draft.fixes).toBeNull();
  expect(acceptProposals(fixing, ["p"]).work.draft.fixes).toBeNull();
  expect(acceptProposals(fixing, ["q"]).work.draft.fixes).toBe("p");
});

test("undo and redo go through every decision", () => {
  const begin = select(start(), "p");
  const fixing = fixProposal(acceptProposals(begin, ["p"]), "q", 700);
  const clicked = addClick(fixing, { xy: [2, 0], isForeground: true }, 900);
  const states = [
    begin,
    acceptProposals(begin, ["p"]),
    fixing,
    clicked,
    acceptDraft(receiveAnswer(clicked, clicked.work.draft.prompt, answer()), STAMP),
  ];
  let history = EMPTY_HISTORY;
  for (const [i, state] of states.slice(1).entries()) history = record(history, "step", states[i] ?? begin, state);
  let state = states[4] ?? begin;
  for (const expected of [...states].reverse().slice(1)) {
    [history, state] = undo(history, state);
    expect(state.work).toEqual(expected.work);
  }
  for (const expected of states.slice(1)) {
    [history, state] = redo(history, state);
    expect(state.work).toEqual(expected.work);
  }
});

const logs: Log[] = [];
afterEach(() => {
  for (const log of logs.splice(0)) log.close();
});

async function opened(): Promise<{ editor: Editor; kinds: () => Promise<string[]>; now: () => State }> {
  const log = await Log.open(crypto.randomUUID());
  logs.push(log);
  let clock = 0;
  const editor = new Editor({ log, personId: 1, onSaving: () => undefined, onSaved: () => undefined }, () => (clock += 1000));
  const { masks } = start().work;
  const known = knownOf([]);
  for (const { id, runs, isProposed } of masks) known.set(id, { version: 1, isGone: false, isProposed, runs, label: "" });
  editor.open({ picture: { id: 1, name: "p.png", sizeHw: SIZE }, masks, known, draft: null, conflicts: [] }, 15_000);
  const kinds = async (): Promise<string[]> => {
    await editor.saved;
    return (await log.pending(1, 1)).map(({ kind, mask_id, base_version }) => `${kind} ${mask_id} ${base_version ?? "-"}`);
  };
  return { editor, kinds, now: () => editor.getSnapshot().state };
}

test("with none selected, a key shows the next proposal before anything is decided", async () => {
  const { editor, kinds, now } = await opened();
  runCommand(editor, "proposed.accept");
  expect(now().selected).toEqual(["p"]);
  expect(await kinds()).toEqual([]);
  runCommand(editor, "proposed.accept");
  runCommand(editor, "proposed.drop");
  expect(await kinds()).toEqual(["accept p 1", "reject q 1"]);
  expect(ids(now())).toEqual(["p", "a"]);
  // With no proposal left the keys do nothing.
  runCommand(editor, "proposed.drop");
  expect(ids(now())).toEqual(["p", "a"]);
});

test("every undone decision leaves the proposal undecided on the server, too", async () => {
  const { editor, kinds, now } = await opened();
  runCommand(editor, "proposed.next");
  runCommand(editor, "proposed.accept");
  runCommand(editor, "proposed.drop");
  editor.undo();
  editor.undo();
  expect(ids(now())).toEqual(["p?", "a", "q?"]);
  expect(now().selected).toEqual(["p"]);
  expect(await kinds()).toEqual(["accept p 1", "reject q 1", "undecide q 2", "undecide p 2"]);
  editor.act("Brush", (state, stamp) => stroke({ ...state, brushPx: 1 }, [[0.5, 2.5]], "brush", stamp));
  editor.undo();
  expect((await kinds()).slice(4)).toEqual(["replace p 3", "replace p 4", "undecide p 5"]);
  editor.redo();
  expect((await kinds()).slice(7)).toEqual(["replace p 6"]);
});

test("a fix by clicks is one replacement of the proposal", async () => {
  const { editor, kinds, now } = await opened();
  const decoded = { runs: WIDER, areaPx: areaPx(WIDER), predictedIou: 0.9, logits: Float32Array.of(1) };
  const backend = {
    means: { where: "browser" as const, threads: 1, note: "" },
    open: () => Promise.resolve(),
    close: () => undefined,
    decode: () => Promise.resolve({ masks: [decoded], best: 0 }),
  };
  const model = { sha256: "a".repeat(64), inputSize: 64, maskSize: 16, maskThreshold: 0, maps: [] };
  editor.setDecoder(new Decoder(backend, model, null, () => undefined));
  runCommand(editor, "proposed.next");
  runCommand(editor, "proposed.fix");
  editor.act("Click", (state, { nowMs }) => addClick(state, { xy: [2, 0], isForeground: true }, nowMs));
  await new Promise((resolve) => setTimeout(resolve, 10));
  runCommand(editor, "prompt.accept");
  expect(await kinds()).toEqual(["replace p 1"]);
  expect(ids(now())).toEqual(["p", "a", "q?"]);
  expect(chosenProposals(now())).toEqual([]);
});

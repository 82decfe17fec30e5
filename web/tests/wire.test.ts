import { expect, test } from "vitest";

import { maskChanges } from "../src/history";
import { describe as describeMask, remove, select, stroke } from "../src/mask";
import type { Mask } from "../src/state";
import { applyActions, followActions, fromMask, type Known, knownOf, toActions, toMaskIn } from "../src/wire";
import { draw, maskOf, STAMP, stateOf } from "./drawing";

const SIZE = [4, 6] as const;
const RUNS = draw("##....", "##....", "......", "......");

let serial = 0;
const mark = { key: () => `key-${(serial += 1)}`, at: "2026-01-01T00:00:00.000Z" };
const kinds = (before: readonly Mask[], after: readonly Mask[], known: Map<string, Known>): string[] =>
  toActions(maskChanges(before, after), known, mark).map(({ kind, base_version }) => `${kind} ${base_version ?? "-"}`);

test("what a person does becomes actions, each on the version that the one before it made", () => {
  const known = new Map<string, Known>();
  const start = { ...stateOf(SIZE), brushPx: 1 };
  const made = stroke(start, [[1.5, 1.5]], "brush", { ...STAMP, id: "a" });
  expect(kinds(start.work.masks, made.work.masks, known)).toEqual(["create -"]);
  const longer = stroke(made, [[3.5, 1.5]], "brush", STAMP);
  expect(kinds(made.work.masks, longer.work.masks, known)).toEqual(["replace 1"]);
  const named = describeMask(longer, "a", { label: "cup" });
  expect(kinds(longer.work.masks, named.work.masks, known)).toEqual(["relabel 2"]);
  const gone = remove(named, ["a"]);
  expect(kinds(named.work.masks, gone.work.masks, known)).toEqual(["delete 3"]);
  // Undo brings it back as it was: no new shape is sent.
  expect(kinds(gone.work.masks, named.work.masks, known)).toEqual(["restore 4"]);
  expect(kinds(named.work.masks, made.work.masks, known)).toEqual(["replace 5"]);
});

test("undoing the making of a mask deletes it, redoing restores it", () => {
  const known = new Map<string, Known>();
  const mask = maskOf("a", RUNS);
  expect(kinds([], [mask], known)).toEqual(["create -"]);
  expect(kinds([mask], [], known)).toEqual(["delete 1"]);
  expect(kinds([], [mask], known)).toEqual(["restore 2"]);
});

test("colour and visibility are the tool's own affair", () => {
  const known = new Map<string, Known>();
  const mask = maskOf("a", RUNS);
  kinds([], [mask], known);
  expect(kinds([mask], [{ ...mask, colour: 7, isVisible: false }], known)).toEqual([]);
});

test("a proposed mask is accepted as it is, rejected, or replaced", () => {
  const proposed = maskOf("a", RUNS, { isProposed: true });
  const start = (): Map<string, Known> =>
    new Map([["a", { version: 1, isGone: false, isProposed: true, runs: RUNS, label: "" }]]);
  expect(kinds([proposed], [{ ...proposed, isProposed: false }], start())).toEqual(["accept 1"]);
  expect(kinds([proposed], [], start())).toEqual(["reject 1"]);
  const edited = stroke({ ...select(stateOf(SIZE, proposed), "a"), brushPx: 1 }, [[5.5, 3.5]], "brush", STAMP);
  expect(kinds([proposed], edited.work.masks, start())).toEqual(["replace 1"]);
});

test("a decision that is undone leaves the mask proposed", () => {
  const proposed = maskOf("a", RUNS, { isProposed: true });
  const accepted = { ...proposed, isProposed: false };
  const other = { ...accepted, runs: draw("......", "......", "...###", "......") };
  const known = new Map([["a", { version: 1, isGone: false, isProposed: true, runs: RUNS, label: "" }]]);
  const steps: [readonly Mask[], readonly Mask[], string[]][] = [
    [[proposed], [accepted], ["accept 1"]],
    [[accepted], [proposed], ["undecide 2"]],
    [[proposed], [], ["reject 3"]],
    [[], [proposed], ["undecide 4"]],
    [[proposed], [other], ["replace 5"]],
    [[other], [proposed], ["replace 6", "undecide 7"]],
    [[proposed], [{ ...proposed, label: "cup" }], ["relabel 8"]],
    [[{ ...proposed, label: "cup" }], [{ ...accepted, label: "cup" }], ["accept 9"]],
    [[{ ...accepted, label: "cup" }], [], ["delete 10"]],
    [[], [{ ...accepted, label: "cup" }], ["restore 11"]],
  ];
  for (const [before, after, expected] of steps) expect(kinds(before, after, known)).toEqual(expected);
});

test("decisions that the server does not have yet are applied to what it has", () => {
  const proposed = maskOf("a", RUNS, { isProposed: true });
  const accepted = { ...proposed, isProposed: false };
  for (const steps of [[[proposed], [accepted]], [[proposed], [], [proposed]], [[proposed], [accepted], [proposed]]]) {
    const known = new Map([["a", { version: 1, isGone: false, isProposed: true, runs: RUNS, label: "" }]]);
    const followed = new Map(known);
    const actions = steps.slice(1).flatMap((after, i) => toActions(maskChanges(steps[i] ?? [], after), known, mark));
    const last = steps[steps.length - 1] ?? [];
    expect(applyActions([proposed], actions, SIZE).map((mask) => mask.isProposed)).toEqual(last.map((mask) => mask.isProposed));
    followActions(followed, actions);
    expect(followed).toEqual(known);
  }
});

test("of a proposal's box no click is counted", () => {
  const base = maskOf("a", RUNS);
  const prompts = [{ clicks: [{ xy: [1, 1] as const, isForeground: true }], box: [0, 0, 4, 4] as const }];
  const fixed: Mask = { ...base, provenance: { ...base.provenance, tools: ["detector", "click"], prompts } };
  expect(toMaskIn(fixed).provenance.clicks).toBe(1);
});

function wireMask(mask: Mask): Parameters<typeof fromMask>[0] {
  const sent = toMaskIn(mask);
  return {
    id: mask.id,
    image_id: 1,
    version: 3,
    state: "accepted",
    deleted: false,
    origin: "person",
    author_id: 1,
    changed_by_id: null,
    stage: "assisted",
    order: 1,
    rle: sent.rle,
    area_px: mask.areaPx,
    box_xyxy: [...mask.box],
    label: sent.label ?? null,
    provenance: sent.provenance,
    first_answer_iou: null,
    created_at: mark.at,
    updated_at: mark.at,
  };
}

test("a mask comes back from the server as it was sent", () => {
  const prompt = { clicks: [{ xy: [1, 1] as const, isForeground: true }], box: [0, 0, 4, 4] as const };
  const base = maskOf("a", RUNS, { label: "cup", colour: 2 });
  const mask: Mask = {
    ...base,
    provenance: { ...base.provenance, prompts: [prompt], predictedIou: 0.5, decodedOn: "browser" },
  };
  expect(fromMask(wireMask(mask), 2)).toEqual(mask);
  expect(toMaskIn(mask).provenance.clicks).toBe(2);
  expect(knownOf([wireMask(mask)]).get("a")).toEqual({
    version: 3,
    isGone: false,
    isProposed: false,
    runs: RUNS,
    label: "cup",
  });
});

test("actions that the server does not have yet are applied to what it has", () => {
  const known = new Map<string, Known>();
  const a = maskOf("a", RUNS);
  const b = maskOf("b", draw("......", "......", "...###", "......"), { colour: 1 });
  const steps: (readonly Mask[])[] = [[], [a], [a, b], [a, { ...b, label: "cup" }], [{ ...b, label: "cup" }]];
  const actions = steps.slice(1).flatMap((after, i) => toActions(maskChanges(steps[i] ?? [], after), known, mark));
  const there = applyActions([], actions, SIZE);
  expect(there.map((mask) => [mask.id, mask.label, [...mask.runs.edges]])).toEqual([["b", "cup", [...b.runs.edges]]]);
  const followed = new Map<string, Known>();
  followActions(followed, actions);
  expect(followed.get("b")?.version).toBe(known.get("b")?.version);
  expect(followed.get("a")?.isGone).toBe(true);
});

import { expect, test } from "vitest";

import { EMPTY_HISTORY, type History, nextRedo, nextUndo, record, redo, undo } from "../src/history";
import { duplicateSelected, mergeSelected, remove, select, selectNext, stroke } from "../src/mask";
import { addClick, cancelDraft } from "../src/prompt";
import type { Mask, State } from "../src/state";
import { draw, maskOf, seeded, stateOf } from "./drawing";

const SIZE = [40, 60] as const;

/** A random action, as a person may do it. */
function act(state: State, random: () => number, serial: number): State {
  const stamp = { id: `m${serial}`, nowMs: serial, activeMs: 1 };
  const here = [random() * 60, random() * 40] as const;
  switch (Math.floor(random() * 7)) {
    case 0:
      return stroke(state, [here, [random() * 60, random() * 40]], "brush", stamp);
    case 1:
      return stroke(state, [here], "eraser", stamp);
    case 2:
      return addClick(state, { xy: here, isForeground: random() < 0.5 }, serial);
    case 3:
      return cancelDraft(state);
    case 4:
      return duplicateSelected(state, stamp, () => `copy${serial}`);
    case 5:
      return random() < 0.3 ? remove(state, state.selected) : selectNext(state, 1);
    default:
      return mergeSelected(selectNext(select(state, state.work.masks[0]?.id ?? null), 1), stamp);
  }
}

const picture = (state: State): unknown => ({
  masks: state.work.masks.map((mask: Mask) => [mask.id, [...mask.runs.edges], mask.colour]),
  draft: state.work.draft,
});

test("hundreds of random actions are undone to the start and redone to the end", () => {
  const random = seeded(3);
  let state = stateOf(SIZE);
  let history: History = EMPTY_HISTORY;
  const seen = [picture(state)];
  for (let serial = 1; serial <= 400; serial += 1) {
    const next = act(state, random, serial);
    const longer = record(history, "act", state, next);
    if (longer !== history) seen.push(picture(next));
    [history, state] = [longer, next];
  }
  expect(seen.length).toBeGreaterThan(200);
  for (let i = seen.length - 1; i >= 0; i -= 1) {
    expect(picture(state)).toEqual(seen[i]);
    [history, state] = undo(history, state);
  }
  expect(nextUndo(history)).toBeNull();
  for (const due of seen.slice(1)) {
    [history, state] = redo(history, state);
    expect(picture(state)).toEqual(due);
  }
  expect(nextRedo(history)).toBeNull();
});

test("a new action after an undo ends what could be redone", () => {
  const start = stateOf(SIZE);
  const one = stroke(start, [[5, 5]], "brush", { id: "a", nowMs: 1, activeMs: 1 });
  const [history, back] = undo(record(EMPTY_HISTORY, "Brush", start, one), one);
  expect(nextRedo(history)?.name).toBe("Brush");
  const other = stroke(back, [[20, 20]], "brush", { id: "b", nowMs: 2, activeMs: 1 });
  expect(nextRedo(record(history, "Brush", back, other))).toBeNull();
});

test("what changes no work is no step", () => {
  const state = stateOf(SIZE, maskOf("a", draw("#")));
  expect(record(EMPTY_HISTORY, "Select", state, select(state, "a"))).toBe(EMPTY_HISTORY);
});

test("undo brings a deleted mask back to its place", () => {
  const state = stateOf(SIZE, maskOf("a", draw("#")), maskOf("b", draw("#")), maskOf("c", draw("#")));
  const gone = remove(state, ["b"]);
  const [, back] = undo(record(EMPTY_HISTORY, "Delete", state, gone), gone);
  expect(back.work.masks.map((mask) => mask.id)).toEqual(["a", "b", "c"]);
});

test("undo with nothing done changes nothing", () => {
  const state = stateOf(SIZE);
  expect(undo(EMPTY_HISTORY, state)).toEqual([EMPTY_HISTORY, state]);
  expect(redo(EMPTY_HISTORY, state)).toEqual([EMPTY_HISTORY, state]);
});

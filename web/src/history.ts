/**
 * Undo and redo without end: what each action changed, never a copy of everything.
 *
 * The answer to a draft is not kept: the decoder gives the same one again.
 */

import type { Draft, Mask, State, Work } from "./state";

/** One mask before and after; null where it did not exist. */
export interface MaskChange {
  readonly before: Mask | null;
  readonly after: Mask | null;
  /** Its place among all masks, before if it was there, else after. */
  readonly index: number;
}

/** One action of a person. */
export interface Step {
  /** For the person: "Undo brush stroke". */
  readonly name: string;
  readonly masks: readonly MaskChange[];
  readonly draftBefore: Draft;
  readonly draftAfter: Draft;
  readonly selectedBefore: readonly string[];
  readonly selectedAfter: readonly string[];
}

export interface History {
  readonly past: Chain | null;
  readonly future: Chain | null;
}

/** A stack that shares its tail, so that remembering one more step copies none. */
interface Chain {
  readonly step: Step;
  readonly rest: Chain | null;
}

export const EMPTY_HISTORY: History = { past: null, future: null };

/** What changed from one list of masks to the other, in the order of their places. */
export function maskChanges(before: readonly Mask[], after: readonly Mask[]): MaskChange[] {
  if (before === after) return [];
  const [was, is] = [byId(before), byId(after)];
  const gone = before.flatMap((mask, index) => (is.has(mask.id) ? [] : [{ before: mask, after: null, index }]));
  const rest = after.flatMap((mask, index): MaskChange[] => {
    const old = was.get(mask.id);
    return old === mask ? [] : [{ before: old ?? null, after: mask, index }];
  });
  return [...gone, ...rest];
}

function byId(masks: readonly Mask[]): Map<string, Mask> {
  return new Map(masks.map((mask) => [mask.id, mask]));
}

/** The history after an action that led from `before` to `after`; unchanged when no work was done. */
export function record(history: History, name: string, before: State, after: State): History {
  if (before.work === after.work) return history;
  const step: Step = {
    name,
    masks: maskChanges(before.work.masks, after.work.masks),
    draftBefore: before.work.draft,
    draftAfter: after.work.draft,
    selectedBefore: before.selected,
    selectedAfter: after.selected,
  };
  if (step.masks.length === 0 && step.draftBefore === step.draftAfter) return history;
  return { past: { step, rest: history.past }, future: null };
}

export const nextUndo = (history: History): Step | null => history.past?.step ?? null;
export const nextRedo = (history: History): Step | null => history.future?.step ?? null;

/** Before the last action. */
export function undo(history: History, state: State): [History, State] {
  if (history.past === null) return [history, state];
  const { step, rest } = history.past;
  const work: Work = { masks: revert(state.work.masks, step), draft: step.draftBefore };
  return [{ past: rest, future: { step, rest: history.future } }, arrive(state, work, step.selectedBefore)];
}

/** After the action that was undone last. */
export function redo(history: History, state: State): [History, State] {
  if (history.future === null) return [history, state];
  const { step, rest } = history.future;
  const work: Work = { masks: repeat(state.work.masks, step), draft: step.draftAfter };
  return [{ past: { step, rest: history.past }, future: rest }, arrive(state, work, step.selectedAfter)];
}

function arrive(state: State, work: Work, selected: readonly string[]): State {
  // The same prompt has the same answer; another has to be asked for.
  const answer = work.draft.prompt === state.work.draft.prompt ? state.answer : null;
  return { ...state, work, answer, preview: null, selected, polygon: [], rubberBand: null };
}

function revert(masks: readonly Mask[], step: Step): readonly Mask[] {
  const next = masks.filter((mask) => !step.masks.some((c) => c.before === null && c.after?.id === mask.id));
  for (const change of step.masks) {
    if (change.before !== null && change.after !== null) put(next, change.before);
  }
  for (const change of step.masks) {
    if (change.before !== null && change.after === null) next.splice(change.index, 0, change.before);
  }
  return next;
}

function repeat(masks: readonly Mask[], step: Step): readonly Mask[] {
  const next = masks.filter((mask) => !step.masks.some((c) => c.after === null && c.before?.id === mask.id));
  for (const change of step.masks) {
    if (change.after === null) continue;
    if (change.before === null) next.splice(change.index, 0, change.after);
    else put(next, change.after);
  }
  return next;
}

function put(masks: Mask[], mask: Mask): void {
  const at = masks.findIndex((other) => other.id === mask.id);
  if (at >= 0) masks[at] = mask;
}

/** Transitions of proposed masks: accepted as they are, fixed, or dropped; and on to the next one. */

import { withMasks } from "./mask";
import { EMPTY_DRAFT, type Mask, type State } from "./state";

/** Those on which nobody has decided, in the order in which they were proposed. */
export function proposedMasks(state: State): readonly Mask[] {
  return state.work.masks.filter((mask) => mask.isProposed);
}

/** The proposed masks among the selected. */
export function chosenProposals(state: State): readonly string[] {
  return proposedMasks(state)
    .filter((mask) => state.selected.includes(mask.id))
    .map((mask) => mask.id);
}

/** The proposal after (1) or before (-1) the selected mask, and around again; unchanged when there is none. */
export function selectProposal(state: State, step: 1 | -1): State {
  const { masks } = state.work;
  const last = state.selected[state.selected.length - 1];
  const from = masks.findIndex((mask) => mask.id === last);
  const start = from < 0 && step < 0 ? 0 : from;
  for (let way = 1; way <= masks.length; way += 1) {
    const mask = masks[(((start + step * way) % masks.length) + masks.length) % masks.length];
    if (mask?.isProposed === true) return { ...state, selected: [mask.id] };
  }
  return state;
}

/** What the next decision is about, once `ids` are decided: the proposal after them. */
function goOn(before: State, after: State, ids: readonly string[]): State {
  const rest = { ...before, selected: ids.slice(-1) };
  const next = selectProposal({ ...rest, work: { ...rest.work, masks: settled(rest, ids) } }, 1).selected;
  const isOther = next.length > 0 && !ids.includes(next[0] ?? "");
  return { ...after, selected: isOther ? next : after.selected.filter((id) => !ids.includes(id)) };
}

function settled(state: State, ids: readonly string[]): readonly Mask[] {
  return state.work.masks.map((mask) => (ids.includes(mask.id) ? { ...mask, isProposed: false } : mask));
}

const withoutFix = (state: State, ids: readonly string[]): State =>
  state.work.draft.fixes !== null && ids.includes(state.work.draft.fixes)
    ? { ...state, work: { ...state.work, draft: EMPTY_DRAFT }, answer: null }
    : state;

/** Proposals among `ids` taken as they are; the next one is selected. */
export function acceptProposals(state: State, ids: readonly string[]): State {
  const meant = proposedMasks(state).map((mask) => mask.id).filter((id) => ids.includes(id));
  if (meant.length === 0) return state;
  const accepted = withMasks(state, settled(state, meant));
  return withoutFix(goOn(state, accepted, meant), meant);
}

/** Proposals among `ids` gone; the next one is selected. */
export function dropProposals(state: State, ids: readonly string[]): State {
  const meant = proposedMasks(state).map((mask) => mask.id).filter((id) => ids.includes(id));
  if (meant.length === 0) return state;
  const rest = withMasks(state, state.work.masks.filter((mask) => !meant.includes(mask.id)));
  return withoutFix(goOn(state, rest, meant), meant);
}

/** Proposal `id` becomes the object in progress: its box is asked again, and clicks and paint go on from the answer. */
export function fixProposal(state: State, id: string, nowMs: number): State {
  const mask = proposedMasks(state).find((one) => one.id === id);
  if (mask === undefined || state.work.draft.fixes === id) return state;
  const asked = mask.provenance.prompts.find((prompt) => prompt.box !== null)?.box ?? mask.box;
  const draft = { ...EMPTY_DRAFT, prompt: { clicks: [], box: asked }, startedMs: nowMs, fixes: id };
  const tool = state.tool === "select" ? "click" : state.tool;
  const cleared = { answer: null, preview: null, polygon: [], rubberBand: null };
  return { ...state, ...cleared, tool, work: { ...state.work, draft }, selected: [id] };
}

/** Masks to draw: all but the proposal that is being fixed, in whose place the object in progress is seen. */
export function shownMasks({ masks, draft }: State["work"]): readonly Mask[] {
  return draft.fixes === null ? masks : masks.filter((mask) => mask.id !== draft.fixes);
}

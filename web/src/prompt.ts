/** Transitions of the object in progress: clicks, box, the model's answer, and which of its masks is meant. */

import { boxOf } from "./runs";
import {
  type Answer,
  type Box,
  type Candidate,
  type Click,
  type Draft,
  EMPTY_DRAFT,
  isDraftEmpty,
  type Mask,
  type Prompt,
  type State,
} from "./state";

/** A time and an identifier from outside, so that transitions stay pure. */
export interface Stamp {
  readonly id: string;
  readonly nowMs: number;
  /** Working time since the last stamp, longer pauses left out, in milliseconds. */
  readonly activeMs: number;
}

/** Boxes with a side below this are slips of the hand. */
const SMALLEST_BOX_PX = 2;

function withDraft(state: State, draft: Draft): State {
  return { ...state, work: { ...state.work, draft }, answer: null, preview: null };
}

function withPrompt(state: State, prompt: Prompt, nowMs: number): State {
  const { draft } = state.work;
  const before = isDraftEmpty(draft) ? null : draft;
  // A pick is of one answer: the next answer is to other words.
  return withDraft(state, { ...draft, prompt, before, picked: null, startedMs: draft.startedMs ?? nowMs });
}

export function addClick(state: State, click: Click, nowMs: number): State {
  const { prompt } = state.work.draft;
  return withPrompt(state, { ...prompt, clicks: [...prompt.clicks, click] }, nowMs);
}

/** The box of the object, in place of one given before; a box too small to mean anything changes nothing. */
export function setBox(state: State, box: Box, nowMs: number): State {
  if (box[2] - box[0] < SMALLEST_BOX_PX || box[3] - box[1] < SMALLEST_BOX_PX) return { ...state, rubberBand: null };
  return withPrompt({ ...state, rubberBand: null }, { ...state.work.draft.prompt, box }, nowMs);
}

/** Nothing said about the object in progress. */
export function cancelDraft(state: State): State {
  return withDraft(state, EMPTY_DRAFT);
}

/** The model's answer to `prompt`; one to a prompt that is no longer asked changes nothing. */
export function receiveAnswer(state: State, prompt: Prompt, answer: Answer): State {
  return state.work.draft.prompt === prompt ? { ...state, answer } : state;
}

/** Candidate `index` (0 the largest) is meant. */
export function pick(state: State, index: number): State {
  if (state.answer === null || index < 0 || index >= state.answer.candidates.length) return state;
  return { ...state, work: { ...state.work, draft: { ...state.work.draft, picked: index } } };
}

export function pickedIndex(state: State): number {
  return state.work.draft.picked ?? state.answer?.best ?? 0;
}

/** The mask that would be kept now. */
export function pickedCandidate(state: State): Candidate | null {
  return state.answer?.candidates[pickedIndex(state)] ?? null;
}

/** What each candidate of an answer is called, from the largest to the smallest. */
export function candidateNames(count: number): readonly string[] {
  return count === 3 ? ["Whole", "Part", "Sub-part"] : Array.from({ length: count }, (_, i) => `Mask ${i + 1}`);
}

/** All prompts of a draft, in order. */
export function promptsOf(draft: Draft): readonly Prompt[] {
  return draft.before === null ? [draft.prompt] : [...promptsOf(draft.before), draft.prompt];
}

/** The object in progress kept as a mask: a new one, or the proposed one that it fixes. */
export function acceptDraft(state: State, stamp: Stamp): State {
  const chosen = pickedCandidate(state);
  const { draft, masks } = state.work;
  if (chosen === null || isDraftEmpty(draft) || chosen.areaPx === 0) return state;
  const fixed = masks.find((mask) => mask.id === draft.fixes) ?? null;
  const mask = maskOfDraft(state, chosen, fixed, stamp);
  // The tool stays armed: the next click begins the next object.
  return {
    ...state,
    work: {
      masks: fixed === null ? [...masks, mask] : masks.map((other) => (other === fixed ? mask : other)),
      draft: EMPTY_DRAFT,
    },
    answer: null,
    preview: null,
    selected: [mask.id],
  };
}

function maskOfDraft(state: State, chosen: Candidate, fixed: Mask | null, stamp: Stamp): Mask {
  const { draft, masks } = state.work;
  // The box of a fix is the detector's; what the person added are clicks.
  const isClicked = draft.prompt.box === null || (fixed !== null && draft.prompt.clicks.length > 0);
  return {
    id: fixed?.id ?? stamp.id,
    runs: chosen.runs,
    box: boxOf(chosen.runs),
    areaPx: chosen.areaPx,
    label: fixed?.label ?? "",
    colour: fixed?.colour ?? nextColour(masks),
    isVisible: true,
    isProposed: false,
    provenance: {
      tools: [...(fixed?.provenance.tools ?? []), isClicked ? "click" : "box"],
      prompts: promptsOf(draft),
      modelSha256: state.answer?.modelSha256 ?? null,
      candidates: (state.answer?.candidates ?? []).map((candidate) => ({
        predictedIou: candidate.predictedIou,
        isChosen: candidate === chosen,
      })),
      predictedIou: chosen.predictedIou,
      decodedOn: state.answer?.decodedOn ?? null,
      firstAnswer: state.answer?.first ?? null,
      startedMs: draft.startedMs ?? stamp.nowMs,
      finishedMs: stamp.nowMs,
      activeMs: (fixed?.provenance.activeMs ?? 0) + stamp.activeMs,
    },
  };
}

/** The colour after the last one used. */
export function nextColour(masks: readonly Mask[]): number {
  return masks.reduce((last, mask) => Math.max(last, mask.colour), -1) + 1;
}

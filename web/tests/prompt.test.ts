import { expect, test } from "vitest";

import {
  acceptDraft,
  addClick,
  cancelDraft,
  candidateNames,
  nextColour,
  pick,
  pickedCandidate,
  pickedIndex,
  promptsOf,
  receiveAnswer,
  setBox,
} from "../src/prompt";
import { areaPx } from "../src/runs";
import type { Answer, State } from "../src/state";
import { draw, maskOf, STAMP, stateOf } from "./drawing";

const WHOLE = draw("####", "####", "....");
const PART = draw("##..", "##..", "....");
const SUB_PART = draw("#...", "....", "....");

const ANSWER: Answer = {
  candidates: [WHOLE, PART, SUB_PART].map((runs, i) => ({ runs, areaPx: areaPx(runs), predictedIou: [0.7, 0.9, 0.5][i] ?? 0 })),
  best: 1,
  first: PART,
  modelSha256: "a".repeat(64),
  decodedOn: "browser",
};

function clicked(): State {
  const state = addClick(stateOf([3, 4]), { xy: [0, 0], isForeground: true }, 1000);
  return receiveAnswer(state, state.work.draft.prompt, ANSWER);
}

test("a click begins an object, and the model's choice is shown until a person picks", () => {
  const state = clicked();
  expect(state.work.draft.startedMs).toBe(1000);
  expect(pickedIndex(state)).toBe(1);
  expect(pickedCandidate(pick(state, 0))?.runs).toBe(WHOLE);
  expect(pick(state, 3)).toBe(state);
});

test("an answer to another prompt changes nothing", () => {
  const first = addClick(stateOf([3, 4]), { xy: [0, 0], isForeground: true }, 1000);
  const second = addClick(first, { xy: [1, 0], isForeground: false }, 2000);
  expect(receiveAnswer(second, first.work.draft.prompt, ANSWER)).toBe(second);
});

test("the next click asks anew, and remembers what was picked before it", () => {
  const state = addClick(pick(clicked(), 2), { xy: [3, 1], isForeground: false }, 2000);
  expect(state.answer).toBeNull();
  expect(state.work.draft.picked).toBeNull();
  expect(state.work.draft.before?.picked).toBe(2);
  expect(state.work.draft.startedMs).toBe(1000);
  expect(promptsOf(state.work.draft).map((prompt) => prompt.clicks.length)).toEqual([1, 2]);
});

test("a box joins clicks, one too small is a slip", () => {
  const state = clicked();
  expect(setBox(state, [0, 0, 1, 5], 2000).work).toBe(state.work);
  const boxed = setBox(state, [0, 0, 3, 3], 2000);
  expect(boxed.work.draft.prompt).toEqual({ clicks: state.work.draft.prompt.clicks, box: [0, 0, 3, 3] });
});

test("a kept object is a mask with all that led to it, and the tool stays armed", () => {
  const state = acceptDraft(pick(clicked(), 0), STAMP);
  const [mask] = state.work.masks;
  expect(mask?.runs).toBe(WHOLE);
  expect(mask?.box).toEqual([0, 0, 4, 2]);
  expect(mask?.provenance).toMatchObject({
    tools: ["click"],
    firstAnswer: PART,
    predictedIou: 0.7,
    decodedOn: "browser",
    startedMs: 1000,
    finishedMs: STAMP.nowMs,
    activeMs: STAMP.activeMs,
  });
  expect(mask?.provenance.candidates.map(({ isChosen }) => isChosen)).toEqual([true, false, false]);
  expect(state.tool).toBe("click");
  expect(state.work.draft.prompt.clicks).toHaveLength(0);
});

test("nothing is kept before the answer is there", () => {
  const state = addClick(stateOf([3, 4]), { xy: [0, 0], isForeground: true }, 1000);
  expect(acceptDraft(state, STAMP)).toBe(state);
});

test("dropping an object leaves the masks alone", () => {
  const state = cancelDraft(clicked());
  expect(state.work.draft.startedMs).toBeNull();
  expect(state.answer).toBeNull();
});

test("three candidates are whole, part and sub-part", () => {
  expect(candidateNames(3)).toEqual(["Whole", "Part", "Sub-part"]);
  expect(candidateNames(1)).toHaveLength(1);
});

test("each mask has the colour after the last", () => {
  expect(nextColour([])).toBe(0);
  expect(nextColour([maskOf("a", PART, { colour: 4 })])).toBe(5);
});

/** One mask to rate: what keys mean, how it is shown, and how long a person looked. */

import { Activity } from "./activity";
import { OUTSIDE } from "./palette";
import { areaPx, boxOf, subtract } from "./runs";
import { defaults, EMPTY_DRAFT, type Look, type Mask, type Picture, type Prompt, type Runs, type State } from "./state";

/** Ways of looking at a mask; each shows another kind of mistake. */
export const VIEWS = {
  fill: { title: "Mask", key: "M" },
  outline: { title: "Outline", key: "O" },
  cut: { title: "Cut out", key: "C" },
  hidden: { title: "Picture", key: "H" },
} as const satisfies Record<string, { title: string; key: string }>;
export type View = keyof typeof VIEWS;

/** What ratings stand for, from worst to best. */
export const GRADES = [
  { from: 1, to: 1, title: "no thing" },
  { from: 2, to: 4, title: "badly wrong" },
  { from: 5, to: 6, title: "clear mistakes" },
  { from: 7, to: 9, title: "small slips" },
  { from: 10, to: 10, title: "nothing wrong" },
] as const;
export const SCORES: readonly number[] = Array.from({ length: 10 }, (_, i) => i + 1);

/** The rating of a key: 1 to 9 as they are, 0 for 10; null for any other. */
export function scoreOf(combo: string): number | null {
  if (!/^[0-9]$/.test(combo)) return null;
  return combo === "0" ? 10 : Number(combo);
}

/** The key of a rating. */
export const keyOf = (score: number): string => (score === 10 ? "0" : String(score));

/** The view of a key; a second press of the same goes back to the mask. */
export function viewOf(combo: string, now: View): View | null {
  const found = (Object.keys(VIEWS) as View[]).find((view) => VIEWS[view].key === combo);
  if (found === undefined) return null;
  return found === now ? "fill" : found;
}

/** A pink that few things have. */
const COLOUR = 1;

const LOOKS: Record<View, Partial<Look>> = {
  fill: { opacity: 0.45 },
  outline: { isOutlineOnly: true },
  cut: { opacity: 0.92 },
  hidden: { areMasksHidden: true },
};

/** The look of a view. */
export const lookOf = (view: View): Look => ({ ...defaults().look, ...LOOKS[view] });

/** All that `runs` leaves out. */
export function complement(runs: Runs): Runs {
  return subtract({ sizeHw: runs.sizeHw, edges: Uint32Array.of(0) }, runs);
}

/** What is painted for a mask in this view: the mask, or in `cut` everything around it. */
export function layersOf(runs: Runs, view: View): readonly Mask[] {
  const shown = view === "cut" ? complement(runs) : runs;
  return [
    {
      id: view,
      runs: shown,
      box: boxOf(shown),
      areaPx: areaPx(shown),
      label: "",
      colour: view === "cut" ? OUTSIDE : COLOUR,
      isVisible: true,
      isProposed: false,
      provenance: NO_ONE,
    },
  ];
}

const NO_ONE = {
  tools: [],
  prompts: [],
  modelSha256: null,
  candidates: [],
  predictedIou: null,
  decodedOn: null,
  firstAnswer: null,
  startedMs: 0,
  finishedMs: 0,
  activeMs: 0,
} as const;

/** The state that a renderer draws: the picture, some masks, and the prompt's marks. */
export function stateOf(picture: Picture, masks: readonly Mask[], look: Look, prompt: Prompt | null): State {
  const draft = prompt === null ? EMPTY_DRAFT : { ...EMPTY_DRAFT, prompt };
  return { ...defaults(), picture, look, work: { masks, draft } };
}

/** How long a person looked at one mask: pauses longer than `idleMs` and time in another window are left out. */
export class Watch {
  private activity: Activity;
  private beforeMs = 0;

  constructor(private readonly idleMs: number, nowMs: number) {
    this.activity = this.begin(nowMs);
  }

  /** The person did something. */
  touch(nowMs: number): void {
    this.activity.touch(nowMs);
  }

  /** The page is no longer seen. */
  hide(nowMs: number): void {
    this.beforeMs = this.read(nowMs);
    this.activity = new Activity(this.idleMs);
  }

  /** It is seen again. */
  show(nowMs: number): void {
    this.activity = this.begin(nowMs);
  }

  /** Milliseconds so far. */
  read(nowMs: number): number {
    return this.beforeMs + this.activity.since(nowMs);
  }

  private begin(nowMs: number): Activity {
    const activity = new Activity(this.idleMs);
    activity.touch(nowMs);
    return activity;
  }
}

/**
 * What the annotation tool knows, as one immutable value: types and `defaults()`, nothing else.
 *
 * Coordinates are *original* pixels (x to the right, y down) unless a name says `screen`; sizes are [height, width].
 */

/** (x, y). */
export type Point = readonly [number, number];
/** x0, y0, x1, y1; right and bottom edges exclusive. */
export type Box = readonly [number, number, number, number];
/** [height, width] in pixels. */
export type Size = readonly [number, number];

/** A mask as the sorted positions x * height + y where its value flips, background before the first. */
export interface Runs {
  readonly sizeHw: Size;
  readonly edges: Uint32Array;
}

export interface Click {
  /** Column and row of the clicked pixel. */
  readonly xy: Point;
  readonly isForeground: boolean;
}

/** What a person has said so far about one object. */
export interface Prompt {
  readonly clicks: readonly Click[];
  readonly box: Box | null;
}

/** One of the masks with which the model answers a prompt. */
export interface Candidate {
  readonly runs: Runs;
  readonly predictedIou: number;
  readonly areaPx: number;
}

/** The model's answer to the prompt of a draft, ordered from the largest mask to the smallest. */
export interface Answer {
  readonly candidates: readonly Candidate[];
  /** Index of the candidate of highest predicted IoU. */
  readonly best: number;
  /** The best mask of the model's answer to the first click or box of this object. */
  readonly first: Runs;
  readonly modelSha256: string;
  readonly decodedOn: "browser" | "server";
}

/** The object a person is working on: undone and redone like everything else. */
export interface Draft {
  readonly prompt: Prompt;
  /** The draft before the last click or box; its picked mask is part of what the model is asked. */
  readonly before: Draft | null;
  /** Candidate the person picked; null follows the model's own choice. */
  readonly picked: number | null;
  /** When work on this object began, in milliseconds since 1970; null before the first prompt. */
  readonly startedMs: number | null;
  /** The proposed mask that this object takes the place of; null for a new one. */
  readonly fixes: string | null;
}

/** What gave a mask its shape. */
export type MadeBy =
  | "click"
  | "box"
  | "hover"
  | "brush"
  | "eraser"
  | "polygon"
  | "fill_holes"
  | "remove_islands"
  | "merge"
  | "subtract"
  | "duplicate"
  | "import"
  | "everything"
  | "detector";

/** How a mask came to be. */
export interface Provenance {
  /** Everything that shaped it, in order; the last is how it got its present shape. */
  readonly tools: readonly MadeBy[];
  readonly prompts: readonly Prompt[];
  readonly modelSha256: string | null;
  /** What the model offered, and which of it was taken. */
  readonly candidates: readonly { readonly predictedIou: number; readonly isChosen: boolean }[];
  readonly predictedIou: number | null;
  readonly decodedOn: "browser" | "server" | null;
  /** The mask with which the model first answered, before any correction. */
  readonly firstAnswer: Runs | null;
  readonly startedMs: number;
  readonly finishedMs: number;
  /** Time spent on it without idle gaps, in milliseconds. */
  readonly activeMs: number;
}

export interface Mask {
  readonly id: string;
  readonly runs: Runs;
  readonly box: Box;
  readonly areaPx: number;
  readonly label: string;
  /** Index into the palette. */
  readonly colour: number;
  readonly isVisible: boolean;
  /** A model made it and nobody has said anything about it yet. */
  readonly isProposed: boolean;
  readonly provenance: Provenance;
}

export type Tool = "click" | "box" | "brush" | "eraser" | "polygon" | "select";

export interface Picture {
  readonly id: number;
  readonly name: string;
  readonly sizeHw: Size;
}

/** Where the picture lies on the screen: screen = picture * scale + (x, y), in CSS pixels. */
export interface Viewport {
  readonly scale: number;
  readonly x: number;
  readonly y: number;
  readonly screenHw: Size;
}

/** How masks are shown. */
export interface Look {
  /** Of the fill, 0 to 1. */
  readonly opacity: number;
  readonly isOutlineOnly: boolean;
  readonly areMasksHidden: boolean;
  /** While masks are selected, the others are not shown. */
  readonly isAlone: boolean;
  readonly isHoverOn: boolean;
  /** Proposed masks have a colour of their own and stripes. */
  readonly areProposalsApart: boolean;
}

/** What is undone and redone: masks in the order in which they were made, and the object in progress. */
export interface Work {
  readonly masks: readonly Mask[];
  readonly draft: Draft;
}

export interface State {
  readonly picture: Picture | null;
  readonly work: Work;
  /** The answer to `work.draft.prompt`; null while it is being computed. */
  readonly answer: Answer | null;
  /** The mask under the cursor, as the model sees it. */
  readonly preview: Candidate | null;
  /** Identifiers of the selected masks; the last one is edited. */
  readonly selected: readonly string[];
  readonly tool: Tool;
  /** What the left button adds with the click tool. */
  readonly isForeground: boolean;
  readonly brushPx: number;
  /** Corners of the polygon that is being drawn. */
  readonly polygon: readonly Point[];
  /** The box that is being drawn. */
  readonly rubberBand: Box | null;
  readonly cursor: Point | null;
  /** The cursor is moved by keys, and shown as a crosshair. */
  readonly hasCrosshair: boolean;
  readonly viewport: Viewport;
  readonly look: Look;
}

export const EMPTY_PROMPT: Prompt = { clicks: [], box: null };
export const EMPTY_DRAFT: Draft = { prompt: EMPTY_PROMPT, before: null, picked: null, startedMs: null, fixes: null };
export const EMPTY_WORK: Work = { masks: [], draft: EMPTY_DRAFT };

/** The state before a picture is open. */
export function defaults(): State {
  return {
    picture: null,
    work: EMPTY_WORK,
    answer: null,
    preview: null,
    selected: [],
    tool: "click",
    isForeground: true,
    brushPx: 15,
    polygon: [],
    rubberBand: null,
    cursor: null,
    hasCrosshair: false,
    viewport: { scale: 1, x: 0, y: 0, screenHw: [1, 1] },
    look: {
      opacity: 0.5,
      isOutlineOnly: false,
      areMasksHidden: false,
      isAlone: false,
      isHoverOn: true,
      areProposalsApart: true,
    },
  };
}

/** Whether a person has said anything about the object in progress. */
export function isDraftEmpty(draft: Draft): boolean {
  return draft.prompt.clicks.length === 0 && draft.prompt.box === null;
}

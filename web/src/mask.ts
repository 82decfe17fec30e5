/** Transitions of masks: strokes, polygons, holes, islands, merging, subtracting, selection, labels. */

import { fillHoles, polygonRuns, removeIslands, strokeRuns } from "./bitmap";
import { acceptDraft, cancelDraft, nextColour, type Stamp } from "./prompt";
import { areaPx, areEqual, boxOf, contains, subtract, union } from "./runs";
import type { MadeBy, Mask, Point, Provenance, Runs, State } from "./state";

/** So many of the tools that shaped a mask are remembered. */
const MOST_TOOLS = 200;

/** The mask that strokes and edits go to: the one selected last, if it can be seen. */
export function editedMask(state: State): Mask | null {
  const id = state.selected[state.selected.length - 1];
  return state.work.masks.find((mask) => mask.id === id && mask.isVisible) ?? null;
}

/** Selected masks in the order of their making. */
export function selectedMasks(state: State): readonly Mask[] {
  return state.work.masks.filter((mask) => state.selected.includes(mask.id));
}

export function withMasks(state: State, masks: readonly Mask[], selected = state.selected): State {
  const known = new Set(masks.map((mask) => mask.id));
  return { ...state, work: { ...state.work, masks }, selected: selected.filter((id) => known.has(id)) };
}

/** `mask` with another shape, made by `tool`. */
export function reshape(mask: Mask, runs: Runs, tool: MadeBy, stamp: Stamp): Mask {
  const provenance: Provenance = {
    ...mask.provenance,
    tools: [...mask.provenance.tools, tool].slice(-MOST_TOOLS),
    finishedMs: stamp.nowMs,
    activeMs: mask.provenance.activeMs + stamp.activeMs,
  };
  return { ...mask, runs, box: boxOf(runs), areaPx: areaPx(runs), isProposed: false, provenance };
}

function replace(state: State, mask: Mask): State {
  return withMasks(
    state,
    state.work.masks.map((other) => (other.id === mask.id ? mask : other)),
  );
}

/** A new mask drawn by hand. */
function create(state: State, runs: Runs, tool: MadeBy, stamp: Stamp): State {
  const mask: Mask = {
    id: stamp.id,
    runs,
    box: boxOf(runs),
    areaPx: areaPx(runs),
    label: "",
    colour: nextColour(state.work.masks),
    isVisible: true,
    isProposed: false,
    provenance: {
      tools: [tool],
      prompts: [],
      modelSha256: null,
      candidates: [],
      predictedIou: null,
      decodedOn: null,
      firstAnswer: null,
      startedMs: stamp.nowMs - stamp.activeMs,
      finishedMs: stamp.nowMs,
      activeMs: stamp.activeMs,
    },
  };
  return withMasks(state, [...state.work.masks, mask], [mask.id]);
}

/** `runs` added to (or taken from) the edited mask; with none selected, paint begins a new one. */
function apply(state: State, runs: Runs, isAdded: boolean, tool: MadeBy, stamp: Stamp): State {
  const mask = editedMask(state);
  if (mask === null) return isAdded && runs.edges.length > 0 ? create(state, runs, tool, stamp) : state;
  if (state.work.draft.fixes === mask.id) return apply(endFix(state, stamp), runs, isAdded, tool, stamp);
  const next = isAdded ? union(mask.runs, runs) : subtract(mask.runs, runs);
  if (areEqual(next, mask.runs)) return state;
  if (next.edges.length === 0) return remove(state, [mask.id]);
  return replace(state, reshape(mask, next, tool, stamp));
}

/** A fix by prompts ended, so that paint goes on from it: from its answer, or from the proposal when nothing was said. */
function endFix(state: State, stamp: Stamp): State {
  const isAnswered = state.work.draft.before !== null && state.answer !== null;
  const kept = isAnswered ? acceptDraft(state, stamp) : state;
  return kept.work.draft.fixes === null ? kept : cancelDraft(kept);
}

/** A stroke of the brush or the eraser through `points`. */
export function stroke(state: State, points: readonly Point[], tool: "brush" | "eraser", stamp: Stamp): State {
  if (state.picture === null || points.length === 0) return state;
  return apply(state, strokeRuns(points, state.brushPx, state.picture.sizeHw), tool === "brush", tool, stamp);
}

/** The polygon that is being drawn, closed: added to the edited mask or taken from it. */
export function closePolygon(state: State, isAdded: boolean, stamp: Stamp): State {
  const closed = { ...state, polygon: [] };
  if (state.picture === null || state.polygon.length < 3) return closed;
  return apply(closed, polygonRuns([state.polygon], state.picture.sizeHw), isAdded, "polygon", stamp);
}

type Rings = readonly (readonly Point[])[];

/** What changed from the polygons `before` to those `after`, done to the edited mask; its other pixels stay. */
export function reshapeToPolygons(state: State, before: Rings, after: Rings, stamp: Stamp): State {
  const mask = editedMask(state);
  if (mask === null || state.picture === null) return state;
  const { sizeHw } = state.picture;
  const [was, is] = [polygonRuns(before, sizeHw), polygonRuns(after, sizeHw)];
  const runs = union(subtract(mask.runs, subtract(was, is)), subtract(is, was));
  if (areEqual(runs, mask.runs)) return state;
  if (runs.edges.length === 0) return remove(state, [mask.id]);
  return replace(state, reshape(mask, runs, "polygon", stamp));
}

function reshapeSelected(state: State, change: (mask: Mask) => Runs, tool: MadeBy, stamp: Stamp): State {
  const chosen = new Set(selectedMasks(state));
  const masks = state.work.masks.map((mask) => {
    const runs = chosen.has(mask) ? change(mask) : mask.runs;
    return areEqual(runs, mask.runs) ? mask : reshape(mask, runs, tool, stamp);
  });
  return masks.some((mask, i) => mask !== state.work.masks[i]) ? withMasks(state, masks) : state;
}

export function fillSelectedHoles(state: State, stamp: Stamp): State {
  return reshapeSelected(state, (mask) => fillHoles(mask.runs, mask.box), "fill_holes", stamp);
}

export function removeSelectedIslands(state: State, stamp: Stamp): State {
  return reshapeSelected(state, (mask) => removeIslands(mask.runs, mask.box), "remove_islands", stamp);
}

/** All selected masks as one: the first of them grows, the others go. */
export function mergeSelected(state: State, stamp: Stamp): State {
  const [first, ...others] = selectedMasks(state);
  if (first === undefined || others.length === 0) return state;
  const runs = others.reduce((all, mask) => union(all, mask.runs), first.runs);
  const gone = new Set(others.map((mask) => mask.id));
  const merged = reshape(first, runs, "merge", stamp);
  const masks = state.work.masks.filter((mask) => !gone.has(mask.id)).map((mask) => (mask === first ? merged : mask));
  return withMasks(state, masks, [first.id]);
}

/** The mask selected first without what the others cover; the others stay as they are. */
export function subtractSelected(state: State, stamp: Stamp): State {
  const [id, ...rest] = state.selected;
  const first = state.work.masks.find((mask) => mask.id === id);
  const others = state.work.masks.filter((mask) => rest.includes(mask.id));
  if (first === undefined || others.length === 0) return state;
  const runs = others.reduce((left, mask) => subtract(left, mask.runs), first.runs);
  if (areEqual(runs, first.runs)) return state;
  if (runs.edges.length === 0) return remove(state, [first.id]);
  return replace(state, reshape(first, runs, "subtract", stamp));
}

/** A copy of every selected mask; `newId` names each. */
export function duplicateSelected(state: State, stamp: Stamp, newId: () => string): State {
  const colour = nextColour(state.work.masks);
  const copies = selectedMasks(state).map((mask, i) => ({
    ...reshape(mask, mask.runs, "duplicate", stamp),
    id: newId(),
    colour: colour + i,
  }));
  if (copies.length === 0) return state;
  return withMasks(
    state,
    [...state.work.masks, ...copies],
    copies.map((mask) => mask.id),
  );
}

export function remove(state: State, ids: readonly string[]): State {
  const masks = state.work.masks.filter((mask) => !ids.includes(mask.id));
  return masks.length === state.work.masks.length ? state : withMasks(state, masks);
}

export type Details = Partial<Pick<Mask, "label" | "colour" | "isVisible">>;

export function describe(state: State, id: string, details: Details): State {
  return withMasks(
    state,
    state.work.masks.map((mask) => (mask.id === id ? { ...mask, ...details } : mask)),
  );
}

/** `id` selected alone, or added to the selection and taken from it. */
export function select(state: State, id: string | null, isAdded = false): State {
  if (id === null) return isAdded ? state : { ...state, selected: [] };
  if (!isAdded) return { ...state, selected: [id] };
  const rest = state.selected.filter((other) => other !== id);
  return { ...state, selected: rest.length < state.selected.length ? rest : [...rest, id] };
}

/** Visible masks under `xy`, the smallest first: what lies inside another can be reached. */
export function masksAt(state: State, xy: Point): readonly Mask[] {
  return state.work.masks
    .filter((mask) => mask.isVisible && isInside(mask, xy) && contains(mask.runs, xy))
    .sort((a, b) => a.areaPx - b.areaPx);
}

function isInside({ box }: Mask, [x, y]: Point): boolean {
  return x >= box[0] && x < box[2] && y >= box[1] && y < box[3];
}

/** The mask under `xy` selected; at a second click the next larger one there, and around again. */
export function selectAt(state: State, xy: Point, isAdded = false): State {
  const here = masksAt(state, xy);
  const last = state.selected[state.selected.length - 1];
  const at = here.findIndex((mask) => mask.id === last);
  const next = isAdded ? here[0] : here[(at + 1) % Math.max(1, here.length)];
  return select(state, next?.id ?? null, isAdded);
}

/** The mask made after (1) or before (-1) the selected one. */
export function selectNext(state: State, step: 1 | -1): State {
  const { masks } = state.work;
  if (masks.length === 0) return state;
  const at = masks.findIndex((mask) => mask.id === state.selected[state.selected.length - 1]);
  const from = at < 0 && step < 0 ? 0 : at;
  return select(state, masks[(from + step + masks.length) % masks.length]?.id ?? null);
}

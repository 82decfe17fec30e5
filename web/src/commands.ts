/** What each command does to the tool; keys and buttons start the same ones. */

import type { Editor } from "./editor";
import {
  closePolygon,
  duplicateSelected,
  fillSelectedHoles,
  mergeSelected,
  remove,
  removeSelectedIslands,
  select,
  selectAt,
  selectNext,
  subtractSelected,
} from "./mask";
import { press } from "./pointer";
import { cancelDraft, pick, type Stamp } from "./prompt";
import { acceptProposals, chosenProposals, dropProposals, fixProposal, selectProposal } from "./proposals";
import type { Command } from "./shortcuts";
import { isDraftEmpty, type Look, type Point, type State, type Tool } from "./state";
import { clampToPicture, fit, toPicture, zoomAt, zoomTo } from "./viewport";

const ZOOM_STEP = 1.25;
const OPACITY_STEP = 0.1;
const [SMALLEST_BRUSH_PX, LARGEST_BRUSH_PX] = [1, 400];
/** Of an arrow key, in screen pixels, and with Shift. */
const [STEP_PX, LONG_STEP_PX] = [4, 40];

/** The object in progress kept, or the polygon closed. */
function accept(editor: Editor): void {
  const { state } = editor.getSnapshot();
  if (state.polygon.length > 0) editor.act("Polygon", (now, stamp) => closePolygon(now, true, stamp));
  else void editor.keepObject();
}

/** The innermost of what is going on dropped: polygon, object, selection. */
function cancel(editor: Editor): void {
  const { state } = editor.getSnapshot();
  if (state.polygon.length > 0) editor.see((now) => ({ ...now, polygon: [] }));
  else if (state.rubberBand !== null) editor.see((now) => ({ ...now, rubberBand: null }));
  else if (!isDraftEmpty(state.work.draft)) editor.act("Drop object", cancelDraft);
  else editor.see((now) => select(now, null));
}

export function chooseTool(editor: Editor, tool: Tool): void {
  editor.stopHover();
  editor.see((state) => ({ ...state, tool, polygon: [], rubberBand: null }));
}

function look(editor: Editor, change: (look: Look) => Partial<Look>): void {
  editor.see((state) => ({ ...state, look: { ...state.look, ...change(state.look) } }));
}

/** Begins with the selected masks alone in sight, where masks are looked at one after the other. */
export function showAlone(editor: Editor): void {
  look(editor, () => ({ isAlone: true }));
}

export function setOpacity(editor: Editor, opacity: number): void {
  look(editor, () => ({ opacity: Math.min(1, Math.max(0, opacity)) }));
}

export function setBrush(editor: Editor, sizePx: number): void {
  const brushPx = Math.min(LARGEST_BRUSH_PX, Math.max(SMALLEST_BRUSH_PX, Math.round(sizePx)));
  editor.see((state) => ({ ...state, brushPx }));
}

function stepBrush(editor: Editor, direction: 1 | -1): void {
  const { brushPx } = editor.getSnapshot().state;
  setBrush(editor, brushPx + direction * Math.max(1, Math.round(brushPx / 8)));
}

/** The cursor, or the middle of what is seen. */
function cursorOf(state: State): Point {
  const { screenHw } = state.viewport;
  return state.cursor ?? toPicture(state.viewport, [screenHw[1] / 2, screenHw[0] / 2]);
}

function moveCursor(editor: Editor, dx: number, dy: number, isLong: boolean): void {
  const step = isLong ? LONG_STEP_PX : STEP_PX;
  editor.see((state) => {
    if (state.picture === null) return state;
    const [x, y] = cursorOf(state);
    // Close up, a key moves by whole pixels of the picture.
    const pixels = Math.max(1, step / state.viewport.scale);
    const to = clampToPicture([x + dx * pixels, y + dy * pixels], state.picture.sizeHw);
    return { ...state, cursor: to, hasCrosshair: true };
  });
  const { state } = editor.getSnapshot();
  if (state.cursor !== null && (state.tool === "click" || state.tool === "box")) void editor.hover(state.cursor);
}

function pressHere(editor: Editor): void {
  const { state } = editor.getSnapshot();
  if (state.picture === null) return;
  const at = clampToPicture(cursorOf(state), state.picture.sizeHw);
  editor.see((now) => ({ ...now, cursor: at, hasCrosshair: true }));
  press(editor, at);
}

function zoom(editor: Editor, factor: number): void {
  editor.see((state) => {
    if (state.picture === null) return state;
    const { screenHw } = state.viewport;
    const middle: Point = [screenHw[1] / 2, screenHw[0] / 2];
    return { ...state, viewport: zoomAt(state.viewport, state.picture.sizeHw, middle, factor) };
  });
}

const onPicture =
  (change: (state: State, sizeHw: readonly [number, number]) => State) =>
  (state: State): State =>
    state.picture === null ? state : change(state, state.picture.sizeHw);

/** A decision on the selected proposal; with none selected the next one is, for nobody decides on what they did not see. */
function onProposal(editor: Editor, name: string, change: (state: State, stamp: Stamp) => State): void {
  editor.stopHover();
  if (chosenProposals(editor.getSnapshot().state).length > 0) editor.act(name, change);
  else editor.see((state) => selectProposal(state, 1));
}

type Doing = (editor: Editor, combo: string) => void;

const DOING: Partial<Record<Command, Doing>> = {
  "tool.click": (editor) => { chooseTool(editor, "click"); },
  "tool.box": (editor) => { chooseTool(editor, "box"); },
  "tool.brush": (editor) => { chooseTool(editor, "brush"); },
  "tool.eraser": (editor) => { chooseTool(editor, "eraser"); },
  "tool.polygon": (editor) => { chooseTool(editor, "polygon"); },
  "tool.select": (editor) => { chooseTool(editor, "select"); },
  "prompt.toggle": (editor) => { editor.see((state) => ({ ...state, isForeground: !state.isForeground })); },
  "prompt.here": pressHere,
  "prompt.pick1": (editor) => { editor.act("Pick", (state) => pick(state, 0)); },
  "prompt.pick2": (editor) => { editor.act("Pick", (state) => pick(state, 1)); },
  "prompt.pick3": (editor) => { editor.act("Pick", (state) => pick(state, 2)); },
  "prompt.accept": accept,
  "prompt.cancel": cancel,
  "edit.undo": (editor) => { editor.undo(); },
  "edit.redo": (editor) => { editor.redo(); },
  "edit.delete": (editor) => { editor.act("Delete", (state) => remove(state, state.selected)); },
  "edit.duplicate": (editor) => {
    editor.act("Duplicate", (state, stamp) => duplicateSelected(state, stamp, () => crypto.randomUUID()));
  },
  "edit.merge": (editor) => { editor.act("Merge", mergeSelected); },
  "edit.subtract": (editor) => { editor.act("Subtract", subtractSelected); },
  "edit.fillHoles": (editor) => { editor.act("Fill holes", fillSelectedHoles); },
  "edit.removeIslands": (editor) => { editor.act("Remove islands", removeSelectedIslands); },
  "proposed.accept": (editor) => {
    onProposal(editor, "Accept", (state) => acceptProposals(state, chosenProposals(state)));
  },
  "proposed.drop": (editor) => {
    onProposal(editor, "Drop proposal", (state) => dropProposals(state, chosenProposals(state)));
  },
  "proposed.fix": (editor) => {
    onProposal(editor, "Fix proposal", (state, { nowMs }) => {
      const [first] = chosenProposals(state).slice(-1);
      return first === undefined ? state : fixProposal(state, first, nowMs);
    });
  },
  "proposed.next": (editor) => { editor.see((state) => selectProposal(state, 1)); },
  "proposed.previous": (editor) => { editor.see((state) => selectProposal(state, -1)); },
  "brush.smaller": (editor) => { stepBrush(editor, -1); },
  "brush.larger": (editor) => { stepBrush(editor, 1); },
  "select.next": (editor) => { editor.see((state) => selectNext(state, 1)); },
  "select.previous": (editor) => { editor.see((state) => selectNext(state, -1)); },
  "select.cycle": (editor) => { editor.see((state) => selectAt(state, cursorOf(state))); },
  "select.all": (editor) => {
    editor.see((state) => ({ ...state, selected: state.work.masks.map((mask) => mask.id) }));
  },
  "view.fit": (editor) => {
    editor.see(onPicture((state, sizeHw) => ({ ...state, viewport: fit(sizeHw, state.viewport.screenHw) })));
  },
  "view.pixels": (editor) => {
    editor.see(onPicture((state, sizeHw) => ({ ...state, viewport: zoomTo(state.viewport, sizeHw, 1) })));
  },
  "view.in": (editor) => { zoom(editor, ZOOM_STEP); },
  "view.out": (editor) => { zoom(editor, 1 / ZOOM_STEP); },
  "view.hide": (editor) => { look(editor, ({ areMasksHidden }) => ({ areMasksHidden: !areMasksHidden })); },
  "view.outline": (editor) => { look(editor, ({ isOutlineOnly }) => ({ isOutlineOnly: !isOutlineOnly })); },
  "view.alone": (editor) => { look(editor, ({ isAlone }) => ({ isAlone: !isAlone })); },
  "view.hover": (editor) => {
    editor.stopHover();
    look(editor, ({ isHoverOn }) => ({ isHoverOn: !isHoverOn }));
  },
  "view.fainter": (editor) => { look(editor, ({ opacity }) => ({ opacity: Math.max(0, opacity - OPACITY_STEP) })); },
  "view.stronger": (editor) => { look(editor, ({ opacity }) => ({ opacity: Math.min(1, opacity + OPACITY_STEP) })); },
  "cursor.left": (editor, combo) => { moveCursor(editor, -1, 0, combo.startsWith("Shift")); },
  "cursor.right": (editor, combo) => { moveCursor(editor, 1, 0, combo.startsWith("Shift")); },
  "cursor.up": (editor, combo) => { moveCursor(editor, 0, -1, combo.startsWith("Shift")); },
  "cursor.down": (editor, combo) => { moveCursor(editor, 0, 1, combo.startsWith("Shift")); },
};

/** Does what the tool itself can do; false for what the page around it has to do. */
export function runCommand(editor: Editor, command: Command, combo = ""): boolean {
  const doing = DOING[command];
  doing?.(editor, combo);
  return doing !== undefined;
}

/** What pressing, dragging and letting go mean with each tool; no DOM in here. */

import type { Editor } from "./editor";
import { closePolygon, editedMask, reshapeToPolygons, selectAt, stroke } from "./mask";
import { simplify, trace } from "./outline";
import { addClick, setBox } from "./prompt";
import type { Box, Point, State } from "./state";
import { clampToPicture, panBy, toPicture, toScreen, zoomAt } from "./viewport";

/** A hand that moves less than this, in screen pixels, has clicked. */
const CLICK_PX = 5;
/** Corners and the first point of a polygon are caught within this, in screen pixels. */
const CATCH_PX = 9;
/** How far the corners' polygon may be from the mask, in picture pixels: less makes corners of a slanted edge's stairs. */
const CORNER_TOLERANCE_PX = 1.5;

export interface Press {
  /** Screen pixels of the canvas. */
  readonly screenXy: Point;
  readonly isRight: boolean;
  readonly isMiddle: boolean;
  readonly hasShift: boolean;
  readonly hasAlt: boolean;
}

type Corners = readonly (readonly Point[])[];
type Drag =
  | { readonly kind: "pan" | "box" | "click"; readonly from: Press }
  | { readonly kind: "paint"; readonly tool: "brush" | "eraser" }
  | { readonly kind: "corner"; readonly ring: number; readonly index: number; readonly before: Corners };

/** A click at `xy` with the tool at hand, as a key gives it. */
export function press(editor: Editor, xy: Point): void {
  const { state } = editor.getSnapshot();
  if (state.tool === "brush" || state.tool === "eraser") paint(editor, [xy], state.tool);
  else if (state.tool === "polygon") addCorner(editor, xy);
  else if (state.tool === "select") editor.see((now) => selectAt(now, xy));
  else if (state.tool === "box") boxCorner(editor, xy);
  else click(editor, xy, state.isForeground);
}

/** By keys a box is two corners: the first press is the one, the second the other. */
function boxCorner(editor: Editor, xy: Point): void {
  const { state } = editor.getSnapshot();
  const band = state.rubberBand;
  if (band === null) editor.see((now) => ({ ...now, rubberBand: [xy[0], xy[1], xy[0], xy[1]] }));
  else editor.act("Box", (now, { nowMs }) => setBox(now, boxBetween([band[0], band[1]], xy), nowMs));
}

function click(editor: Editor, xy: Point, isForeground: boolean): void {
  editor.stopHover();
  const pixel: Point = [Math.floor(xy[0]), Math.floor(xy[1])];
  editor.act("Click", (state, { nowMs }) => addClick(state, { xy: pixel, isForeground }, nowMs));
}

function paint(editor: Editor, points: readonly Point[], tool: "brush" | "eraser"): void {
  editor.act(tool === "brush" ? "Brush stroke" : "Eraser stroke", (state, stamp) => stroke(state, points, tool, stamp));
}

function addCorner(editor: Editor, xy: Point): void {
  editor.see((state) => ({ ...state, polygon: [...state.polygon, xy] }));
}

const boxBetween = (a: Point, b: Point): Box => [
  Math.min(a[0], b[0]),
  Math.min(a[1], b[1]),
  Math.max(a[0], b[0]),
  Math.max(a[1], b[1]),
];

const screenDistance = (state: State, a: Point, b: Point): number => {
  const [p, q] = [toScreen(state.viewport, a), toScreen(state.viewport, b)];
  return Math.hypot(p[0] - q[0], p[1] - q[1]);
};

export class Pointer {
  private drag: Drag | null = null;
  private last: Point = [0, 0];
  /** Way of the stroke that is being painted. */
  stroke: readonly Point[] = [];
  /** Corners of the edited mask, for the polygon tool. */
  corners: Corners = [];
  private cornersOf: { runs: unknown; isOn: boolean } = { runs: null, isOn: false };

  constructor(
    private readonly editor: Editor,
    private readonly onChange: () => void,
  ) {}

  private get state(): State {
    return this.editor.getSnapshot().state;
  }

  private at(screenXy: Point): Point {
    const { picture, viewport } = this.state;
    const xy = toPicture(viewport, screenXy);
    return picture === null ? xy : clampToPicture(xy, picture.sizeHw);
  }

  /** The corners that the polygon tool moves; none while a new polygon is being drawn. */
  refreshCorners(): void {
    const { state } = this;
    const mask = editedMask(state);
    const isOn = state.tool === "polygon" && state.polygon.length === 0 && mask !== null && this.drag === null;
    if (this.drag?.kind === "corner" || (this.cornersOf.runs === mask?.runs && this.cornersOf.isOn === isOn)) return;
    this.cornersOf = { runs: mask?.runs ?? null, isOn };
    this.corners = isOn
      ? trace(mask.runs, mask.box)
          .map((ring) => simplify(ring, CORNER_TOLERANCE_PX))
          .filter((ring) => ring.length >= 3)
      : [];
  }

  down(press: Press): void {
    const { state } = this;
    if (state.picture === null) return;
    this.editor.touch();
    this.last = press.screenXy;
    const xy = this.at(press.screenXy);
    this.drag = this.begin(press, xy);
    if (this.drag.kind === "paint") this.stroke = [xy];
    this.onChange();
  }

  private begin(press: Press, xy: Point): Drag {
    const { state } = this;
    if (press.isMiddle || press.hasAlt) return { kind: "pan", from: press };
    if (state.tool === "brush" || state.tool === "eraser") {
      const tool = press.isRight === (state.tool === "brush") ? "eraser" : "brush";
      return { kind: "paint", tool };
    }
    if (state.tool === "polygon" && !press.isRight) {
      const corner = this.cornerAt(xy);
      if (corner !== null) return { kind: "corner", ...corner, before: this.corners };
    }
    return { kind: "click", from: press };
  }

  private cornerAt(xy: Point): { ring: number; index: number } | null {
    for (const [ring, points] of this.corners.entries()) {
      const index = points.findIndex((point) => screenDistance(this.state, point, xy) <= CATCH_PX);
      if (index >= 0) return { ring, index };
    }
    return null;
  }

  move(screenXy: Point): void {
    const { state } = this;
    if (state.picture === null) return;
    const { sizeHw } = state.picture;
    const xy = this.at(screenXy);
    const [dx, dy] = [screenXy[0] - this.last[0], screenXy[1] - this.last[1]];
    this.last = screenXy;
    this.editor.see((now) => ({ ...now, cursor: xy, hasCrosshair: false }));
    const { drag } = this;
    if (drag === null) {
      if (state.tool === "click" || state.tool === "box") void this.editor.hover(xy);
      return;
    }
    this.editor.touch();
    if (drag.kind === "pan") this.editor.see((now) => ({ ...now, viewport: panBy(now.viewport, sizeHw, dx, dy) }));
    else if (drag.kind === "paint") this.stroke = [...this.stroke, xy];
    else if (drag.kind === "corner") this.moveCorner(drag, xy);
    else this.dragOn(drag, screenXy, xy);
    this.onChange();
  }

  /** A press that became a drag: a box with the prompt tools, moving the picture with the others. */
  private dragOn(drag: Extract<Drag, { from: Press }>, screenXy: Point, xy: Point): void {
    const { state } = this;
    const isPrompt = state.tool === "click" || state.tool === "box";
    if (drag.kind === "click") {
      const way = Math.hypot(screenXy[0] - drag.from.screenXy[0], screenXy[1] - drag.from.screenXy[1]);
      if (way < CLICK_PX) return;
      this.drag = { kind: isPrompt && !drag.from.isRight ? "box" : "pan", from: drag.from };
    }
    if (this.drag?.kind === "box") {
      this.editor.stopHover();
      this.editor.see((now) => ({ ...now, rubberBand: boxBetween(this.at(drag.from.screenXy), xy) }));
    }
  }

  private moveCorner(drag: Extract<Drag, { kind: "corner" }>, xy: Point): void {
    this.corners = this.corners.map((ring, i) =>
      i === drag.ring ? ring.map((point, j) => (j === drag.index ? xy : point)) : ring,
    );
  }

  up(screenXy: Point): void {
    const { drag, stroke: way } = this;
    this.drag = null;
    this.stroke = [];
    const xy = this.at(screenXy);
    if (drag?.kind === "paint") paint(this.editor, way, drag.tool);
    else if (drag?.kind === "corner") {
      const { corners } = this;
      this.editor.act("Move corner", (state, stamp) => reshapeToPolygons(state, drag.before, corners, stamp));
    } else if (drag?.kind === "box") {
      const box = boxBetween(this.at(drag.from.screenXy), xy);
      this.editor.act("Box", (state, { nowMs }) => setBox(state, box, nowMs));
    } else if (drag?.kind === "click") this.click(drag.from, xy);
    this.refreshCorners();
    this.onChange();
  }

  /** The hand slipped off: nothing is done. */
  cancel(): void {
    if (this.drag?.kind === "corner") this.corners = this.drag.before;
    this.drag = null;
    this.stroke = [];
    this.editor.see((state) => (state.rubberBand === null ? state : { ...state, rubberBand: null }));
    this.onChange();
  }

  private click(from: Press, xy: Point): void {
    const { state } = this;
    if (state.tool === "polygon") this.polygonClick(from, xy);
    else if (state.tool === "select") this.editor.see((now) => selectAt(now, xy, from.hasShift));
    else click(this.editor, xy, state.isForeground !== from.isRight);
  }

  /** A corner more, or the polygon closed at its first corner; the right button takes the last corner back. */
  private polygonClick(from: Press, xy: Point): void {
    const { polygon } = this.state;
    const [first] = polygon;
    if (from.isRight) this.editor.see((state) => ({ ...state, polygon: state.polygon.slice(0, -1) }));
    else if (first !== undefined && polygon.length >= 3 && screenDistance(this.state, first, xy) <= CATCH_PX) {
      this.editor.act("Polygon", (state, stamp) => closePolygon(state, !from.hasShift, stamp));
    } else addCorner(this.editor, xy);
  }

  wheel(screenXy: Point, dx: number, dy: number, isPan: boolean): void {
    const { picture } = this.state;
    if (picture === null) return;
    this.editor.see((state) => ({
      ...state,
      viewport: isPan
        ? panBy(state.viewport, picture.sizeHw, -dx, -dy)
        : zoomAt(state.viewport, picture.sizeHw, screenXy, Math.exp(-dy / 400)),
    }));
  }

  leave(): void {
    this.editor.stopHover();
    this.editor.see((state) => ({ ...state, cursor: null }));
  }
}

/** What moves with the hand, in screen pixels: clicks, boxes, corners, the stroke in progress, the brush. */

import { editedMask } from "./mask";
import type { Rgb } from "./palette";
import type { Box, Point, State, Viewport } from "./state";
import { toScreen } from "./viewport";

export const ACCENT: Rgb = [64, 156, 255];
export const WHITE: Rgb = [255, 255, 255];
const GOOD: Rgb = [52, 199, 89];
const BAD: Rgb = [255, 69, 58];
const BLACK: Rgb = [0, 0, 0];

/** What is drawn besides the state. */
export interface Scene {
  readonly state: State;
  /** Way of the stroke that is being painted. */
  readonly stroke: readonly Point[];
  /** Corners of the edited mask, when polygons are edited. */
  readonly corners: readonly (readonly Point[])[];
}

const css = ([red, green, blue]: Rgb, alpha = 1): string => `rgba(${red}, ${green}, ${blue}, ${alpha})`;

/** Clicks, boxes, corners, the stroke in progress and the brush: in screen pixels. */
export function drawMarks(context: CanvasRenderingContext2D, scene: Scene, dpr: number): void {
  const { state, stroke, corners } = scene;
  const { viewport, work } = state;
  context.setTransform(dpr, 0, 0, dpr, 0, 0);
  const box = state.rubberBand ?? work.draft.prompt.box;
  if (box !== null) drawBox(context, viewport, box);
  if (stroke.length > 0) drawStroke(context, state, stroke);
  if (state.polygon.length > 0) drawPolygon(context, viewport, [...state.polygon, ...(state.cursor === null ? [] : [state.cursor])]);
  for (const ring of corners) drawCorners(context, viewport, ring);
  for (const { xy, isForeground } of work.draft.prompt.clicks) {
    drawDot(context, toScreen(viewport, [xy[0] + 0.5, xy[1] + 0.5]), 6, isForeground ? GOOD : BAD);
  }
  if (state.hasCrosshair && state.cursor !== null) drawCrosshair(context, toScreen(viewport, state.cursor));
  if ((state.tool === "brush" || state.tool === "eraser") && state.cursor !== null) drawBrush(context, state, state.cursor);
}

function drawDot(context: CanvasRenderingContext2D, [x, y]: Point, radius: number, colour: Rgb): void {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fillStyle = css(colour);
  context.fill();
  context.lineWidth = 2;
  context.strokeStyle = "white";
  context.stroke();
}

function drawBox(context: CanvasRenderingContext2D, viewport: Viewport, box: Box): void {
  const [x0, y0] = toScreen(viewport, [box[0], box[1]]);
  const [x1, y1] = toScreen(viewport, [box[2], box[3]]);
  outlined(context, () => {
    context.rect(x0, y0, x1 - x0, y1 - y0);
  });
}

/** A line that is seen on any ground: dark and wide below, light and narrow above. */
function outlined(context: CanvasRenderingContext2D, path: () => void): void {
  for (const [colour, width] of [
    [BLACK, 3],
    [WHITE, 1.25],
  ] as const) {
    context.beginPath();
    path();
    context.lineWidth = width;
    context.strokeStyle = css(colour, colour === BLACK ? 0.6 : 1);
    context.stroke();
  }
}

function drawCrosshair(context: CanvasRenderingContext2D, [x, y]: Point): void {
  outlined(context, () => {
    for (const [dx, dy] of [
      [1, 0],
      [0, 1],
    ] as const) {
      for (const side of [-1, 1]) {
        context.moveTo(x + side * 4 * dx, y + side * 4 * dy);
        context.lineTo(x + side * 16 * dx, y + side * 16 * dy);
      }
    }
  });
}

function drawStroke(context: CanvasRenderingContext2D, state: State, stroke: readonly Point[]): void {
  const mask = editedMask(state);
  context.save();
  context.beginPath();
  for (const point of stroke) context.lineTo(...toScreen(state.viewport, point));
  const [first] = stroke;
  if (stroke.length === 1 && first !== undefined) context.lineTo(...toScreen(state.viewport, first));
  context.lineCap = context.lineJoin = "round";
  context.lineWidth = Math.max(1, state.brushPx * state.viewport.scale);
  context.strokeStyle = css(state.tool === "eraser" ? BAD : mask === null ? ACCENT : GOOD, 0.5);
  context.stroke();
  context.restore();
}

function drawBrush(context: CanvasRenderingContext2D, state: State, cursor: Point): void {
  const [x, y] = toScreen(state.viewport, cursor);
  outlined(context, () => {
    context.arc(x, y, Math.max(1, (state.brushPx * state.viewport.scale) / 2), 0, 2 * Math.PI);
  });
}

function drawPolygon(context: CanvasRenderingContext2D, viewport: Viewport, points: readonly Point[]): void {
  outlined(context, () => {
    for (const point of points) context.lineTo(...toScreen(viewport, point));
  });
  for (const point of points.slice(0, -1)) drawDot(context, toScreen(viewport, point), 4, ACCENT);
}

function drawCorners(context: CanvasRenderingContext2D, viewport: Viewport, ring: readonly Point[]): void {
  outlined(context, () => {
    for (const point of ring) context.lineTo(...toScreen(viewport, point));
    context.closePath();
  });
  for (const point of ring) drawDot(context, toScreen(viewport, point), 4, ACCENT);
}

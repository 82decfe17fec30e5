/** State to canvas: only reads. Masks are layers; what moves with the hand is drawn anew in every frame. */

import { boxOf } from "./runs";
import { inSight, MaskLayer } from "./layers";
import { ACCENT, drawMarks, type Scene, WHITE } from "./marks";
import { paintMasks, type Sheet, sheetBox } from "./paint";
import type { Rgb } from "./palette";
import { pickedCandidate } from "./prompt";
import { shownMasks } from "./proposals";
import type { Box, Mask, Runs, State, Viewport } from "./state";

/** Longest side of the copy of picture and masks that is shown while the view moves. */
const COARSE_PX = 2048;
/** The view counts as still after this. */
const SETTLE_MS = 90;
/** Pixels are shown as squares from this magnification on. */
const SQUARES_FROM = 2;

export class Renderer {
  private readonly coarse: MaskLayer;
  private readonly crisp: MaskLayer;
  private readonly overlay = document.createElement("canvas");
  private picture: ImageBitmap | null = null;
  private small: CanvasImageSource | null = null;
  private scene: Scene | null = null;
  private drawn: { readonly work: State["work"]; readonly masks: readonly Mask[] } | null = null;
  private isDue = false;
  private movedAt = -Infinity;
  private lastView: Viewport | null = null;
  /** Milliseconds that each of the last frames took, newest last. */
  readonly frameMs: number[] = [];

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly dpr: () => number = () => window.devicePixelRatio,
    outlinePx = 1,
  ) {
    this.coarse = new MaskLayer(outlinePx);
    this.crisp = new MaskLayer(outlinePx);
  }

  /** Shows `picture` from now on; null for none. */
  setPicture(picture: ImageBitmap | null): void {
    this.picture = picture;
    this.small = picture === null ? null : shrink(picture);
    this.lastView = null;
  }

  /** Shows `scene` in the next frame. */
  show(scene: Scene): void {
    if (scene.state.viewport !== this.lastView) {
      this.movedAt = performance.now();
      this.lastView = scene.state.viewport;
    }
    this.scene = scene;
    this.request();
  }

  private request(): void {
    if (this.isDue) return;
    this.isDue = true;
    requestAnimationFrame(() => {
      this.isDue = false;
      const start = performance.now();
      if (this.scene !== null) this.draw(this.scene, start);
      this.frameMs.push(performance.now() - start);
      if (this.frameMs.length > 600) this.frameMs.shift();
    });
  }

  private draw(scene: Scene, nowMs: number): void {
    const { viewport } = scene.state;
    const dpr = this.dpr();
    const [height, width] = viewport.screenHw.map((side) => Math.max(1, Math.round(side * dpr))) as [number, number];
    if (this.canvas.width !== width) this.canvas.width = width;
    if (this.canvas.height !== height) this.canvas.height = height;
    const context = this.canvas.getContext("2d");
    if (context === null) return;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    this.drawPicture(context, scene.state, dpr);
    this.drawMasks(context, scene.state, dpr, nowMs);
    this.drawMarked(context, scene, dpr);
    drawMarks(context, scene, dpr);
  }

  private drawPicture(context: CanvasRenderingContext2D, state: State, dpr: number): void {
    const { picture, viewport } = state;
    if (picture === null || this.picture === null || this.small === null) return;
    const scale = viewport.scale * dpr;
    const [h, w] = picture.sizeHw;
    const isSmallEnough = Math.max(h, w) * scale <= COARSE_PX;
    context.imageSmoothingEnabled = viewport.scale < SQUARES_FROM;
    context.drawImage(isSmallEnough ? this.small : this.picture, viewport.x * dpr, viewport.y * dpr, w * scale, h * scale);
  }

  private drawMasks(context: CanvasRenderingContext2D, state: State, dpr: number, nowMs: number): void {
    const { picture, viewport, look } = state;
    if (picture === null || look.areMasksHidden) return;
    const masks = inSight(this.masksOf(state.work), state);
    const [h, w] = picture.sizeHw;
    const scale = viewport.scale * dpr;
    const [x, y] = [-viewport.x / viewport.scale, -viewport.y / viewport.scale];
    const screenHw = [this.canvas.height, this.canvas.width] as const;
    const isStill = nowMs - this.movedAt >= SETTLE_MS;
    if (isStill || this.crisp.isAt(screenHw, x, y, scale)) {
      this.crisp.show(masks, look, screenHw, x, y, scale);
      context.drawImage(this.crisp.canvas, 0, 0);
      return;
    }
    const coarseScale = Math.min(1, COARSE_PX / Math.max(h, w));
    const coarseHw = [Math.ceil(h * coarseScale), Math.ceil(w * coarseScale)] as const;
    this.coarse.show(masks, look, coarseHw, 0, 0, coarseScale);
    const factor = scale / coarseScale;
    context.imageSmoothingEnabled = viewport.scale < SQUARES_FROM;
    context.drawImage(
      this.coarse.canvas,
      viewport.x * dpr,
      viewport.y * dpr,
      coarseHw[1] * factor,
      coarseHw[0] * factor,
    );
    window.setTimeout(() => {
      this.request();
    }, SETTLE_MS);
  }

  /** The masks to draw: the same list until something about them changes. */
  private masksOf(work: State["work"]): readonly Mask[] {
    const { drawn } = this;
    const isSame = drawn?.work.masks === work.masks && drawn.work.draft.fixes === work.draft.fixes;
    const masks = isSame ? drawn.masks : shownMasks(work);
    this.drawn = { work, masks };
    return masks;
  }

  /** The selected masks' outlines, the mask of the object in progress and the one under the cursor. */
  private drawMarked(context: CanvasRenderingContext2D, scene: Scene, dpr: number): void {
    const { state } = scene;
    const fill = state.look.opacity;
    if (!state.look.areMasksHidden) {
      for (const mask of this.masksOf(state.work)) {
        if (!state.selected.includes(mask.id) || !mask.isVisible) continue;
        this.paint(context, state.viewport, dpr, mask.runs, mask.box, [WHITE, 0, 2]);
      }
    }
    const chosen = pickedCandidate(state);
    if (chosen !== null) {
      this.paint(context, state.viewport, dpr, chosen.runs, boxOf(chosen.runs), [ACCENT, Math.max(0.35, fill), 2]);
    } else if (state.preview !== null) {
      const { runs } = state.preview;
      this.paint(context, state.viewport, dpr, runs, boxOf(runs), [ACCENT, 0.25, 1]);
    }
  }

  private paint(
    context: CanvasRenderingContext2D,
    viewport: Viewport,
    dpr: number,
    runs: Runs,
    box: Box,
    [colour, fillOpacity, outlinePx]: readonly [Rgb, number, number],
  ): void {
    const scale = viewport.scale * dpr;
    const place = { x: -viewport.x / viewport.scale, y: -viewport.y / viewport.scale, scale };
    const screen = sheetBox({ ...place, sizeHw: [this.canvas.height, this.canvas.width] }, box, outlinePx);
    const [width, height] = [screen[2] - screen[0], screen[3] - screen[1]];
    if (width <= 0 || height <= 0) return;
    const image = new ImageData(width, height);
    const sheet: Sheet = {
      sizeHw: [height, width],
      pixels: new Uint32Array(image.data.buffer),
      x: place.x + screen[0] / scale,
      y: place.y + screen[1] / scale,
      scale,
    };
    paintMasks(sheet, [{ runs, box, ink: { colour, fillOpacity, outlinePx } }]);
    if (this.overlay.width < width) this.overlay.width = width;
    if (this.overlay.height < height) this.overlay.height = height;
    this.overlay.getContext("2d")?.putImageData(image, 0, 0);
    context.drawImage(this.overlay, 0, 0, width, height, screen[0], screen[1], width, height);
  }
}

/** A copy of `picture` that is quick to draw whole. */
function shrink(picture: ImageBitmap): CanvasImageSource {
  const scale = COARSE_PX / Math.max(picture.width, picture.height);
  if (scale >= 1) return picture;
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(picture.width * scale);
  canvas.height = Math.round(picture.height * scale);
  const context = canvas.getContext("2d");
  if (context === null) return picture;
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return canvas;
}

/** Masks to coloured pixels at any scale, straight from run lengths: no array of the picture's size is made. */

import type { Rgb } from "./palette";
import type { Box, Runs, Size } from "./state";

/** Where a sheet of pixels lies over the picture. */
export interface Place {
  readonly sizeHw: Size;
  readonly x: number;
  readonly y: number;
  readonly scale: number;
}

/** Pixels to paint on; pixel (X, Y) shows the picture at (x + (X + 1/2) / scale, y + (Y + 1/2) / scale). */
export interface Sheet extends Place {
  /** One RGBA pixel each, little endian, row by row. */
  readonly pixels: Uint32Array;
}

export interface Ink {
  readonly colour: Rgb;
  /** 0 to 1; 0 for no fill. */
  readonly fillOpacity: number;
  /** Thickness in sheet pixels; 0 for no outline. */
  readonly outlinePx: number;
  /** Whether the fill is stripes, fainter between them. */
  readonly isHatched?: boolean;
}

const OPAQUE = 255;
/** Of a hatched fill, in sheet pixels: from stripe to stripe, and how wide one is. */
const [HATCH_PX, STRIPE_PX] = [9, 4];
/** How strong a hatched fill is between its stripes. */
const BETWEEN = 0.25;
/** Added before rounding down: sheets often lie at whole and half pixels, which must not fall to either side by chance. */
const OFF_GRID = 0.37;

function toPixel([red, green, blue]: Rgb, alpha: number): number {
  return ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/** The part of the sheet that `box` of the picture may touch, with `margin` pixels more, inside it. */
export function sheetBox(place: Place, box: Box, margin = 1): Box {
  const [height, width] = place.sizeHw;
  return [
    Math.max(0, Math.floor((box[0] - place.x) * place.scale) - margin),
    Math.max(0, Math.floor((box[1] - place.y) * place.scale) - margin),
    Math.min(width, Math.ceil((box[2] - place.x) * place.scale) + margin),
    Math.min(height, Math.ceil((box[3] - place.y) * place.scale) + margin),
  ];
}

/** Fills of all masks in order, then their outlines, so that no outline lies hidden. */
export function paintMasks(sheet: Sheet, masks: readonly { runs: Runs; box: Box; ink: Ink }[]): void {
  const outlines: { at: number[]; pixel: number }[] = [];
  for (const { runs, box, ink } of masks) {
    const at = paintMask(sheet, runs, box, ink);
    if (at.length > 0) outlines.push({ at, pixel: toPixel(ink.colour, OPAQUE) });
  }
  for (const { at, pixel } of outlines) for (const index of at) sheet.pixels[index] = pixel;
}

/** Paints the fill and returns where the outline goes. */
function paintMask(sheet: Sheet, runs: Runs, box: Box, ink: Ink): number[] {
  const window = sheetBox(sheet, box);
  const [width, height] = [window[2] - window[0], window[3] - window[1]];
  if (width <= 0 || height <= 0) return [];
  const bits = sample(sheet, runs, window);
  const fill = toPixel(ink.colour, Math.round(ink.fillOpacity * OPAQUE));
  const between = ink.isHatched === true ? toPixel(ink.colour, Math.round(ink.fillOpacity * BETWEEN * OPAQUE)) : fill;
  // Stripes lie still on the screen whatever part of it is painted anew.
  const phase = Math.floor(sheet.x * sheet.scale + OFF_GRID) + Math.floor(sheet.y * sheet.scale + OFF_GRID);
  const firstStripe = (((phase + window[0] + window[1]) % HATCH_PX) + HATCH_PX) % HATCH_PX;
  const outline: number[] = [];
  const sheetWidth = sheet.sizeHw[1];
  for (let column = 0; column < width; column += 1) {
    for (let row = 0; row < height; row += 1) {
      const at = column * height + row;
      if (bits[at] !== 1) continue;
      const index = (window[1] + row) * sheetWidth + window[0] + column;
      if (ink.fillOpacity > 0) sheet.pixels[index] = (firstStripe + column + row) % HATCH_PX < STRIPE_PX ? fill : between;
      if (ink.outlinePx > 0 && isEdge(bits, at, row, height, ink.outlinePx)) outline.push(index);
    }
  }
  return outline;
}

/** Whether background lies within `reach` pixels, straight up, down, left or right, in columns of `height`. */
function isEdge(bits: Uint8Array, at: number, row: number, height: number, reach: number): boolean {
  for (let step = 1; step <= reach; step += 1) {
    if (row >= step && bits[at - step] === 0) return true;
    if (row + step < height && bits[at + step] === 0) return true;
    if (bits[at - step * height] === 0 || bits[at + step * height] === 0) return true;
  }
  return false;
}

/** Which pixels of `window` show the mask, column by column. */
function sample(sheet: Sheet, runs: Runs, window: Box): Uint8Array {
  const height = window[3] - window[1];
  const bits = new Uint8Array((window[2] - window[0]) * height);
  const toRow = (y: number): number =>
    Math.min(height, Math.max(0, Math.ceil((y - sheet.y) * sheet.scale - 0.5) - window[1]));
  let [last, lastColumn] = [-1, -1];
  for (let column = 0; column < window[2] - window[0]; column += 1) {
    const x = Math.floor(sheet.x + (window[0] + column + 0.5) / sheet.scale);
    if (x < 0 || x >= runs.sizeHw[1]) continue;
    if (x === last) {
      // Magnified, neighbouring columns show the same one of the picture.
      bits.copyWithin(column * height, lastColumn * height, (lastColumn + 1) * height);
      continue;
    }
    forEachRun(runs, x, (y, yEnd) => bits.fill(1, column * height + toRow(y), column * height + toRow(yEnd)));
    [last, lastColumn] = [x, column];
  }
  return bits;
}

/** Calls `run(y, yEnd)` for each stretch of foreground in column `x`, from top to bottom. */
export function forEachRun(runs: Runs, x: number, run: (y: number, yEnd: number) => void): void {
  const [height] = runs.sizeHw;
  const { edges } = runs;
  const [top, bottom] = [x * height, (x + 1) * height];
  let [low, high] = [0, edges.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((edges[middle] ?? 0) <= top) low = middle + 1;
    else high = middle;
  }
  // An odd number of flips at or before the top: the column begins inside.
  let [i, start] = low % 2 === 1 ? [low, top] : [low + 1, edges[low] ?? bottom];
  while (start < bottom) {
    const end = Math.min(edges[i] ?? bottom, bottom);
    if (end > start) run(start - top, end - top);
    start = edges[i + 1] ?? bottom;
    i += 2;
  }
}

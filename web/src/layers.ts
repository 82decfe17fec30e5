/** Masks kept as painted canvases, repainted only where something changed. */

import { heightOf, overlaps, unionBox, widthOf } from "./bitmap";
import { type Ink, paintMasks, type Place, type Sheet, sheetBox } from "./paint";
import { colourOf, PROPOSED } from "./palette";
import type { Box, Look, Mask, Size, State } from "./state";

const NOTHING: Box = [0, 0, 0, 0];

/** Where two lists of masks look different, in picture pixels; empty when they look the same. */
export function changedBox(before: readonly Mask[], after: readonly Mask[]): Box {
  if (before === after) return NOTHING;
  const was = new Map(before.map((mask) => [mask.id, mask]));
  let changed = NOTHING;
  for (const mask of after) {
    const old = was.get(mask.id);
    was.delete(mask.id);
    if (old === mask || (old !== undefined && looksSame(old, mask))) continue;
    changed = unionBox(unionBox(changed, mask.box), old?.box ?? NOTHING);
  }
  for (const gone of was.values()) changed = unionBox(changed, gone.box);
  return changed;
}

function looksSame(first: Mask, second: Mask): boolean {
  return (
    first.runs === second.runs &&
    first.colour === second.colour &&
    first.isVisible === second.isVisible &&
    first.isProposed === second.isProposed
  );
}

export function inkOf(mask: Mask, look: Look, outlinePx: number): Ink {
  // All proposed masks have one colour of their own, and stripes: what nobody has accepted is told at a glance.
  const isApart = mask.isProposed && look.areProposalsApart;
  return {
    colour: colourOf(isApart ? PROPOSED : mask.colour),
    fillOpacity: look.isOutlineOnly ? 0 : look.opacity,
    outlinePx: isApart ? 2 * outlinePx : outlinePx,
    isHatched: isApart,
  };
}

/** Those of `masks` that are in sight: all, or with `isAlone` those that are selected. */
export function inSight(masks: readonly Mask[], { look, selected }: Pick<State, "look" | "selected">): readonly Mask[] {
  if (!look.isAlone || selected.length === 0) return masks;
  return masks.filter((mask) => selected.includes(mask.id));
}

/** One canvas that shows all masks at one scale and place. */
export class MaskLayer {
  readonly canvas: HTMLCanvasElement;
  private masks: readonly Mask[] = [];
  private look: Look | null = null;
  private place: Omit<Place, "sizeHw"> = { x: 0, y: 0, scale: 1 };
  private isStale = true;

  constructor(private readonly outlinePx: number) {
    this.canvas = document.createElement("canvas");
  }

  /** Whether the layer shows the picture from (x, y) at `scale` on `sizeHw` pixels. */
  isAt(sizeHw: Size, x: number, y: number, scale: number): boolean {
    const { place, canvas } = this;
    const isSameSize = canvas.height === sizeHw[0] && canvas.width === sizeHw[1];
    return !this.isStale && isSameSize && place.x === x && place.y === y && place.scale === scale;
  }

  /** Shows `masks` there; only what changed is painted when place and look are as before. */
  show(masks: readonly Mask[], look: Look, sizeHw: Size, x: number, y: number, scale: number): void {
    const isSame = this.isAt(sizeHw, x, y, scale) && this.look === look;
    if (isSame && this.masks === masks) return;
    if (!isSame) {
      if (this.canvas.height !== sizeHw[0]) this.canvas.height = sizeHw[0];
      if (this.canvas.width !== sizeHw[1]) this.canvas.width = sizeHw[1];
      this.place = { x, y, scale };
    }
    const whole: Box = [x, y, x + sizeHw[1] / scale, y + sizeHw[0] / scale];
    const changed = isSame ? changedBox(this.masks, masks) : whole;
    this.masks = masks;
    this.look = look;
    this.isStale = false;
    this.paint(changed);
  }

  private paint(changed: Box): void {
    const here: Place = { ...this.place, sizeHw: [this.canvas.height, this.canvas.width] };
    const inner = sheetBox(here, changed);
    // Whether a pixel is outline depends on its neighbours: a rim is painted with it and not shown.
    const [x0, y0, x1, y1] = sheetBox(here, changed, 1 + 2 * this.outlinePx);
    const context = this.canvas.getContext("2d");
    if (widthOf(inner) <= 0 || heightOf(inner) <= 0 || context === null || this.look === null) return;
    const { look, place } = this;
    const image = new ImageData(x1 - x0, y1 - y0);
    const sheet: Sheet = {
      sizeHw: [y1 - y0, x1 - x0],
      pixels: new Uint32Array(image.data.buffer),
      x: place.x + x0 / place.scale,
      y: place.y + y0 / place.scale,
      scale: place.scale,
    };
    const shown = [sheet.x, sheet.y, place.x + x1 / place.scale, place.y + y1 / place.scale] as const;
    const visible = this.masks.filter((mask) => mask.isVisible && overlaps(mask.box, shown));
    paintMasks(
      sheet,
      visible.map((mask) => ({ ...mask, ink: inkOf(mask, look, this.outlinePx) })),
    );
    context.putImageData(image, x0, y0, inner[0] - x0, inner[1] - y0, widthOf(inner), heightOf(inner));
  }
}

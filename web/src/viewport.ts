/** Where the picture lies on the screen: fit, zoom about a point, pan, and the way between screen and picture. */

import type { Box, Point, Size, Viewport } from "./state";

/** Screen pixels a picture pixel may take at most. */
export const MAX_SCALE = 64;
const MARGIN_PX = 24;
const [ROOM, LARGEST_FIT] = [1.25, 16];
/** So much of the picture stays in sight, in screen pixels. */
const ALWAYS_SEEN_PX = 48;

/** The picture whole and centred, with a margin. */
export function fit(sizeHw: Size, screenHw: Size): Viewport {
  const scale = fitScale(sizeHw, screenHw);
  return {
    scale,
    x: (screenHw[1] - sizeHw[1] * scale) / 2,
    y: (screenHw[0] - sizeHw[0] * scale) / 2,
    screenHw,
  };
}

/** The `box` of the picture in the middle, with some room around it; a small one no larger than 16 times its size. */
export function fitBox(box: Box, sizeHw: Size, screenHw: Size): Viewport {
  const [width, height] = [Math.max(1, box[2] - box[0]), Math.max(1, box[3] - box[1])];
  const scale = Math.min(screenHw[1] / (ROOM * width), screenHw[0] / (ROOM * height), LARGEST_FIT);
  return keepInSight(
    {
      scale,
      x: screenHw[1] / 2 - ((box[0] + box[2]) / 2) * scale,
      y: screenHw[0] / 2 - ((box[1] + box[3]) / 2) * scale,
      screenHw,
    },
    sizeHw,
  );
}

function fitScale(sizeHw: Size, screenHw: Size): number {
  const free = [Math.max(1, screenHw[0] - 2 * MARGIN_PX), Math.max(1, screenHw[1] - 2 * MARGIN_PX)] as const;
  return Math.min(free[0] / sizeHw[0], free[1] / sizeHw[1], MAX_SCALE);
}

/** Zoomed by `factor` with the picture point under `screenXy` staying where it is. */
export function zoomAt(viewport: Viewport, sizeHw: Size, screenXy: Point, factor: number): Viewport {
  const least = Math.min(1, fitScale(sizeHw, viewport.screenHw)) / 2;
  const scale = Math.min(MAX_SCALE, Math.max(least, viewport.scale * factor));
  const ratio = scale / viewport.scale;
  return keepInSight(
    {
      ...viewport,
      scale,
      x: screenXy[0] - (screenXy[0] - viewport.x) * ratio,
      y: screenXy[1] - (screenXy[1] - viewport.y) * ratio,
    },
    sizeHw,
  );
}

/** One picture pixel to `scale` screen pixels, about the middle of the screen. */
export function zoomTo(viewport: Viewport, sizeHw: Size, scale: number): Viewport {
  const middle: Point = [viewport.screenHw[1] / 2, viewport.screenHw[0] / 2];
  return zoomAt(viewport, sizeHw, middle, scale / viewport.scale);
}

/** Moved by screen pixels. */
export function panBy(viewport: Viewport, sizeHw: Size, dx: number, dy: number): Viewport {
  return keepInSight({ ...viewport, x: viewport.x + dx, y: viewport.y + dy }, sizeHw);
}

/** The same view after the window changed, its middle kept. */
export function resize(viewport: Viewport, screenHw: Size): Viewport {
  return {
    ...viewport,
    screenHw,
    x: viewport.x + (screenHw[1] - viewport.screenHw[1]) / 2,
    y: viewport.y + (screenHw[0] - viewport.screenHw[0]) / 2,
  };
}

/** Screen to picture. */
export function toPicture(viewport: Viewport, screenXy: Point): Point {
  return [(screenXy[0] - viewport.x) / viewport.scale, (screenXy[1] - viewport.y) / viewport.scale];
}

/** Picture to screen. */
export function toScreen(viewport: Viewport, xy: Point): Point {
  return [xy[0] * viewport.scale + viewport.x, xy[1] * viewport.scale + viewport.y];
}

/** The nearest point inside the picture, so that its pixel exists. */
export function clampToPicture(xy: Point, sizeHw: Size): Point {
  const last = 1e-3;
  return [Math.min(Math.max(xy[0], 0), sizeHw[1] - last), Math.min(Math.max(xy[1], 0), sizeHw[0] - last)];
}

function keepInSight(viewport: Viewport, sizeHw: Size): Viewport {
  const [height, width] = [sizeHw[0] * viewport.scale, sizeHw[1] * viewport.scale];
  const [screenH, screenW] = viewport.screenHw;
  const seen = Math.min(ALWAYS_SEEN_PX, width, height);
  return {
    ...viewport,
    x: Math.min(Math.max(viewport.x, seen - width), screenW - seen),
    y: Math.min(Math.max(viewport.y, seen - height), screenH - seen),
  };
}

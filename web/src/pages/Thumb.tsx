/** A mask as a small picture. */

import { type ReactNode, useEffect, useRef } from "react";

import { grow } from "../bitmap";
import { paintMasks } from "../paint";
import { colourOf } from "../palette";
import { boxOf } from "../runs";
import type { Runs } from "../state";

export function Thumb({ runs, colour, sizePx }: { runs: Runs; colour: number; sizePx: number }): ReactNode {
  const element = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const context = element.current?.getContext("2d");
    if (context == null) return;
    const box = boxOf(runs);
    const view = grow(box, Math.ceil(Math.max(box[2] - box[0], box[3] - box[1]) / 10), runs.sizeHw);
    const scale = sizePx / Math.max(1, view[2] - view[0], view[3] - view[1]);
    const image = new ImageData(sizePx, sizePx);
    const sheet = {
      sizeHw: [sizePx, sizePx] as const,
      pixels: new Uint32Array(image.data.buffer),
      x: (view[0] + view[2]) / 2 - sizePx / 2 / scale,
      y: (view[1] + view[3]) / 2 - sizePx / 2 / scale,
      scale,
    };
    paintMasks(sheet, [{ runs, box, ink: { colour: colourOf(colour), fillOpacity: 1, outlinePx: 0 } }]);
    context.putImageData(image, 0, 0);
  }, [runs, colour, sizePx]);
  return <canvas ref={element} className="thumb" width={sizePx} height={sizePx} aria-hidden="true" />;
}

/** A picture with masks to look at; two of them move together. */

import { type ReactNode, useEffect, useRef, useState } from "react";

import { stateOf } from "../rating";
import { Renderer } from "../render";
import { type Box, defaults, type Look, type Mask, type Picture, type Prompt, type Viewport } from "../state";
import { fit, fitBox, panBy, zoomAt } from "../viewport";

interface Props {
  readonly title: string;
  readonly picture: Picture;
  readonly pixels: ImageBitmap;
  readonly masks: readonly Mask[];
  readonly selected: string | null;
  readonly viewport: Viewport | null;
  readonly onViewport: (viewport: Viewport) => void;
  /** How masks look; as everywhere when left out. */
  readonly look?: Look;
  /** What is marked besides. */
  readonly prompt?: Prompt | null;
  /** What is shown large while nobody has moved the view; the whole picture when left out. */
  readonly near?: Box | null;
  /** Thickness of outlines. */
  readonly outlinePx?: number;
  readonly hasCaption?: boolean;
}

const LOOK = defaults().look;

export function ReviewCanvas({
  title,
  picture,
  pixels,
  masks,
  selected,
  viewport,
  onViewport,
  look = LOOK,
  prompt = null,
  near = null,
  outlinePx = 1,
  hasCaption = true,
}: Props): ReactNode {
  const [size, setSize] = useState("");
  const element = useRef<HTMLCanvasElement>(null);
  const renderer = useRef<Renderer | null>(null);

  useEffect(() => {
    if (element.current === null) return;
    renderer.current = new Renderer(element.current, undefined, outlinePx);
    renderer.current.setPicture(pixels);
  }, [pixels, outlinePx]);
  useEffect(() => {
    const canvas = element.current;
    if (canvas === null) return;
    const observer = new ResizeObserver(() => { setSize(`${canvas.clientWidth} ${canvas.clientHeight}`); });
    observer.observe(canvas);
    return () => { observer.disconnect(); };
  }, []);
  useEffect(() => {
    const canvas = element.current;
    if (canvas === null) return;
    const screenHw = [canvas.clientHeight, canvas.clientWidth] as const;
    const start = near === null ? fit(picture.sizeHw, screenHw) : fitBox(near, picture.sizeHw, screenHw);
    const view = viewport === null ? start : { ...viewport, screenHw };
    const state = { ...stateOf(picture, masks, look, prompt), viewport: view, selected: selected === null ? [] : [selected] };
    renderer.current?.show({ state, stroke: [], corners: [] });
    const ending = new AbortController();
    canvas.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        onViewport(zoomAt(view, picture.sizeHw, [event.offsetX, event.offsetY], Math.exp(-event.deltaY / 400)));
      },
      { signal: ending.signal, passive: false },
    );
    canvas.addEventListener(
      "pointermove",
      (event) => {
        if (event.buttons !== 0) onViewport(panBy(view, picture.sizeHw, event.movementX, event.movementY));
      },
      { signal: ending.signal },
    );
    return () => { ending.abort(); };
  }, [picture, pixels, masks, selected, viewport, onViewport, look, prompt, near, size]);
  return (
    <figure className="review-view">
      {hasCaption && <figcaption>{title}</figcaption>}
      <canvas ref={element} role="img" aria-label={`${title}: ${picture.name} with ${masks.length} masks`} />
    </figure>
  );
}

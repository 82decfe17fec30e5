/** A picture with masks to look at; two of them move together. */

import { type ReactNode, useEffect, useRef } from "react";

import { Renderer } from "../render";
import { defaults, type Mask, type Picture, type Viewport } from "../state";
import { fit, panBy, zoomAt } from "../viewport";

interface Props {
  readonly title: string;
  readonly picture: Picture;
  readonly pixels: ImageBitmap;
  readonly masks: readonly Mask[];
  readonly selected: string | null;
  readonly viewport: Viewport | null;
  readonly onViewport: (viewport: Viewport) => void;
}

export function ReviewCanvas({ title, picture, pixels, masks, selected, viewport, onViewport }: Props): ReactNode {
  const element = useRef<HTMLCanvasElement>(null);
  const renderer = useRef<Renderer | null>(null);

  useEffect(() => {
    if (element.current === null) return;
    renderer.current = new Renderer(element.current);
    renderer.current.setPicture(pixels);
  }, [pixels]);
  useEffect(() => {
    const canvas = element.current;
    if (canvas === null) return;
    const screenHw = [canvas.clientHeight, canvas.clientWidth] as const;
    const view = viewport === null ? fit(picture.sizeHw, screenHw) : { ...viewport, screenHw };
    const start = defaults();
    const state = {
      ...start,
      picture,
      viewport: view,
      work: { ...start.work, masks },
      selected: selected === null ? [] : [selected],
    };
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
  }, [picture, pixels, masks, selected, viewport, onViewport]);
  return (
    <figure className="review-view">
      <figcaption>{title}</figcaption>
      <canvas ref={element} role="img" aria-label={`${title}: ${picture.name} with ${masks.length} masks`} />
    </figure>
  );
}

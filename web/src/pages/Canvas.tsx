/** The canvas: React only makes the element and lets the core work on it. */

import { type ReactNode, useEffect, useRef } from "react";

import { listen } from "../events";
import { Pointer } from "../pointer";
import { Renderer } from "../render";
import type { Workbench } from "../workbench";

declare global {
  interface Window {
    /** Times of the last frames, for measurements. */
    anymaskFrameMs?: readonly number[];
  }
}

export function Canvas({ bench }: { bench: Workbench }): ReactNode {
  const element = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const canvas = element.current;
    if (canvas === null) return;
    const { editor } = bench;
    const renderer = new Renderer(canvas);
    const show = (): void => {
      renderer.show({ state: editor.getSnapshot().state, stroke: pointer.stroke, corners: pointer.corners });
    };
    const pointer = new Pointer(editor, show);
    const stopListening = listen(canvas, editor, pointer);
    const stopFollowing = editor.subscribe(() => {
      pointer.refreshCorners();
      show();
    });
    bench.showPixels((pixels) => {
      renderer.setPicture(pixels);
      show();
    });
    window.anymaskFrameMs = renderer.frameMs;
    show();
    return () => {
      stopListening();
      stopFollowing();
      bench.showPixels(null);
      renderer.setPicture(null);
    };
  }, [bench]);
  return (
    <canvas
      ref={element}
      className="canvas"
      tabIndex={0}
      role="application"
      aria-label="Picture. Arrow keys move the crosshair, space clicks, question mark shows all keys."
    />
  );
}

/** The canvas's DOM events, brought to the pointer and the keys. */

import type { Editor } from "./editor";
import type { Pointer, Press } from "./pointer";
import type { Point } from "./state";
import { fit, resize } from "./viewport";

const RIGHT_BUTTON = 2;
const MIDDLE_BUTTON = 1;
/** Pixels of a line, for mice that count in lines. */
const LINE_PX = 24;

/** Listens until the returned function is called. */
export function listen(canvas: HTMLCanvasElement, editor: Editor, pointer: Pointer): () => void {
  const ending = new AbortController();
  const options = { signal: ending.signal };
  const at = (event: MouseEvent): Point => {
    const { left, top } = canvas.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  };
  const pressOf = (event: PointerEvent): Press => ({
    screenXy: at(event),
    isRight: event.button === RIGHT_BUTTON,
    isMiddle: event.button === MIDDLE_BUTTON,
    hasShift: event.shiftKey,
    hasAlt: event.altKey,
  });
  canvas.addEventListener(
    "pointerdown",
    (event) => {
      canvas.setPointerCapture(event.pointerId);
      canvas.focus({ preventScroll: true });
      pointer.down(pressOf(event));
    },
    options,
  );
  canvas.addEventListener(
    "pointermove",
    (event) => {
      // A fast hand moves several times a frame: a stroke goes through all of it.
      const moves = event.getCoalescedEvents();
      for (const move of moves.length > 0 && event.buttons !== 0 ? moves : [event]) pointer.move(at(move));
    },
    options,
  );
  canvas.addEventListener("pointerup", (event) => { pointer.up(at(event)); }, options);
  canvas.addEventListener("pointercancel", () => { pointer.cancel(); }, options);
  canvas.addEventListener("pointerleave", () => { pointer.leave(); }, options);
  canvas.addEventListener("contextmenu", (event) => { event.preventDefault(); }, options);
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const unit = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? LINE_PX : 1;
      pointer.wheel(at(event), event.deltaX * unit, event.deltaY * unit, event.shiftKey);
    },
    { ...options, passive: false },
  );
  const observer = new ResizeObserver(() => {
    follow(canvas, editor);
  });
  observer.observe(canvas);
  follow(canvas, editor);
  return () => {
    ending.abort();
    observer.disconnect();
  };
}

/** The view follows the canvas's size; at first the picture is shown whole. */
function follow(canvas: HTMLCanvasElement, editor: Editor): void {
  const screenHw = [canvas.clientHeight, canvas.clientWidth] as const;
  if (screenHw[0] === 0 || screenHw[1] === 0) return;
  editor.see((state) => {
    const isFirst = state.viewport.screenHw[0] <= 1;
    const viewport =
      isFirst && state.picture !== null ? fit(state.picture.sizeHw, screenHw) : resize(state.viewport, screenHw);
    return { ...state, viewport };
  });
}

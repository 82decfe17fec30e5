/** Small drawings for buttons; each button also says in words what it does. */

import type { ReactNode } from "react";

const PATHS = {
  click: "M12 3v4M12 17v4M3 12h4M17 12h4M12 9.5a2.5 2.5 0 1 1 0 5 2.5 2.5 0 0 1 0-5z",
  box: "M4 6h16v12H4zM4 6m-1.5 0h3m13 0h3M4 18m-1.5 0h3m13 0h3",
  brush: "M20 4c-5 2-9 6-11 10l2 2c4-2 8-6 9-12zM9 14c-3 0-3 3-5 5 3 1 7 0 7-3",
  eraser: "M8 20h12M14 5l5 5-9 9H7l-3-3zM9 10l5 5",
  polygon: "M12 3l8 6-3 10H7L4 9z",
  select: "M5 3l14 8-6 1.5L10 19z",
  undo: "M8 5L3 10l5 5M3 10h11a6 6 0 0 1 0 12h-3",
  redo: "M16 5l5 5-5 5M21 10H10a6 6 0 0 0 0 12h3",
  eye: "M2 12s4-7 10-7 10 7 10 7-4 7-10 7S2 12 2 12zM12 9a3 3 0 1 1 0 6 3 3 0 0 1 0-6z",
  eyeOff: "M3 3l18 18M10 6c8-1 12 6 12 6s-1 2-3 4M6 8c-2 2-4 4-4 4s4 7 10 7c2 0 3 0 4-1",
  trash: "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5",
  fit: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  help: "M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18zM9.5 9.5a2.5 2.5 0 1 1 3.5 2.3c-.7.4-1 .9-1 1.7M12 16.5v.5",
  check: "M4 12l6 6L20 6",
  close: "M6 6l12 12M18 6L6 18",
  sun: "M12 8a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM12 2v3M12 19v3M2 12h3M19 12h3M5 5l2 2M17 17l2 2M19 5l-2 2M7 17l-2 2",
  moon: "M20 14A8.5 8.5 0 0 1 10 4a8.5 8.5 0 1 0 10 10z",
  merge: "M4 8a5 5 0 0 1 10 0v0a5 5 0 1 1-4 8H9A5 5 0 0 1 4 8z",
  subtract: "M14 4a6 6 0 1 0 0 12M10 10h10v10H10z",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  fill: "M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18zM12 9a3 3 0 1 1 0 6 3 3 0 0 1 0-6z",
  islands: "M5 12a5 4 0 1 1 10 0 5 4 0 0 1-10 0zM18 5l3 3M21 5l-3 3",
  swap: "M4 8h14l-4-4M20 16H6l4 4",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }): ReactNode {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}

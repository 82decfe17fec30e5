/** What can be done by key, which key does it, and how a person changes that. */

/** Everything that a key or a button can start. */
export const COMMANDS = {
  "tool.click": { title: "Click", group: "Tools", keys: ["Q"] },
  "tool.box": { title: "Box", group: "Tools", keys: ["W"] },
  "tool.brush": { title: "Brush", group: "Tools", keys: ["B"] },
  "tool.eraser": { title: "Eraser", group: "Tools", keys: ["E"] },
  "tool.polygon": { title: "Polygon", group: "Tools", keys: ["P"] },
  "tool.select": { title: "Select", group: "Tools", keys: ["V"] },
  "prompt.toggle": { title: "Left button adds foreground or background", group: "Object", keys: ["X"] },
  "prompt.here": { title: "Click at the crosshair", group: "Object", keys: ["Space"] },
  "prompt.pick1": { title: "Take the whole", group: "Object", keys: ["1"] },
  "prompt.pick2": { title: "Take the part", group: "Object", keys: ["2"] },
  "prompt.pick3": { title: "Take the sub-part", group: "Object", keys: ["3"] },
  "prompt.accept": { title: "Keep the object", group: "Object", keys: ["Enter"] },
  "prompt.cancel": { title: "Drop the object, polygon or selection", group: "Object", keys: ["Escape"] },
  "proposed.accept": { title: "Accept the proposed mask", group: "Proposed masks", keys: ["A"] },
  "proposed.fix": { title: "Fix it with clicks or brush", group: "Proposed masks", keys: ["R"] },
  "proposed.drop": { title: "Drop it", group: "Proposed masks", keys: ["D"] },
  "proposed.next": { title: "Next proposed mask", group: "Proposed masks", keys: ["T"] },
  "proposed.previous": { title: "Previous proposed mask", group: "Proposed masks", keys: ["Shift+T"] },
  "proposed.acceptAll": { title: "Accept all that are left", group: "Proposed masks", keys: ["Shift+A"] },
  "edit.undo": { title: "Undo", group: "Edit", keys: ["Ctrl+Z"] },
  "edit.redo": { title: "Redo", group: "Edit", keys: ["Ctrl+Y", "Ctrl+Shift+Z"] },
  "edit.delete": { title: "Delete", group: "Edit", keys: ["Delete", "Backspace"] },
  "edit.duplicate": { title: "Duplicate", group: "Edit", keys: ["Ctrl+D"] },
  "edit.merge": { title: "Merge the selected masks", group: "Edit", keys: ["M"] },
  "edit.subtract": { title: "Subtract the others from the first selected", group: "Edit", keys: ["K"] },
  "edit.fillHoles": { title: "Fill holes", group: "Edit", keys: ["F"] },
  "edit.removeIslands": { title: "Remove islands", group: "Edit", keys: ["I"] },
  "brush.smaller": { title: "Smaller brush", group: "Edit", keys: ["["] },
  "brush.larger": { title: "Larger brush", group: "Edit", keys: ["]"] },
  "select.next": { title: "Next mask", group: "Select", keys: ["PageDown"] },
  "select.previous": { title: "Previous mask", group: "Select", keys: ["PageUp"] },
  "select.cycle": { title: "Next mask under the crosshair", group: "Select", keys: ["C"] },
  "select.all": { title: "Select all masks", group: "Select", keys: ["Ctrl+A"] },
  "select.label": { title: "Label the selected mask", group: "Select", keys: ["L"] },
  "view.fit": { title: "Whole picture", group: "View", keys: ["0"] },
  "view.pixels": { title: "One to one", group: "View", keys: ["9"] },
  "view.in": { title: "Zoom in", group: "View", keys: ["+", "="] },
  "view.out": { title: "Zoom out", group: "View", keys: ["-"] },
  "view.hide": { title: "Hide or show masks", group: "View", keys: ["H"] },
  "view.outline": { title: "Outlines only", group: "View", keys: ["O"] },
  "view.alone": { title: "Only the selected masks", group: "View", keys: ["J"] },
  "view.hover": { title: "Preview under the cursor", group: "View", keys: ["G"] },
  "view.fainter": { title: "Fainter masks", group: "View", keys: [","] },
  "view.stronger": { title: "Stronger masks", group: "View", keys: ["."] },
  "cursor.left": { title: "Crosshair left (Shift: far)", group: "Keyboard only", keys: ["ArrowLeft", "Shift+ArrowLeft"] },
  "cursor.right": { title: "Crosshair right", group: "Keyboard only", keys: ["ArrowRight", "Shift+ArrowRight"] },
  "cursor.up": { title: "Crosshair up", group: "Keyboard only", keys: ["ArrowUp", "Shift+ArrowUp"] },
  "cursor.down": { title: "Crosshair down", group: "Keyboard only", keys: ["ArrowDown", "Shift+ArrowDown"] },
  "task.finish": { title: "Picture done, on to the next", group: "Picture", keys: ["N", "Ctrl+Enter"] },
  "task.skip": { title: "Skip this picture", group: "Picture", keys: ["S"] },
  "help.show": { title: "This help", group: "Picture", keys: ["?"] },
} as const satisfies Record<string, { title: string; group: string; keys: readonly string[] }>;

export type Command = keyof typeof COMMANDS;
export const ALL_COMMANDS = Object.keys(COMMANDS) as Command[];

/** Keys of each command; commands that a person never changed are not in it. */
export type Remapped = Partial<Record<Command, readonly string[]>>;

export interface KeyPress {
  readonly key: string;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
  readonly shiftKey: boolean;
}

/** Keys pressed together, as they are stored and shown: `Ctrl+Shift+Z`, `?`, `ArrowLeft`. */
export function comboOf(press: KeyPress): string | null {
  if (["Control", "Meta", "Shift", "Alt", "AltGraph", "Dead", "Process"].includes(press.key)) return null;
  const isLetter = /^\p{L}$/u.test(press.key);
  const key = press.key === " " ? "Space" : isLetter ? press.key.toUpperCase() : press.key;
  // Shift is part of a character like ? already.
  const hasShift = press.shiftKey && (isLetter || key.length > 1);
  const parts = [
    press.ctrlKey || press.metaKey ? "Ctrl" : "",
    press.altKey ? "Alt" : "",
    hasShift ? "Shift" : "",
    key,
  ];
  return parts.filter((part) => part !== "").join("+");
}

export function keysOf(command: Command, remapped: Remapped): readonly string[] {
  return remapped[command] ?? COMMANDS[command].keys;
}

/** The command of `combo`, if any. */
export function commandOf(combo: string, remapped: Remapped): Command | null {
  return ALL_COMMANDS.find((command) => keysOf(command, remapped).includes(combo)) ?? null;
}

/** `combo` given to `command` alone: whatever had it before loses it. */
export function remap(remapped: Remapped, command: Command, combo: string): Remapped {
  const changed: Remapped = { ...remapped };
  for (const other of ALL_COMMANDS) {
    const keys = keysOf(other, remapped);
    if (keys.includes(combo)) changed[other] = keys.filter((key) => key !== combo);
  }
  return { ...changed, [command]: [combo] };
}

/** The keys of a command as a person reads them. */
export function keyText(combo: string): string {
  const names: Record<string, string> = {
    ArrowLeft: "←",
    ArrowRight: "→",
    ArrowUp: "↑",
    ArrowDown: "↓",
    Escape: "Esc",
    Delete: "Del",
  };
  const [key, ...held] = combo.endsWith("+") ? ["+", ...combo.slice(0, -1).split("+").reverse()] : combo.split("+").reverse();
  return [...held.reverse(), names[key ?? ""] ?? key].filter((part) => part !== "").join(" ");
}

import "fake-indexeddb/auto";

import { afterEach, beforeEach, expect, test } from "vitest";

import { runCommand, setBrush, setOpacity, showAlone } from "../src/commands";
import type { Editor } from "../src/editor";
import { stroke } from "../src/mask";
import { ALL_COMMANDS } from "../src/shortcuts";
import type { Point, State } from "../src/state";
import { makeEditor } from "./working";

const PAGE = ["task.finish", "task.skip", "help.show", "select.label", "proposed.acceptAll"];

let editor: Editor;
let state: () => State;
let close: () => void;
beforeEach(async () => {
  ({ editor, state, close } = await makeEditor());
});
afterEach(() => {
  close();
});

function paint(...points: readonly Point[]): void {
  editor.see((now) => ({ ...now, selected: [] }));
  editor.act("Brush", (now, stamp) => stroke(now, points, "brush", stamp));
}

test("every command is done by the tool, or is one of the page's", () => {
  for (const command of ALL_COMMANDS) expect(runCommand(editor, command)).toBe(!PAGE.includes(command));
});

test("an object is made with keys alone: crosshair, box, brush", () => {
  for (let i = 0; i < 3; i += 1) runCommand(editor, "cursor.right", "Shift+ArrowRight");
  runCommand(editor, "prompt.here", "Space");
  expect(state().hasCrosshair).toBe(true);
  expect(state().work.draft.prompt.clicks[0]?.xy[0]).toBe(79);
  runCommand(editor, "prompt.cancel");
  expect(state().work.draft.prompt.clicks).toEqual([]);
  runCommand(editor, "tool.box");
  runCommand(editor, "prompt.here");
  for (let i = 0; i < 5; i += 1) {
    runCommand(editor, "cursor.left");
    runCommand(editor, "cursor.down");
  }
  runCommand(editor, "prompt.here");
  const box = state().work.draft.prompt.box ?? [0, 0, 0, 0];
  expect(box[2] - box[0]).toBeCloseTo(20);
  expect(box[3] - box[1]).toBeCloseTo(20);
  runCommand(editor, "prompt.cancel");
  runCommand(editor, "tool.brush");
  runCommand(editor, "prompt.here");
  expect(state().work.masks).toHaveLength(1);
});

test("Escape drops the innermost of what is going on", () => {
  paint([10, 10]);
  runCommand(editor, "tool.polygon");
  editor.see((now) => ({ ...now, polygon: [[1, 1]] }));
  runCommand(editor, "prompt.cancel");
  expect(state().polygon).toEqual([]);
  expect(state().selected).toHaveLength(1);
  runCommand(editor, "prompt.cancel");
  expect(state().selected).toEqual([]);
});

test("selected masks are merged, copied, deleted, and all of it is undone", () => {
  paint([10, 10]);
  paint([40, 40]);
  runCommand(editor, "select.all");
  runCommand(editor, "edit.merge");
  expect(state().work.masks).toHaveLength(1);
  runCommand(editor, "edit.duplicate");
  runCommand(editor, "edit.delete");
  expect(state().work.masks).toHaveLength(1);
  for (let i = 0; i < 5; i += 1) runCommand(editor, "edit.undo");
  expect(state().work.masks).toHaveLength(0);
  for (let i = 0; i < 2; i += 1) runCommand(editor, "edit.redo");
  expect(state().work.masks).toHaveLength(2);
});

test("masks are walked through, and those under the crosshair one after the other", () => {
  paint([10, 10]);
  paint([11, 10], [40, 10]);
  const ids = state().work.masks.map((mask) => mask.id);
  runCommand(editor, "select.next");
  expect(state().selected).toEqual([ids[0]]);
  runCommand(editor, "select.previous");
  expect(state().selected).toEqual([ids[1]]);
  editor.see((now) => ({ ...now, cursor: [11, 10], selected: [] }));
  runCommand(editor, "select.cycle");
  runCommand(editor, "select.cycle");
  expect(state().selected).toEqual([ids[1]]);
});

test("brush, opacity and zoom stay within their bounds", () => {
  setBrush(editor, 0);
  expect(state().brushPx).toBe(1);
  runCommand(editor, "brush.smaller");
  expect(state().brushPx).toBe(1);
  setBrush(editor, 1e6);
  expect(state().brushPx).toBe(400);
  setOpacity(editor, 3);
  expect(state().look.opacity).toBe(1);
  runCommand(editor, "view.fainter");
  expect(state().look.opacity).toBeCloseTo(0.9);
  runCommand(editor, "view.pixels");
  expect(state().viewport.scale).toBe(1);
  runCommand(editor, "view.in");
  expect(state().viewport.scale).toBe(1.25);
});

test("masks one at a time, and all again", () => {
  showAlone(editor);
  showAlone(editor);
  expect(state().look.isAlone).toBe(true);
  runCommand(editor, "view.alone");
  expect(state().look.isAlone).toBe(false);
});

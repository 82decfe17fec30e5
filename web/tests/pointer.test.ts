import "fake-indexeddb/auto";

import { afterEach, beforeEach, expect, test } from "vitest";

import { chooseTool } from "../src/commands";
import type { Editor } from "../src/editor";
import { Pointer, type Press } from "../src/pointer";
import { boxOf } from "../src/runs";
import type { Point, State } from "../src/state";
import { makeEditor } from "./working";

let editor: Editor;
let state: () => State;
let close: () => void;
let pointer: Pointer;

beforeEach(async () => {
  ({ editor, state, close } = await makeEditor());
  pointer = new Pointer(editor, () => undefined);
});
afterEach(() => {
  close();
});

const pressAt = (x: number, y: number, held: Partial<Press> = {}): Press => ({
  screenXy: [x, y],
  isRight: false,
  isMiddle: false,
  hasShift: false,
  hasAlt: false,
  ...held,
});

function drag(from: Point, to: Point, held: Partial<Press> = {}): void {
  pointer.down(pressAt(from[0], from[1], held));
  pointer.move(to);
  pointer.up(to);
}
function click(x: number, y: number, held: Partial<Press> = {}): void {
  drag([x, y], [x, y], held);
}

test("left adds foreground, right background, and the toggle swaps them", () => {
  click(10.7, 20.2);
  click(5, 5, { isRight: true });
  editor.see((now) => ({ ...now, isForeground: false }));
  click(6, 6);
  expect(state().work.draft.prompt.clicks).toEqual([
    { xy: [10, 20], isForeground: true },
    { xy: [5, 5], isForeground: false },
    { xy: [6, 6], isForeground: false },
  ]);
});

test("a drag with a prompt tool is a box, whichever corner it begins at", () => {
  drag([50, 40], [10, 20]);
  expect(state().work.draft.prompt.box).toEqual([10, 20, 50, 40]);
  expect(state().rubberBand).toBeNull();
});

test("a hand that trembles has clicked", () => {
  drag([10, 10], [12, 11]);
  expect(state().work.draft.prompt.box).toBeNull();
  expect(state().work.draft.prompt.clicks).toHaveLength(1);
});

test("a stroke is one action, and the right button erases", () => {
  chooseTool(editor, "brush");
  drag([10, 10], [40, 10]);
  const [mask] = state().work.masks;
  expect(mask === undefined ? null : boxOf(mask.runs)).toEqual([8, 8, 42, 12]);
  drag([30, 10], [45, 10], { isRight: true });
  expect(state().work.masks[0]?.box[2]).toBeLessThanOrEqual(31);
  editor.undo();
  expect(state().work.masks[0]?.box).toEqual([8, 8, 42, 12]);
});

test("a stroke that slips off does nothing", () => {
  chooseTool(editor, "brush");
  pointer.down(pressAt(10, 10));
  pointer.cancel();
  pointer.up([12, 12]);
  expect(state().work.masks).toHaveLength(0);
});

test("a polygon closes at its first corner, and the right button takes a corner back", () => {
  chooseTool(editor, "polygon");
  click(10, 10);
  click(40, 10);
  click(70, 50);
  click(0, 0, { isRight: true });
  expect(state().polygon).toHaveLength(2);
  click(40, 40);
  click(11, 11);
  expect(state().polygon).toEqual([]);
  expect(state().work.masks[0]?.box).toEqual([11, 10, 40, 39]);
});

test("corners of the selected mask are moved with the polygon tool", () => {
  chooseTool(editor, "polygon");
  for (const [x, y] of [[10, 10], [40, 10], [40, 40], [10, 40], [10, 10]] as const) click(x, y);
  pointer.refreshCorners();
  expect(pointer.corners[0]).toHaveLength(4);
  drag([40, 40], [60, 50]);
  expect(state().work.masks[0]?.box).toEqual([10, 10, 60, 50]);
  expect(pointer.corners[0]).toBeDefined();
});

test("a corner that slips off is where it was", () => {
  chooseTool(editor, "polygon");
  for (const [x, y] of [[10, 10], [40, 10], [40, 40], [10, 40], [10, 10]] as const) click(x, y);
  pointer.refreshCorners();
  const before = pointer.corners;
  pointer.down(pressAt(40, 40));
  pointer.move([60, 50]);
  expect(pointer.corners).not.toEqual(before);
  pointer.cancel();
  pointer.up([60, 50]);
  expect(pointer.corners).toEqual(before);
  expect(state().work.masks[0]?.box).toEqual([10, 10, 40, 40]);
});

test("the middle button moves the picture with every tool, the wheel zooms at the cursor", () => {
  drag([10, 10], [20, 15], { isMiddle: true });
  expect([state().viewport.x, state().viewport.y]).toEqual([10, 5]);
  pointer.wheel([20, 15], 0, -400, false);
  expect(state().viewport.scale).toBeCloseTo(Math.E);
  pointer.wheel([0, 0], 0, 10, true);
  expect(state().viewport.scale).toBeCloseTo(Math.E);
});

test("a click with the select tool selects, with Shift one more", () => {
  chooseTool(editor, "brush");
  drag([10, 10], [20, 10]);
  editor.see((now) => ({ ...now, selected: [] }));
  drag([10, 40], [20, 40]);
  chooseTool(editor, "select");
  click(15, 10);
  expect(state().selected).toHaveLength(1);
  click(15, 40, { hasShift: true });
  expect(state().selected).toHaveLength(2);
  click(70, 5);
  expect(state().selected).toEqual([]);
});

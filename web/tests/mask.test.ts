import { expect, test } from "vitest";

import {
  closePolygon,
  describe as describeMask,
  duplicateSelected,
  editedMask,
  fillSelectedHoles,
  masksAt,
  mergeSelected,
  remove,
  removeSelectedIslands,
  reshapeToPolygons,
  select,
  selectAt,
  selectNext,
  stroke,
  subtractSelected,
} from "../src/mask";
import { trace } from "../src/outline";
import type { State } from "../src/state";
import { draw, maskOf, show, STAMP, stateOf } from "./drawing";

const LEFT = draw("##....", "##....", "......", "......");
const RIGHT = draw("......", ".###..", ".###..", "......");
const RING = draw("###...", "#.#...", "###..#", "......");

function two(): State {
  return stateOf([4, 6], maskOf("a", LEFT), maskOf("b", RIGHT, { colour: 1 }));
}

function rowsOf(state: State, id: string): string[] | null {
  const mask = state.work.masks.find((one) => one.id === id);
  return mask === undefined ? null : show(mask.runs);
}

test("the brush begins a mask when none is selected, and adds to the selected one", () => {
  const state = { ...stroke({ ...two(), brushPx: 1 }, [[4.5, 3.5]], "brush", STAMP) };
  expect(rowsOf(state, "new")?.[3]).toBe("....#.");
  expect(state.selected).toEqual(["new"]);
  const more = stroke(state, [[5.5, 3.5]], "brush", STAMP);
  expect(rowsOf(more, "new")?.[3]).toBe("....##");
  expect(more.work.masks).toHaveLength(3);
});

test("the eraser takes away, and a mask without pixels is gone", () => {
  const state = select({ ...two(), brushPx: 1 }, "a");
  expect(rowsOf(stroke(state, [[0.5, 0.5]], "eraser", STAMP), "a")?.[0]).toBe(".#....");
  expect(rowsOf(stroke({ ...state, brushPx: 9 }, [[1, 1]], "eraser", STAMP), "a")).toBeNull();
});

test("a stroke that changes no pixel is no action", () => {
  const state = select({ ...two(), brushPx: 1 }, "a");
  expect(stroke(state, [[0.5, 0.5]], "brush", STAMP)).toBe(state);
  expect(stroke(state, [[5.5, 3.5]], "eraser", STAMP)).toBe(state);
});

test("an edit says which tool made the shape and counts the time", () => {
  const [mask] = stroke(select({ ...two(), brushPx: 1 }, "a"), [[3.5, 3.5]], "brush", STAMP).work.masks;
  expect(mask?.provenance.tools).toEqual(["brush", "brush"]);
  expect(mask?.provenance.activeMs).toBe(600);
});

test("a polygon is added or taken away, and fewer than three corners are none", () => {
  const state: State = { ...select(two(), "a"), polygon: [[2, 0], [4, 0], [4, 2], [2, 2]] };
  expect(rowsOf(closePolygon(state, true, STAMP), "a")?.slice(0, 2)).toEqual(["####..", "####.."]);
  const less: State = { ...state, polygon: [[0, 0], [1, 0], [1, 4], [0, 4]] };
  expect(rowsOf(closePolygon(less, false, STAMP), "a")?.[0]).toBe(".#....");
  const slip = closePolygon({ ...state, polygon: [[0, 0], [3, 3]] }, true, STAMP);
  expect(slip.work).toBe(state.work);
  expect(slip.polygon).toEqual([]);
});

test("moved corners give the mask their shape", () => {
  const state = select(two(), "a");
  const before = trace(LEFT);
  const rings = before.map((ring) => ring.map(([x, y]) => [x === 2 ? 3 : x, y] as const));
  expect(rowsOf(reshapeToPolygons(state, before, rings, STAMP), "a")?.[0]).toBe("###...");
  expect(reshapeToPolygons(state, before, before, STAMP)).toBe(state);
});

test("a moved corner changes what it moved over and leaves every other pixel, however rough the corners are", () => {
  const state = select(stateOf([4, 6], maskOf("r", RING)), "r");
  // As though the hole and a corner had been simplified away.
  const before = [[[0, 0], [3, 0], [3, 3], [0, 3]]] as const;
  const after = [[[0, 0], [5, 0], [5, 3], [0, 3]]] as const;
  const was = rowsOf(state, "r") ?? [];
  const is = rowsOf(reshapeToPolygons(state, before, after, STAMP), "r") ?? [];
  expect(is.map((row) => row.slice(0, 3))).toEqual(was.map((row) => row.slice(0, 3)));
  expect(is[0]?.slice(3)).toBe("##.");
});

test("holes are filled and islands removed in all selected masks", () => {
  const state = select(stateOf([4, 6], maskOf("r", RING)), "r");
  expect(rowsOf(fillSelectedHoles(state, STAMP), "r")?.[1]).toBe("###...");
  expect(rowsOf(removeSelectedIslands(state, STAMP), "r")?.[2]).toBe("###...");
  const filled = fillSelectedHoles(state, STAMP);
  expect(fillSelectedHoles(filled, STAMP)).toBe(filled);
});

test("merging keeps the first mask, subtracting cuts it", () => {
  const both = select(select(two(), "a"), "b", true);
  const merged = mergeSelected(both, STAMP);
  expect(merged.work.masks.map((mask) => mask.id)).toEqual(["a"]);
  expect(rowsOf(merged, "a")).toEqual(["##....", "####..", ".###..", "......"]);
  const cut = subtractSelected(both, STAMP);
  expect(rowsOf(cut, "a")).toEqual(["##....", "#.....", "......", "......"]);
  expect(rowsOf(cut, "b")).toEqual(show(RIGHT));
  expect(mergeSelected(select(two(), "a"), STAMP).work.masks).toHaveLength(2);
});

test("a copy is a mask of its own, of another colour", () => {
  const state = duplicateSelected(select(two(), "b"), STAMP, () => "copy");
  expect(state.work.masks.map((mask) => [mask.id, mask.colour])).toEqual([
    ["a", 0],
    ["b", 1],
    ["copy", 2],
  ]);
  expect(state.selected).toEqual(["copy"]);
});

test("a click selects the smallest mask there, the next one the larger, and around", () => {
  const state = two();
  expect(masksAt(state, [1.5, 1.5]).map((mask) => mask.id)).toEqual(["a", "b"]);
  const once = selectAt(state, [1.5, 1.5]);
  expect(once.selected).toEqual(["a"]);
  const twice = selectAt(once, [1.5, 1.5]);
  expect(twice.selected).toEqual(["b"]);
  expect(selectAt(twice, [1.5, 1.5]).selected).toEqual(["a"]);
  expect(selectAt(twice, [5.5, 0.5]).selected).toEqual([]);
});

test("the selection grows and shrinks, and walks in order of making", () => {
  const both = select(select(two(), "a"), "b", true);
  expect(both.selected).toEqual(["a", "b"]);
  expect(select(both, "a", true).selected).toEqual(["b"]);
  expect(selectNext(two(), 1).selected).toEqual(["a"]);
  expect(selectNext(two(), -1).selected).toEqual(["b"]);
  expect(selectNext(both, 1).selected).toEqual(["a"]);
});

test("hidden masks are neither hit nor edited", () => {
  const state = describeMask(select(two(), "a"), "a", { isVisible: false });
  expect(editedMask(state)).toBeNull();
  expect(masksAt(state, [0.5, 0.5])).toEqual([]);
});

test("removing forgets the selection", () => {
  expect(remove(select(two(), "a"), ["a"]).selected).toEqual([]);
});

import { expect, test } from "vitest";

import { ALL_COMMANDS, comboOf, commandOf, COMMANDS, keysOf, keyText, remap } from "../src/shortcuts";

const press = (key: string, held: Partial<Record<"ctrlKey" | "metaKey" | "altKey" | "shiftKey", boolean>> = {}) => ({
  key,
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  shiftKey: false,
  ...held,
});

test.each([
  [press("z", { ctrlKey: true }), "Ctrl+Z"],
  [press("z", { metaKey: true }), "Ctrl+Z"],
  [press("Z", { ctrlKey: true, shiftKey: true }), "Ctrl+Shift+Z"],
  [press("?", { shiftKey: true }), "?"],
  [press(" "), "Space"],
  [press("ArrowLeft", { shiftKey: true }), "Shift+ArrowLeft"],
  [press("Control", { ctrlKey: true }), null],
  [press("+", { shiftKey: true }), "+"],
])("%j is %s", (given, combo) => {
  expect(comboOf(given)).toBe(combo);
});

test("no two commands share a key, and each has one", () => {
  const keys = ALL_COMMANDS.flatMap((command) => COMMANDS[command].keys as readonly string[]);
  expect(new Set(keys).size).toBe(keys.length);
  for (const command of ALL_COMMANDS) expect(COMMANDS[command].keys.length).toBeGreaterThan(0);
});

test("a key given to one command is taken from the other", () => {
  const changed = remap({}, "tool.box", "B");
  expect(commandOf("B", changed)).toBe("tool.box");
  expect(keysOf("tool.brush", changed)).toEqual([]);
  expect(commandOf("W", changed)).toBeNull();
  expect(commandOf("B", {})).toBe("tool.brush");
});

test("keys are readable", () => {
  expect(keyText("Ctrl+Shift+Z")).toBe("Ctrl Shift Z");
  expect(keyText("Shift+ArrowLeft")).toBe("Shift ←");
  expect(keyText("+")).toBe("+");
  expect(keyText("Ctrl++")).toBe("Ctrl +");
});

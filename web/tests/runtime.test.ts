import { expect, test, vi } from "vitest";

import { type Abilities, findAbilities, isGraphicsTried, openSession, type Preference, threadsToTry } from "../src/runtime";

const ABLE: Abilities = { hasSimd: true, hasThreads: true, cores: 8, graphics: "none" };
const NO_FILES = { processor: { mjs: "", wasm: "" }, graphics: { mjs: "", wasm: "" } };

test("threads are tried where memory may be shared, then one", () => {
  expect(threadsToTry(ABLE)).toEqual([4, 1]);
  expect(threadsToTry({ ...ABLE, cores: 2 })).toEqual([1]);
  expect(threadsToTry({ ...ABLE, hasThreads: false })).toEqual([1]);
  expect(threadsToTry({ ...ABLE, hasSimd: false })).toEqual([]);
});

const found = async (adapter: unknown): Promise<string> => {
  const gpu = adapter === undefined ? undefined : { requestAdapter: () => Promise.resolve(adapter) };
  vi.stubGlobal("navigator", { gpu });
  return (await findAbilities(2)).graphics;
};

test("this runtime has SIMD, and shares memory only when isolated", async () => {
  vi.stubGlobal("navigator", {});
  const abilities = await findAbilities(2);
  expect(abilities.hasSimd).toBe(true);
  expect(abilities.hasThreads).toBe(false);
});

test("a graphics card is told from the processor that stands in for one", async () => {
  expect(await found(undefined)).toBe("none");
  expect(await found(null)).toBe("none");
  expect(await found({ info: { isFallbackAdapter: true } })).toBe("software");
  expect(await found({ info: {} })).toBe("card");
});

test("the graphics card is tried when it is there, what stands in for one only when it is asked for", () => {
  const tried = (graphics: Abilities["graphics"], preference: Preference): boolean =>
    isGraphicsTried({ ...ABLE, graphics }, preference);
  expect(tried("card", "automatic")).toBe(true);
  expect(tried("software", "automatic")).toBe(false);
  expect(tried("software", "graphics")).toBe(true);
  expect(tried("none", "graphics")).toBe(false);
  expect(tried("card", "processor")).toBe(false);
  expect(isGraphicsTried({ ...ABLE, hasSimd: false, graphics: "card" }, "graphics")).toBe(false);
});

test("without SIMD decoding goes to the server, and says why", async () => {
  const opened = await openSession(new Uint8Array(0), NO_FILES, { ...ABLE, hasSimd: false }, "automatic", () => ({}));
  expect(opened.session).toBeNull();
  expect(opened.means.where).toBe("server");
  expect(opened.means.note).toContain("SIMD");
});

test("who wants the server gets it", async () => {
  const { means } = await openSession(new Uint8Array(0), NO_FILES, ABLE, "server", () => ({}));
  expect(means).toEqual({ where: "server", threads: 0, note: "Decoding on the server: so it is set." });
});

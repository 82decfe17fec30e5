import { expect, test, vi } from "vitest";

import { findAbilities, openSession, threadsToTry } from "../src/runtime";

const ABLE = { hasSimd: true, hasThreads: true, cores: 8 };

test("threads are tried where memory may be shared, then one", () => {
  expect(threadsToTry(ABLE)).toEqual([4, 1]);
  expect(threadsToTry({ ...ABLE, cores: 2 })).toEqual([1]);
  expect(threadsToTry({ ...ABLE, hasThreads: false })).toEqual([1]);
  expect(threadsToTry({ ...ABLE, hasSimd: false })).toEqual([]);
});

test("this runtime has SIMD, and shares memory only when isolated", () => {
  vi.stubGlobal("navigator", { hardwareConcurrency: 2 });
  const abilities = findAbilities();
  expect(abilities.hasSimd).toBe(true);
  expect(abilities.hasThreads).toBe(false);
});

test("without SIMD decoding goes to the server, and says why", async () => {
  const opened = await openSession(new Uint8Array(0), { mjs: "", wasm: "" }, { ...ABLE, hasSimd: false });
  expect(opened.session).toBeNull();
  expect(opened.means.where).toBe("server");
  expect(opened.means.note).toContain("SIMD");
});

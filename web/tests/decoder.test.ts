import { expect, test } from "vitest";

import { type Backend, Decoder } from "../src/decoder";
import { areaPx } from "../src/runs";
import { type Draft, EMPTY_DRAFT, type Prompt } from "../src/state";
import { draw } from "./drawing";

const MODEL = { sha256: "a".repeat(64), inputSize: 64, maskSize: 16, maskThreshold: 0, maps: [] };
const RUNS = draw("##", "#.");

/** Gives each answer logits that name the prompt, and counts. */
function counting(): Backend & { calls: [number, number | null][] } {
  const calls: [number, number | null][] = [];
  return {
    calls,
    means: { where: "browser", threads: 1, note: "" },
    open: () => Promise.resolve(),
    close: () => undefined,
    decode(prompt, logits) {
      const name = prompt.clicks.length;
      calls.push([name, logits?.[0] ?? null]);
      const mask = (predictedIou: number, logit: number) => ({
        runs: RUNS,
        areaPx: areaPx(RUNS),
        predictedIou,
        logits: Float32Array.of(logit),
      });
      return Promise.resolve({ masks: [mask(0.9, 10 * name), mask(0.5, 10 * name + 1)], best: 0 });
    },
  };
}

const prompt = (count: number): Prompt => ({
  clicks: Array.from({ length: count }, (_, i) => ({ xy: [i, 0] as const, isForeground: true })),
  box: null,
});

function chain(length: number): Draft {
  let draft: Draft = { ...EMPTY_DRAFT, prompt: prompt(1) };
  for (let count = 2; count <= length; count += 1) draft = { ...EMPTY_DRAFT, prompt: prompt(count), before: draft };
  return draft;
}

test("each answer is asked with the logits of the picked mask before it, and known answers are not asked again", async () => {
  const backend = counting();
  const decoder = new Decoder(backend, MODEL, null, () => undefined);
  const first: Draft = { ...EMPTY_DRAFT, prompt: prompt(1), picked: 1 };
  await decoder.answer({ ...first, picked: null });
  await decoder.answer({ ...EMPTY_DRAFT, prompt: prompt(2), before: first });
  expect(backend.calls).toEqual([
    [1, null],
    [2, 11],
  ]);
  await decoder.answer(first);
  expect(backend.calls).toHaveLength(2);
});

test("a long-forgotten answer is computed again with all that led to it", async () => {
  const backend = counting();
  const decoder = new Decoder(backend, MODEL, null, () => undefined);
  const long = chain(3);
  await decoder.answer(long);
  for (let i = 0; i < 70; i += 1) await decoder.answer({ ...EMPTY_DRAFT, prompt: prompt(1) });
  backend.calls.length = 0;
  const answer = await decoder.answer(long);
  expect(backend.calls).toEqual([
    [1, null],
    [2, 10],
    [3, 20],
  ]);
  expect(answer.first).toBe(RUNS);
});

test("another picture begins with nothing known", async () => {
  const backend = counting();
  const decoder = new Decoder(backend, MODEL, null, () => undefined);
  const draft = chain(1);
  await decoder.answer(draft);
  await decoder.open(2, new ArrayBuffer(0));
  await decoder.answer(draft);
  expect(backend.calls).toHaveLength(2);
});

test("without another way a broken decoder's reason reaches the asker", async () => {
  const broken: Backend = { ...counting(), decode: () => Promise.reject(new Error("out of memory")) };
  const decoder = new Decoder(broken, MODEL, null, () => undefined);
  await expect(decoder.answer(chain(1))).rejects.toThrow("out of memory");
});

/** onnxruntime in a browser: which way of computing there is, tried from the fastest to the plainest. */

import type { InferenceSession, Tensor as OrtTensor, TensorConstructor } from "onnxruntime-web/wasm";

/** Where the two files of one build of the runtime lie. */
export interface RuntimeFiles {
  readonly mjs: string;
  readonly wasm: string;
}

/** The build for processors, and the larger one that also knows WebGPU. */
export interface Runtimes {
  readonly processor: RuntimeFiles;
  readonly graphics: RuntimeFiles;
}

/** What the person wants to decode with; `automatic` takes what is fastest. */
export const PREFERENCES = ["automatic", "processor", "graphics", "server"] as const;
export type Preference = (typeof PREFERENCES)[number];

/** How decoding is computed, for the person. */
export interface Means {
  readonly where: "browser" | "server";
  /** Of the processor; 0 when it is not what computes. */
  readonly threads: number;
  /** One sentence: what is used, and why not something faster. */
  readonly note: string;
}

/** An open decoder. */
export interface Opened {
  readonly session: InferenceSession;
  readonly tensor: TensorConstructor;
  readonly means: Means;
}

/** What a decoder is timed with: the inputs of one decode, made by the runtime's own tensors. */
export type Feeds = (tensor: TensorConstructor) => Record<string, OrtTensor>;

/** Beyond this more threads cost more than they bring for so small a model. */
const MOST_THREADS = 4;

/** Decodes that are timed to choose, after one that is not. */
const TIMED = 5;

/** The smallest module with a SIMD instruction: i8x16.splat of 0. */
const SIMD_MODULE = Uint8Array.of(
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11,
);

/** What this browser can do. */
export interface Abilities {
  readonly hasSimd: boolean;
  /** Shared memory, which needs a cross-origin isolated page. */
  readonly hasThreads: boolean;
  readonly cores: number;
  /** WebGPU, and whether it is a graphics card or only the processor in its place. */
  readonly graphics: "none" | "software" | "card";
}

interface Gpu {
  requestAdapter(): Promise<{ readonly info: { readonly isFallbackAdapter?: boolean } } | null>;
}

/** `cores` is what the page knows of the processor. */
export async function findAbilities(cores: number): Promise<Abilities> {
  const hasWasm = typeof WebAssembly === "object";
  return {
    hasSimd: hasWasm && WebAssembly.validate(SIMD_MODULE),
    hasThreads: typeof SharedArrayBuffer === "function" && (globalThis.crossOriginIsolated as boolean | undefined) === true,
    cores,
    graphics: await findGraphics((navigator as { gpu?: Gpu }).gpu),
  };
}

async function findGraphics(gpu: Gpu | undefined): Promise<Abilities["graphics"]> {
  const adapter = (await gpu?.requestAdapter().catch(() => null)) ?? null;
  if (adapter === null) return "none";
  return adapter.info.isFallbackAdapter === true ? "software" : "card";
}

/** Numbers of threads to try, in order; none when this browser cannot run the model at all. */
export function threadsToTry(abilities: Abilities): readonly number[] {
  if (!abilities.hasSimd) return [];
  const most = abilities.hasThreads ? Math.min(MOST_THREADS, Math.max(1, abilities.cores - 1)) : 1;
  return most > 1 ? [most, 1] : [1];
}

/** Whether the graphics card is to be tried: when it is there, or when it is asked for and anything is in its place. */
export function isGraphicsTried(abilities: Abilities, preference: Preference): boolean {
  if (!abilities.hasSimd || preference === "processor" || preference === "server") return false;
  return preference === "graphics" ? abilities.graphics !== "none" : abilities.graphics === "card";
}

/** A session of `decoder` by the fastest means that work here and that `preference` allows; else why there is none. */
export async function openSession(
  decoder: Uint8Array,
  files: Runtimes,
  abilities: Abilities,
  preference: Preference,
  feeds: Feeds,
): Promise<Opened | { session: null; means: Means }> {
  if (preference === "server") return onServer("so it is set");
  const graphics = isGraphicsTried(abilities, preference) ? await onGraphics(decoder, files.graphics) : null;
  if (graphics !== null && preference === "graphics") return graphics;
  const missed = preference === "graphics" ? " There is no graphics card for it." : "";
  const processor = await onProcessor(decoder, files.processor, abilities, missed);
  if (graphics === null) return processor;
  if (processor.session === null) return graphics;
  const [cardMs, processorMs] = [await timeOf(graphics, feeds), await timeOf(processor, feeds)];
  const loser = cardMs <= processorMs ? processor : graphics;
  await loser.session.release();
  const took = `a mask takes it ${Math.round(Math.min(cardMs, processorMs))} ms`;
  if (loser === processor) return { ...graphics, means: { ...graphics.means, note: `${graphics.means.note.slice(0, -1)}: ${took}.` } };
  return { ...processor, means: { ...processor.means, note: `${processor.means.note} The graphics card is slower.` } };
}

async function onProcessor(
  decoder: Uint8Array,
  files: RuntimeFiles,
  abilities: Abilities,
  missed: string,
): Promise<Opened | { session: null; means: Means }> {
  const tries = threadsToTry(abilities);
  if (tries.length === 0) return onServer("this browser has no WebAssembly with SIMD");
  const ort = await import("onnxruntime-web/wasm");
  let reason = "";
  for (const threads of tries) {
    ort.env.wasm.numThreads = threads;
    ort.env.wasm.wasmPaths = { ...files };
    try {
      const session = await ort.InferenceSession.create(decoder, {
        executionProviders: ["wasm"],
        graphOptimizationLevel: "all",
      });
      const note = noteOf(threads, abilities, reason) + missed;
      return { session, tensor: ort.Tensor, means: { where: "browser", threads, note } };
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error);
    }
  }
  return onServer(reason);
}

/** The decoder on WebGPU; null when it does not start. */
async function onGraphics(decoder: Uint8Array, files: RuntimeFiles): Promise<Opened | null> {
  try {
    const ort = await import("onnxruntime-web/webgpu");
    ort.env.wasm.numThreads = 1;
    ort.env.wasm.wasmPaths = { ...files };
    const session = await ort.InferenceSession.create(decoder, {
      executionProviders: ["webgpu"],
      // Shapes are computed on the processor, and a warning of the runtime that this is so helps nobody.
      logSeverityLevel: 3,
      graphOptimizationLevel: "all",
    });
    const note = "Decoding in this browser on the graphics card.";
    return { session, tensor: ort.Tensor, means: { where: "browser", threads: 0, note } };
  } catch {
    return null;
  }
}

/** Milliseconds of one decode, in the median; infinite when it fails. */
async function timeOf({ session, tensor }: Opened, feeds: Feeds): Promise<number> {
  const inputs = feeds(tensor);
  const times: number[] = [];
  try {
    for (let i = 0; i <= TIMED; i += 1) {
      const start = performance.now();
      await session.run(inputs);
      times.push(performance.now() - start);
    }
  } catch {
    return Infinity;
  }
  return times.slice(1).sort((a, b) => a - b)[Math.floor(TIMED / 2)] ?? Infinity;
}

function noteOf(threads: number, abilities: Abilities, reason: string): string {
  if (threads > 1) return `Decoding in this browser with ${threads} threads.`;
  if (!abilities.hasThreads) return "Decoding in this browser with one thread: the page may not share memory.";
  if (reason !== "") return `Decoding in this browser with one thread: more did not start (${reason}).`;
  return "Decoding in this browser with one thread.";
}

function onServer(reason: string): { session: null; means: Means } {
  return { session: null, means: { where: "server", threads: 0, note: `Decoding on the server: ${reason}.` } };
}

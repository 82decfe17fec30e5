/** onnxruntime in a browser: which way of computing there is, tried from the fastest to the plainest. */

import type { InferenceSession } from "onnxruntime-web/wasm";

/** Where the two files of the runtime lie. */
export interface RuntimeFiles {
  readonly mjs: string;
  readonly wasm: string;
}

/** How decoding is computed, for the person. */
export interface Means {
  readonly where: "browser" | "server";
  readonly threads: number;
  /** One sentence: what is used, and why not something faster. */
  readonly note: string;
}

/** Beyond this more threads cost more than they bring for so small a model. */
const MOST_THREADS = 4;

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
}

export function findAbilities(): Abilities {
  const hasWasm = typeof WebAssembly === "object";
  return {
    hasSimd: hasWasm && WebAssembly.validate(SIMD_MODULE),
    hasThreads: typeof SharedArrayBuffer === "function" && (globalThis.crossOriginIsolated as boolean | undefined) === true,
    cores: navigator.hardwareConcurrency,
  };
}

/** Numbers of threads to try, in order; none when this browser cannot run the model at all. */
export function threadsToTry(abilities: Abilities): readonly number[] {
  if (!abilities.hasSimd) return [];
  const most = abilities.hasThreads ? Math.min(MOST_THREADS, Math.max(1, abilities.cores - 1)) : 1;
  return most > 1 ? [most, 1] : [1];
}

/** A session of `decoder` with as many threads as work here; null with the reason when none does. */
export async function openSession(
  decoder: Uint8Array,
  files: RuntimeFiles,
  abilities: Abilities,
): Promise<{ session: InferenceSession; means: Means } | { session: null; means: Means }> {
  const tries = threadsToTry(abilities);
  if (tries.length === 0) return onServer("this browser has no WebAssembly with SIMD");
  const ort = await import("onnxruntime-web/wasm");
  let reason = "";
  for (const threads of tries) {
    ort.env.wasm.numThreads = threads;
    ort.env.wasm.wasmPaths = { mjs: files.mjs, wasm: files.wasm };
    try {
      const session = await ort.InferenceSession.create(decoder, {
        executionProviders: ["wasm"],
        graphOptimizationLevel: "all",
      });
      return { session, means: { where: "browser", threads, note: noteOf(threads, abilities, reason) } };
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error);
    }
  }
  return onServer(reason);
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

/** The decoder in a thread of its own, so that the page never waits for it. */

import graphicsMjs from "onnxruntime-web/ort-wasm-simd-threaded.asyncify.mjs?url";
import graphicsWasm from "onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm?url";
import mjs from "onnxruntime-web/ort-wasm-simd-threaded.mjs?url";
import wasm from "onnxruntime-web/ort-wasm-simd-threaded.wasm?url";

import { type Decoded, type ModelInfo, PictureDecoder, probeFeeds } from "./decoding";
import { type Embedding, parseEmbedding } from "./embedding";
import { findAbilities, type Means, type Opened, openSession, type Preference } from "./runtime";
import type { Prompt } from "./state";

/** What the page asks; every request has a number that its answer repeats. */
export type Request =
  | {
      readonly kind: "open";
      readonly model: ModelInfo;
      readonly decoder: ArrayBuffer;
      readonly preference: Preference;
      readonly cores: number;
    }
  | { readonly kind: "picture"; readonly embedding: ArrayBuffer }
  | { readonly kind: "decode"; readonly prompt: Prompt; readonly logits: Float32Array | null };

export type Response =
  | { readonly kind: "opened"; readonly means: Means }
  | { readonly kind: "ready" }
  | { readonly kind: "decoded"; readonly decoded: Decoded; readonly means: Means }
  | { readonly kind: "failed"; readonly message: string };

/** What was opened, and what it takes to open it again. */
interface Open extends Given {
  readonly opened: Opened;
}

interface Given {
  readonly model: ModelInfo;
  readonly decoder: Uint8Array;
  readonly cores: number;
}

let open: Open | null = null;
let embedding: Embedding | null = null;
let picture: PictureDecoder | null = null;

const absolute = (path: string): string => new URL(path, self.location.href).href;
const FILES = {
  processor: { mjs: absolute(mjs), wasm: absolute(wasm) },
  graphics: { mjs: absolute(graphicsMjs), wasm: absolute(graphicsWasm) },
};

async function openDecoder(given: Given, preference: Preference): Promise<Means> {
  const { model, decoder, cores } = given;
  const abilities = await findAbilities(cores);
  const result = await openSession(decoder, FILES, abilities, preference, (tensor) => probeFeeds(model, tensor));
  open = result.session === null ? null : { model, decoder, cores, opened: result };
  return result.means;
}

function take(next: Embedding): void {
  if (open === null) throw new Error("the decoder is not open yet");
  embedding = next;
  picture = new PictureDecoder(open.opened.session, open.opened.tensor, open.model, next);
}

/** The answer; a graphics card that fails is left for the processor. */
async function decode(prompt: Prompt, logits: Float32Array | null): Promise<Decoded> {
  if (picture === null) throw new Error("no picture is open");
  try {
    return await picture.decode(prompt, logits);
  } catch (error) {
    if (open?.opened.means.threads !== 0 || embedding === null) throw error;
    await openDecoder(open, "processor");
    take(embedding);
    return picture.decode(prompt, logits);
  }
}

async function answer(request: Request): Promise<Response> {
  if (request.kind === "open") {
    const { model, decoder, cores, preference } = request;
    return { kind: "opened", means: await openDecoder({ model, decoder: new Uint8Array(decoder), cores }, preference) };
  }
  if (request.kind === "picture") {
    take(parseEmbedding(request.embedding));
    return { kind: "ready" };
  }
  const decoded = await decode(request.prompt, request.logits);
  if (open === null) throw new Error("the decoder is not open any more");
  return { kind: "decoded", decoded, means: open.opened.means };
}

self.addEventListener("message", (event: MessageEvent<{ id: number; request: Request }>) => {
  const { id, request } = event.data;
  answer(request)
    .catch((error: unknown): Response => {
      return { kind: "failed", message: error instanceof Error ? error.message : String(error) };
    })
    .then(
      (response) => {
        self.postMessage({ id, response });
      },
      () => undefined,
    );
});

/** The decoder in a thread of its own, so that the page never waits for it. */

import type { InferenceSession } from "onnxruntime-web/wasm";
import mjs from "onnxruntime-web/ort-wasm-simd-threaded.mjs?url";
import wasm from "onnxruntime-web/ort-wasm-simd-threaded.wasm?url";

import { type Decoded, type ModelInfo, PictureDecoder } from "./decoding";
import { parseEmbedding } from "./embedding";
import { findAbilities, type Means, openSession } from "./runtime";
import type { Prompt } from "./state";

/** What the page asks; every request has a number that its answer repeats. */
export type Request =
  | { readonly kind: "open"; readonly model: ModelInfo; readonly decoder: ArrayBuffer }
  | { readonly kind: "picture"; readonly embedding: ArrayBuffer }
  | { readonly kind: "decode"; readonly prompt: Prompt; readonly logits: Float32Array | null };

export type Response =
  | { readonly kind: "opened"; readonly means: Means }
  | { readonly kind: "ready" }
  | { readonly kind: "decoded"; readonly decoded: Decoded }
  | { readonly kind: "failed"; readonly message: string };

let session: InferenceSession | null = null;
let model: ModelInfo | null = null;
let picture: PictureDecoder | null = null;

async function answer(request: Request): Promise<Response> {
  if (request.kind === "open") {
    const files = { mjs: new URL(mjs, self.location.href).href, wasm: new URL(wasm, self.location.href).href };
    const opened = await openSession(new Uint8Array(request.decoder), files, findAbilities());
    ({ session } = opened);
    ({ model } = request);
    return { kind: "opened", means: opened.means };
  }
  if (request.kind === "picture") {
    if (session === null || model === null) throw new Error("the decoder is not open yet");
    const { Tensor } = await import("onnxruntime-web/wasm");
    picture = new PictureDecoder(session, Tensor, model, parseEmbedding(request.embedding));
    return { kind: "ready" };
  }
  if (picture === null) throw new Error("no picture is open");
  return { kind: "decoded", decoded: await picture.decode(request.prompt, request.logits) };
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

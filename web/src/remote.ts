/** Decoding on the server, for browsers that cannot. */

import { type Schemas, server, take } from "./client";
import { type Decoded, orderMasks } from "./decoding";
import type { Backend } from "./decoder";
import { fromHalves, toHalves } from "./embedding";
import { areaPx } from "./runs";
import { fromRle, toPromptRecord } from "./wire";

/** Base64 of float16 values, little endian. */
export function encodeLogits(logits: Float32Array): string {
  const bytes = new Uint8Array(toHalves(logits).buffer);
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

export function decodeLogits(text: string): Float32Array {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  return fromHalves(new Uint16Array(bytes.buffer));
}

/** The server's answer in the tool's own form. */
export function toDecoded(answer: Schemas["Decoded"]): Decoded {
  return orderMasks(
    answer.masks.map((mask) => {
      const runs = fromRle(mask.rle);
      return { runs, areaPx: areaPx(runs), predictedIou: mask.predicted_iou, logits: decodeLogits(mask.logits) };
    }),
  );
}

/** `note` says why the server decodes, `model` by which model. */
export function remoteBackend(note: string, model: string): Backend & { openImage: (imageId: number) => void } {
  let imageId = 0;
  return {
    means: { where: "server", threads: 0, note },
    openImage(id) {
      imageId = id;
    },
    open(id) {
      imageId = id;
      return Promise.resolve();
    },
    async decode(prompt, logits) {
      const answer = await take(
        server.POST("/api/v1/images/{image_id}/decode", {
          params: { path: { image_id: imageId } },
          body: {
            model,
            prompt: toPromptRecord(prompt, logits !== null),
            mask_logits: logits === null ? null : encodeLogits(logits),
          },
        }),
      );
      return toDecoded(answer);
    },
    close: () => undefined,
  };
}

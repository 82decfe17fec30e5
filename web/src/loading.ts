/** What the tool fetches before work on a picture can begin. */

import { type Schemas, server, ServerError, take, toError } from "./client";
import type { ModelInfo } from "./decoding";
import type { Opened } from "./editor";
import type { Log } from "./log";
import { applyActions, followActions, fromMask, knownOf } from "./wire";

type Image = Schemas["Image"];

const LONGEST_WAIT_S = 20;
const RETRY_MS = 1500;

export function modelInfoOf(model: Schemas["Model"]): ModelInfo {
  return {
    sha256: model.sha256,
    inputSize: model.input_size,
    maskSize: model.mask_size,
    maskThreshold: model.mask_threshold,
    maps: model.maps.map(({ tensor, input, shape }) => ({ tensor, input, shape })),
  };
}

/** The picture as the server has it now. */
export async function loadImage(imageId: number): Promise<Image> {
  return take(server.GET("/api/v1/images/{image_id}", { params: { path: { image_id: imageId } } }));
}

/** A model that the server has, current or not. */
export async function loadModel(sha256: string): Promise<Schemas["Model"]> {
  return take(server.GET("/api/v1/models/{sha256}", { params: { path: { sha256 } } }));
}

async function fetchOk(url: string, signal?: AbortSignal): Promise<Response> {
  const response = await fetch(url, signal === undefined ? {} : { signal });
  if (!response.ok) throw toError(await response.json().catch(() => null), response.status);
  return response;
}

/** The file at `url` of this server. */
export async function fetchBytes(url: string, signal?: AbortSignal): Promise<ArrayBuffer> {
  return (await fetchOk(url, signal)).arrayBuffer();
}

/** The picture's pixels as they are stored: no colour is changed, none is blended. */
export async function loadPixels(image: Pick<Image, "pixels_url">, signal?: AbortSignal): Promise<ImageBitmap> {
  const blob = await (await fetchOk(image.pixels_url, signal)).blob();
  return createImageBitmap(blob, { imageOrientation: "none", premultiplyAlpha: "none" });
}

/** The picture's embedding, waited for while the server makes it; `onWait` is told each time it is not there yet. */
export async function loadEmbedding(image: Image, signal: AbortSignal, onWait: () => void): Promise<ArrayBuffer> {
  const url = new URL(image.embedding_url, globalThis.location.href);
  for (;;) {
    try {
      return await fetchBytes(url.href, signal);
    } catch (error) {
      if (!(error instanceof ServerError) || error.status !== 503) throw error;
      onWait();
      url.searchParams.set("wait_s", String(LONGEST_WAIT_S));
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

/** Fills the browser's cache with what the next pictures need. */
export function fetchAhead(images: readonly Image[]): void {
  for (const image of images) {
    for (const url of [image.pixels_url, ...(image.embedding === "ready" ? [image.embedding_url] : [])]) {
      fetch(url, { priority: "low" }).catch(() => undefined);
    }
  }
}

/** The masks of a picture, as the server has them with what was done here since. */
export async function loadWork(image: Image, log: Log, personId: number): Promise<Opened> {
  const path = { image_id: image.id };
  const keptOf = () => log.pending(personId, image.id);
  let pending = await keptOf();
  let masks: Schemas["Mask"][];
  for (;;) {
    ({ masks } = await take(
      server.GET("/api/v1/images/{image_id}/masks", { params: { path, query: { with_deleted: true } } }),
    ));
    const still = await keptOf();
    const keys = new Set(still.map((action) => action.key));
    const isUnsent = pending.every((action) => keys.has(action.key));
    pending = still;
    // What was sent meanwhile is no longer kept here, and may be missing from the answer.
    if (isUnsent) break;
  }
  const known = knownOf(masks);
  const sizeHw = [image.height, image.width] as const;
  const shown = masks.filter((mask) => known.get(mask.id)?.isGone !== true);
  const conflicts = await log.conflicts(image.id);
  const stopped = conflicts.flatMap((conflict) => conflict.actions);
  followActions(known, pending);
  return {
    picture: { id: image.id, name: image.file_name, sizeHw },
    masks: applyActions(
      shown.map((mask, index) => fromMask(mask, index)),
      [...stopped, ...pending],
      sizeHw,
    ),
    known,
    draft: await log.draft(image.id),
    conflicts,
  };
}

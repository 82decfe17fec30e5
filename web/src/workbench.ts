/** One person's place of work: the editor with its log, its decoder, and the task at hand. */

import { type Schemas, server, ServerError, take } from "./client";
import { type Backend, Decoder, startWorker } from "./decoder";
import { Editor } from "./editor";
import { fetchAhead, fetchBytes, loadEmbedding, loadImage, loadModel, loadPixels, loadWork, modelInfoOf } from "./loading";
import type { HeldLease, Log } from "./log";
import { remoteBackend } from "./remote";
import type { Means, Preference } from "./runtime";
import { type Saving, Sync, type Wire } from "./sync";

/** How far the model is with the open picture. */
export type Readiness = "none" | "loading" | "waiting" | "ready" | "failed";

/** What the page shows besides the editor's own state. */
export interface Bench {
  readonly task: Schemas["Task"] | null;
  readonly saving: Saving;
  readonly means: Means | null;
  readonly preference: Preference;
  readonly readiness: Readiness;
  /** A sentence about something that went wrong; empty when all is well. */
  readonly trouble: string;
}

/** Name of the setting that says what to decode with. */
const DECODING = "decoding";

const wire: Wire = {
  async send(imageId, lease, actions) {
    const { data, error, response } = await server.POST("/api/v1/images/{image_id}/actions", {
      params: { path: { image_id: imageId } },
      body: { lease: lease === null ? null : { task_id: lease.task_id, token: lease.token }, actions: [...actions] },
    });
    if (data !== undefined) return data;
    if ("results" in error) return error;
    return take(Promise.resolve({ error, response }));
  },
  async lease(imageId) {
    const task = await take(
      server.POST("/api/v1/images/{image_id}/task", { params: { path: { image_id: imageId } }, body: { kind: "annotate" } }),
    );
    return { imageId, task_id: task.lease.task_id, token: task.lease.token };
  },
};

export class Workbench {
  readonly editor: Editor;
  private readonly sync: Sync;
  private decoder: { readonly sha256: string; readonly made: Promise<Decoder> } | null = null;
  private opening = new AbortController();
  private heartbeat: ReturnType<typeof setInterval> | null = null;
  private bench: Bench = {
    task: null,
    saving: { state: "saved", pending: 0, message: "" },
    means: null,
    preference: "automatic",
    readiness: "none",
    trouble: "",
  };
  private readonly listeners = new Set<() => void>();
  private readonly onOnline = (): void => {
    this.sync.kick();
  };
  private pixels: ImageBitmap | null = null;
  private onPixels: ((pixels: ImageBitmap) => void) | null = null;

  constructor(
    private readonly log: Log,
    private readonly model: Schemas["Model"],
    private readonly personId: number,
    private readonly onSignedOut: () => void,
  ) {
    this.sync = new Sync(
      log,
      wire,
      personId,
      (saving) => {
        if (saving.state === "signed-out" && this.bench.saving.state !== "signed-out") this.onSignedOut();
        this.say({ saving });
      },
      () => void this.editor.reloadConflicts(),
    );
    this.editor = new Editor({
      log,
      personId,
      onSaving: () => {
        this.sync.expect();
      },
      onSaved: () => {
        this.sync.arrived();
      },
    });
  }

  /** What waits from before is sent; ended by `stop`, and begun again by another call. */
  start(): void {
    globalThis.addEventListener("online", this.onOnline);
    this.sync.start();
  }

  /** Pictures are drawn by `onPixels` from now on, the open one too; by nobody with null. */
  showPixels(onPixels: ((pixels: ImageBitmap) => void) | null): void {
    this.onPixels = onPixels;
    if (this.pixels !== null) onPixels?.(this.pixels);
  }

  readonly getSnapshot = (): Bench => this.bench;
  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Sends what waits, for example after signing in again. */
  send(): void {
    this.sync.kick();
  }

  /** Work on the picture of `task` begins. */
  async open(task: Schemas["Task"], idleMs: number): Promise<void> {
    this.opening.abort();
    this.opening = new AbortController();
    const { signal } = this.opening;
    const isOver = (): boolean => signal.aborted;
    const { image, lease } = task;
    this.editor.setDecoder(null);
    this.say({ task, readiness: "loading", trouble: "" });
    const held: HeldLease = { imageId: image.id, task_id: lease.task_id, token: lease.token };
    await this.log.keepLease(held);
    const [pixels, opened] = await Promise.all([loadPixels(image, signal), loadWork(image, this.log, this.personId)]);
    if (isOver()) return;
    this.pixels?.close();
    this.pixels = pixels;
    this.onPixels?.(pixels);
    this.editor.open(opened, idleMs);
    await this.editor.reloadConflicts();
    this.beat(task);
    this.sync.kick();
    await this.ready(image, signal);
    if (!isOver()) fetchAhead(task.upcoming);
  }

  /** The object in progress is kept, everything is sent, and the task ends. */
  async finish(): Promise<void> {
    const { task } = this.bench;
    await this.editor.keepObject();
    if (this.bench.task !== task) return; // skipped, or left, while its answer was awaited
    await this.end(async (task, token) =>
      take(server.POST("/api/v1/tasks/{task_id}/finish", { params: { path: { task_id: task } }, body: { token } })),
    );
  }

  async skip(reason: string): Promise<void> {
    await this.end(async (task, token) =>
      take(server.POST("/api/v1/tasks/{task_id}/skip", { params: { path: { task_id: task } }, body: { token, reason } })),
    );
  }

  /** From now on decoding is done so, on this picture too; kept for the next time. */
  async decodeWith(preference: Preference): Promise<void> {
    await this.log.keepSetting(DECODING, preference);
    this.editor.setDecoder(null);
    this.closeDecoder();
    const { task } = this.bench;
    if (task === null) this.say({ preference });
    else {
      this.say({ preference, readiness: "loading" });
      await this.ready(task.image, this.opening.signal);
    }
  }

  stop(): void {
    this.opening.abort();
    this.sync.stop();
    globalThis.removeEventListener("online", this.onOnline);
    if (this.heartbeat !== null) clearInterval(this.heartbeat);
    this.closeDecoder();
  }

  private async end(how: (taskId: number, token: number) => Promise<unknown>): Promise<void> {
    const { task } = this.bench;
    if (task === null) return;
    await this.editor.saved;
    const saving = await this.sync.settled();
    if (saving.state !== "saved") {
      throw new ServerError(`Not everything is saved yet: ${saving.message} Try again then.`, 0, "unsaved");
    }
    const lease = await this.log.lease(task.image.id);
    await how(lease?.task_id ?? task.lease.task_id, lease?.token ?? task.lease.token);
    this.say({ task: null });
  }

  /** The embedding is fetched and given to the decoder of the model that made it. */
  private async ready(image: Schemas["Image"], signal: AbortSignal): Promise<void> {
    try {
      const [decoder, embedding] = await this.loadModelWork(image, signal);
      if (signal.aborted) return;
      await decoder.open(image.id, embedding);
      this.editor.setDecoder(decoder);
      this.say({ readiness: "ready" });
    } catch (error) {
      if (signal.aborted) return;
      this.say({ readiness: "failed", trouble: error instanceof Error ? error.message : String(error) });
    }
  }

  /** Decoder and embedding of one model. When another became current before its embedding was there, of that one. */
  private async loadModelWork(image: Schemas["Image"], signal: AbortSignal): Promise<[Decoder, ArrayBuffer]> {
    const onWait = (): void => {
      this.say({ readiness: "waiting" });
    };
    try {
      return await Promise.all([this.decoderOf(image.model_sha256), loadEmbedding(image, signal, onWait)]);
    } catch (error) {
      if (!(error instanceof ServerError) || error.status !== 409) throw error;
      const now = await loadImage(image.id);
      return Promise.all([this.decoderOf(now.model_sha256), loadEmbedding(now, signal, onWait)]);
    }
  }

  private decoderOf(sha256: string): Promise<Decoder> {
    if (this.decoder?.sha256 === sha256) return this.decoder.made;
    this.closeDecoder();
    const made = this.makeDecoder(sha256);
    this.decoder = { sha256, made };
    // A decoder that could not be fetched is fetched again for the next picture.
    made.catch(() => {
      if (this.decoder?.made === made) this.decoder = null;
    });
    return made;
  }

  private closeDecoder(): void {
    this.decoder?.made.then(
      (decoder) => {
        decoder.close();
      },
      () => undefined,
    );
    this.decoder = null;
  }

  private async makeDecoder(sha256: string): Promise<Decoder> {
    // The server may have another model than when the page was loaded.
    const served = sha256 === this.model.sha256 ? this.model : await loadModel(sha256);
    const model = modelInfoOf(served);
    const preference = (await this.log.setting<Preference>(DECODING)) ?? "automatic";
    this.say({ preference });
    const { backend, means } = await startWorker(model, await fetchBytes(served.decoder_url), preference);
    const remote = (note: string): Backend => {
      const answering = remoteBackend(note, sha256);
      answering.openImage(this.bench.task?.image.id ?? 0);
      return answering;
    };
    return new Decoder(
      backend ?? remote(means.note),
      model,
      (reason) => remote(`Decoding on the server: ${reason}.`),
      (now) => {
        this.say({ means: now });
      },
    );
  }

  /** The server is told now and then that somebody is still here. */
  private beat(task: Schemas["Task"]): void {
    if (this.heartbeat !== null) clearInterval(this.heartbeat);
    this.heartbeat = setInterval(
      () => void this.beatOnce(task.image.id),
      Math.max(5, task.lease.lease_s / 3) * 1000,
    );
  }

  private async beatOnce(imageId: number): Promise<void> {
    const lease = await this.log.lease(imageId);
    if (lease === null) return;
    const path = { task_id: lease.task_id };
    await server.POST("/api/v1/tasks/{task_id}/heartbeat", { params: { path }, body: { token: lease.token } }).catch(() => undefined);
  }

  private say(change: Partial<Bench>): void {
    this.bench = { ...this.bench, ...change };
    for (const listener of this.listeners) listener();
  }
}

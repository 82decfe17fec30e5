/** The page's side of decoding: the worker, the server when the browser cannot, and answers that refine answers. */

import type { Decoded, ModelInfo } from "./decoding";
import type { Request, Response } from "./decoder.worker";
import { NewestWins } from "./newest";
import type { Means, Preference } from "./runtime";
import type { Answer, Candidate, Draft, Prompt, Runs } from "./state";

/** What computes answers: the worker, or the server. */
export interface Backend {
  readonly means: Means;
  /** Takes the picture whose prompts follow. */
  open(imageId: number, embedding: ArrayBuffer): Promise<void>;
  decode(prompt: Prompt, logits: Float32Array | null): Promise<Decoded>;
  close(): void;
}

/** An answer with the first one of its object. */
interface Resolved extends Decoded {
  readonly first: Runs;
}

/** So many answers keep their logits; older ones are computed again when an undo needs them. */
const KEPT_ANSWERS = 64;

/** The decoder in a worker; null with the reason when this browser cannot run it. */
export async function startWorker(
  model: ModelInfo,
  decoder: ArrayBuffer,
  preference: Preference,
): Promise<{ backend: Backend | null; means: Means }> {
  const worker = new Worker(new URL("./decoder.worker.ts", import.meta.url), { type: "module" });
  const ask = asker(worker);
  try {
    const cores = navigator.hardwareConcurrency;
    const opened = await ask({ kind: "open", model, decoder, preference, cores }, [decoder]);
    if (opened.kind !== "opened") throw new Error("the decoder answered something else");
    if (opened.means.where === "server") {
      worker.terminate();
      return { backend: null, means: opened.means };
    }
    return { backend: workerBackend(worker, ask, opened.means), means: opened.means };
  } catch (error) {
    worker.terminate();
    const why = error instanceof Error ? error.message : String(error);
    return { backend: null, means: { where: "server", threads: 0, note: `Decoding on the server: ${why}.` } };
  }
}

type Ask = (request: Request, transfer?: Transferable[]) => Promise<Response>;

/** Requests with numbers, so that each answer finds its asker; rejects when the worker breaks. */
function asker(worker: Worker): Ask {
  const open = new Map<number, { resolve: (response: Response) => void; reject: (error: Error) => void }>();
  let last = 0;
  worker.addEventListener("message", (event: MessageEvent<{ id: number; response: Response }>) => {
    const { id, response } = event.data;
    const waiting = open.get(id);
    open.delete(id);
    if (response.kind === "failed") waiting?.reject(new Error(response.message));
    else waiting?.resolve(response);
  });
  worker.addEventListener("error", (event) => {
    const error = new Error(event.message === "" ? "the decoder's thread did not start" : event.message);
    for (const waiting of open.values()) waiting.reject(error);
    open.clear();
  });
  return (request, transfer = []) =>
    new Promise((resolve, reject) => {
      last += 1;
      open.set(last, { resolve, reject });
      worker.postMessage({ id: last, request }, transfer);
    });
}

function workerBackend(worker: Worker, ask: Ask, opened: Means): Backend {
  let means = opened;
  return {
    get means() {
      return means;
    },
    async open(_imageId, embedding) {
      await ask({ kind: "picture", embedding }, [embedding]);
    },
    async decode(prompt, logits) {
      const response = await ask({ kind: "decode", prompt, logits });
      if (response.kind !== "decoded") throw new Error("the decoder answered something else");
      ({ means } = response);
      return response.decoded;
    },
    close() {
      worker.terminate();
    },
  };
}

/** Answers prompts on the open picture, clicks in order and hovers newest first. */
export class Decoder {
  private readonly queue = new NewestWins();
  private readonly answers = new Map<Prompt, Resolved>();

  constructor(
    private backend: Backend,
    private readonly model: ModelInfo,
    /** Takes over when the first backend breaks; null when there is no other. */
    private readonly fallback: ((reason: string) => Backend) | null,
    private readonly onMeans: (means: Means) => void,
  ) {
    onMeans(backend.means);
  }

  /** Forgets the picture before; prompts that follow are on this one. */
  async open(imageId: number, embedding: ArrayBuffer): Promise<void> {
    this.answers.clear();
    this.queue.dropHover();
    await this.queue.click(() => this.backend.open(imageId, embedding));
  }

  /** The answer to a draft; its earlier answers are computed again where they were forgotten. */
  async answer(draft: Draft): Promise<Answer> {
    return this.toAnswer(await this.queue.click(() => this.resolve(draft)));
  }

  /** The mask the model sees at a place; null when a newer question took its turn. */
  async hover(prompt: Prompt): Promise<Candidate | null> {
    const decoded = await this.queue.latest(() => this.run(prompt, null));
    if (decoded === null) return null;
    return decoded.masks[decoded.best] ?? null;
  }

  stopHover(): void {
    this.queue.dropHover();
  }

  close(): void {
    this.queue.dropHover();
    this.backend.close();
  }

  private async resolve(draft: Draft): Promise<Resolved> {
    const known = this.answers.get(draft.prompt);
    if (known !== undefined) return known;
    const { before } = draft;
    const earlier = before === null ? null : await this.resolve(before);
    const logits = earlier?.masks[before?.picked ?? earlier.best]?.logits ?? null;
    const answered = await this.run(draft.prompt, logits);
    const decoded: Resolved = { ...answered, first: earlier?.first ?? bestOf(answered) };
    this.answers.set(draft.prompt, decoded);
    const [oldest] = this.answers.keys();
    if (this.answers.size > KEPT_ANSWERS && oldest !== undefined) this.answers.delete(oldest);
    return decoded;
  }

  private async run(prompt: Prompt, logits: Float32Array | null): Promise<Decoded> {
    const { means } = this.backend;
    try {
      const decoded = await this.backend.decode(prompt, logits);
      if (this.backend.means.note !== means.note) this.onMeans(this.backend.means);
      return decoded;
    } catch (error) {
      if (this.fallback === null || this.backend.means.where === "server") throw error;
      const reason = error instanceof Error ? error.message : String(error);
      this.backend.close();
      this.backend = this.fallback(reason);
      this.onMeans(this.backend.means);
      return this.backend.decode(prompt, logits);
    }
  }

  private toAnswer(decoded: Resolved): Answer {
    const candidates = decoded.masks.map(({ runs, areaPx, predictedIou }) => ({ runs, areaPx, predictedIou }));
    return {
      candidates,
      best: decoded.best,
      first: decoded.first,
      modelSha256: this.model.sha256,
      decodedOn: this.backend.means.where,
    };
  }
}

function bestOf(decoded: Decoded): Runs {
  const best = decoded.masks[decoded.best];
  if (best === undefined) throw new Error("the model gave no mask");
  return best.runs;
}

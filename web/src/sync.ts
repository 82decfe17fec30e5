/** The log to the server: in order, as often as needed, each action once. */

import type { Schemas, ServerError } from "./client";
import type { Entry, HeldLease, Log } from "./log";

/** How saving goes, for the person. */
export interface Saving {
  readonly state: "saved" | "saving" | "offline" | "unwritable" | "signed-out" | "lease-lost" | "conflict";
  readonly pending: number;
  /** One sentence; empty when all is well. */
  readonly message: string;
}

/** What sending needs of the server. */
export interface Wire {
  /** Sends actions; resolves for a BatchResult of either status. Throws ServerError for everything else. */
  send(imageId: number, lease: HeldLease | null, actions: readonly Schemas["Action"][]): Promise<Schemas["BatchResult"]>;
  /** Leases the picture anew. Throws ServerError when somebody else holds it. */
  lease(imageId: number): Promise<HeldLease>;
}

/** Actions in one request. */
const BATCH = 50;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;

export class Sync {
  private isRunning = false;
  private isWanted = false;
  private isStopped = false;
  private pauseMs = FIRST_PAUSE_MS;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private saving: Saving = { state: "saved", pending: 0, message: "" };
  /** Entries on their way into the log: until they are there, nothing counts as saved. */
  private expected = 0;

  constructor(
    private readonly log: Log,
    private readonly wire: Wire,
    private readonly personId: number,
    private readonly onSaving: (saving: Saving) => void,
    /** The server refused something: both versions are in the log. */
    private readonly onConflict: (imageId: number) => void,
  ) {}

  /** Sends what waits, now. */
  kick(): void {
    if (this.isStopped) return;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.isWanted = true;
    if (!this.isRunning) void this.run();
  }

  /** Something is on its way into the log. */
  expect(): void {
    this.expected += 1;
    if (this.saving.state === "saved") this.report({ state: "saving", pending: this.expected, message: "" });
  }

  /** What was expected is in the log: it is sent. */
  arrived(): void {
    this.expected -= 1;
    this.kick();
  }

  /** Sends what waits, and everything that is kicked until `stop`. */
  start(): void {
    this.isStopped = false;
    this.kick();
  }

  stop(): void {
    this.isStopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
  }

  /** Resolves when everything that waits has been sent or cannot be sent now. */
  async settled(): Promise<Saving> {
    this.kick();
    while (this.isRunning) await new Promise((resolve) => setTimeout(resolve, 20));
    return this.saving;
  }

  private async run(): Promise<void> {
    this.isRunning = true;
    try {
      while (this.isWanted && !this.isStopped) {
        this.isWanted = false;
        await oneAtATime(() => this.drain());
      }
    } finally {
      this.isRunning = false;
    }
  }

  private async drain(): Promise<void> {
    for (;;) {
      const batch = await this.log.oldest(this.personId, BATCH);
      if (this.isStopped) return;
      const [first] = batch;
      if (first === undefined) {
        this.pauseMs = FIRST_PAUSE_MS;
        const state = this.expected > 0 ? "saving" : "saved";
        this.report({ state, pending: this.expected, message: "" });
        return;
      }
      this.report({ state: "saving", pending: await this.log.count(), message: "" });
      try {
        await this.sendBatch(first.imageId, batch);
        this.pauseMs = FIRST_PAUSE_MS;
      } catch (error) {
        await this.giveUpForNow(error as ServerError);
        return;
      }
    }
  }

  private async sendBatch(imageId: number, batch: readonly Entry[]): Promise<void> {
    const actions = batch.map((entry) => entry.action);
    let lease = await this.log.lease(imageId);
    let result: Schemas["BatchResult"];
    try {
      result = await this.wire.send(imageId, lease, actions);
    } catch (error) {
      if ((error as ServerError).kind !== "lease_lost") throw error;
      lease = await this.wire.lease(imageId);
      await this.log.keepLease(lease);
      result = await this.wire.send(imageId, lease, actions);
    }
    await this.settle(imageId, batch, result);
  }

  private async settle(imageId: number, batch: readonly Entry[], result: Schemas["BatchResult"]): Promise<void> {
    const outcomes = new Map(result.results.map((one) => [one.key, one]));
    const outcomeOf = (entry: Entry): string => outcomes.get(entry.action.key)?.outcome ?? "not_tried";
    await this.log.remove(batch.filter((entry) => ["applied", "repeated"].includes(outcomeOf(entry))));
    const stopped = batch.find((entry) => ["conflict", "refused"].includes(outcomeOf(entry)));
    if (stopped === undefined) return;
    const answer = outcomes.get(stopped.action.key);
    await this.log.setAside({
      maskId: stopped.action.mask_id,
      personId: this.personId,
      imageId,
      theirs: answer?.conflict?.theirs ?? answer?.mask ?? null,
      message: answer?.message ?? null,
    });
    this.onConflict(imageId);
  }

  private async giveUpForNow(error: ServerError): Promise<void> {
    const pending = await this.log.count();
    if (error.status === 401 || error.kind === "csrf") {
      this.report({ state: "signed-out", pending, message: "You are signed out; sign in again and it will be saved." });
      return;
    }
    if (error.status === 409) {
      this.report({ state: "lease-lost", pending, message: error.message });
    } else {
      // The server is there, but its disk is full or read-only: waiting is of use, calling somebody more so.
      const state = error.kind === "not_writable" ? "unwritable" : "offline";
      this.report({ state, pending, message: error.message });
    }
    this.timer = setTimeout(() => {
      this.kick();
    }, this.pauseMs);
    this.pauseMs = Math.min(LONGEST_PAUSE_MS, this.pauseMs * 2);
  }

  private report(saving: Saving): void {
    this.saving = saving;
    this.onSaving(saving);
  }
}

/** Of all tabs of this browser one sends at a time, so that order is kept. */
async function oneAtATime(work: () => Promise<void>): Promise<void> {
  const locks = (globalThis.navigator as { locks?: LockManager } | undefined)?.locks;
  if (locks === undefined) await work();
  else await locks.request("anymask-send", work);
}

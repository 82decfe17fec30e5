/** Working time: how long a person was busy, with longer pauses left out. */

export class Activity {
  private activeMs = 0;
  private lastMs: number | null = null;

  /** A pause longer than `idleMs` is none of it. */
  constructor(private readonly idleMs: number) {}

  /** The person did something. */
  touch(nowMs: number): void {
    if (this.lastMs !== null && nowMs > this.lastMs && nowMs - this.lastMs <= this.idleMs) {
      this.activeMs += nowMs - this.lastMs;
    }
    this.lastMs = nowMs;
  }

  /** Working time since the last `reset`, in milliseconds. */
  since(nowMs: number): number {
    this.touch(nowMs);
    return this.activeMs;
  }

  /** The count begins anew. */
  reset(): void {
    this.activeMs = 0;
  }
}

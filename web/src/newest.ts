/** One job at a time: clicks in order, and of hovers only the newest; at most one hover ever waits. */

interface Job<T> {
  readonly run: () => Promise<T>;
  readonly resolve: (value: T | null) => void;
  readonly reject: (reason: unknown) => void;
}

export class NewestWins {
  private isBusy = false;
  private readonly clicks: Job<unknown>[] = [];
  private hover: Job<unknown> | null = null;

  /** Hovers that wait: 0 or 1. */
  get waitingHovers(): number {
    return this.hover === null ? 0 : 1;
  }

  /** Runs after all clicks before it, and before any hover. */
  click<T>(run: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.clicks.push({ run, resolve: resolve as (value: unknown) => void, reject });
      this.next();
    });
  }

  /** Runs when nothing else is to be done; null when a newer hover took its place. */
  latest<T>(run: () => Promise<T>): Promise<T | null> {
    return new Promise<T | null>((resolve, reject) => {
      this.dropHover();
      this.hover = { run, resolve: resolve as (value: unknown) => void, reject };
      this.next();
    });
  }

  /** Answers the waiting hover, if any, with null. */
  dropHover(): void {
    this.hover?.resolve(null);
    this.hover = null;
  }

  private next(): void {
    if (this.isBusy) return;
    const job = this.clicks.shift() ?? this.hover;
    if (job === null) return;
    if (job === this.hover) this.hover = null;
    this.isBusy = true;
    job
      .run()
      .then(job.resolve, job.reject)
      .finally(() => {
        this.isBusy = false;
        this.next();
      });
  }
}

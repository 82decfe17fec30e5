/** From the decoder's low-res logits to a mask at the picture's own size, as the library does it. */

import type { Runs, Size } from "./state";

/** How a picture sits in the model's square input: longest side resized, the rest padded. */
export interface Frame {
  readonly originalHw: Size;
  readonly resizedHw: Size;
  /** Side of the padded input in pixels. */
  readonly inputSize: number;
}

/** The frame that puts the longest side at `inputSize`. */
export function fitFrame(originalHw: Size, inputSize: number): Frame {
  const scale = inputSize / Math.max(originalHw[0], originalHw[1]);
  const resize = (length: number): number => Math.max(1, Math.floor(length * scale + 0.5));
  return { originalHw, resizedHw: [resize(originalHw[0]), resize(originalHw[1])], inputSize };
}

/** Low-res cells that one pixel may be made of. */
const CELLS = 3;

/** Which low-res cells make each original pixel of one axis, and what each adds. */
export interface AxisWeights {
  /** The first of `CELLS` cells, for each pixel; never falls. */
  readonly first: Int32Array;
  /** `CELLS` shares for each pixel. */
  readonly shares: Float32Array;
}

/**
 * The two bilinear steps of the library in one: `lowSize` cells become `inputSize` pixels, the first `resized` of
 * which become `original`.
 */
export function axisWeights(lowSize: number, inputSize: number, resized: number, original: number): AxisWeights {
  const first = new Int32Array(original);
  const shares = new Float32Array(original * CELLS);
  for (let pixel = 0; pixel < original; pixel += 1) {
    const outer = between(pixel, resized, original);
    const inner = [between(outer.low, lowSize, inputSize), between(outer.high, lowSize, inputSize)] as const;
    const start = Math.max(0, Math.min(inner[0].low, lowSize - CELLS));
    first[pixel] = start;
    const add = (cell: number, share: number): void => {
      const at = pixel * CELLS + cell - start;
      shares[at] = (shares[at] ?? 0) + share;
    };
    for (const [i, { low, high, share }] of inner.entries()) {
      const weight = i === 0 ? 1 - outer.share : outer.share;
      add(low, weight * (1 - share));
      add(high, weight * share);
    }
  }
  return { first, shares };
}

/** The two of `from` samples between which sample `at` of `to` lies, and the share of the higher. */
function between(at: number, from: number, to: number): { low: number; high: number; share: number } {
  const position = Math.max(0, ((at + 0.5) * from) / to - 0.5);
  const low = Math.min(Math.floor(position), from - 1);
  return { low, high: Math.min(low + 1, from - 1), share: position - low };
}

/** Brings low-res logits of one picture to its own size. */
export class Tracer {
  private readonly rows: AxisWeights;
  private readonly columns: AxisWeights;
  /** The first original row whose cells begin at each low-res row, and one past the last. */
  private readonly rowStarts: Int32Array;

  constructor(
    readonly frame: Frame,
    readonly maskSize: number,
    readonly threshold: number,
  ) {
    const [h, w] = frame.resizedHw;
    this.rows = axisWeights(maskSize, frame.inputSize, h, frame.originalHw[0]);
    this.columns = axisWeights(maskSize, frame.inputSize, w, frame.originalHw[1]);
    this.rowStarts = new Int32Array(maskSize + 1).fill(frame.originalHw[0]);
    for (let y = frame.originalHw[0] - 1; y >= 0; y -= 1) this.rowStarts[this.rows.first[y] ?? 0] = y;
    for (let cell = maskSize - 1; cell >= 0; cell -= 1) {
      this.rowStarts[cell] = Math.min(this.rowStarts[cell] ?? 0, this.rowStarts[cell + 1] ?? 0);
    }
  }

  /** The mask where `logits`, (maskSize, maskSize) of the padded input, exceed the threshold. */
  trace(logits: Float32Array): Runs {
    const [height, width] = this.frame.originalHw;
    const edges: number[] = [];
    const column = new Float32Array(this.maskSize);
    const filled = this.filledCells(logits);
    let value = false;
    for (let x = 0; x < width; x += 1) {
      const first = this.columns.first[x] ?? 0;
      const top = x * height;
      if (filled.some(first)) {
        this.mix(logits, x, column);
        value = this.column(column, top, value, edges);
      } else if (value) {
        edges.push(top);
        value = false;
      }
    }
    return { sizeHw: this.frame.originalHw, edges: Uint32Array.from(edges) };
  }

  /** Which low-res columns hold anything above the threshold. */
  private filledCells(logits: Float32Array): { some: (first: number) => boolean } {
    const size = this.maskSize;
    const filled = new Uint8Array(size + CELLS);
    for (let i = 0; i < logits.length; i += 1) if ((logits[i] ?? 0) > this.threshold) filled[i % size] = 1;
    return { some: (first) => filled[first] === 1 || filled[first + 1] === 1 || filled[first + 2] === 1 };
  }

  /** The low-res column that stands for original column `x`. */
  private mix(logits: Float32Array, x: number, column: Float32Array): void {
    const first = this.columns.first[x] ?? 0;
    const a = this.columns.shares[x * CELLS] ?? 0;
    const b = this.columns.shares[x * CELLS + 1] ?? 0;
    const c = this.columns.shares[x * CELLS + 2] ?? 0;
    for (let row = 0, at = first; row < this.maskSize; row += 1, at += this.maskSize) {
      column[row] = a * (logits[at] ?? 0) + b * (logits[at + 1] ?? 0) + c * (logits[at + 2] ?? 0);
    }
  }

  /** The flips of one original column, appended to `edges`; `value` is that before its first pixel. */
  private column(column: Float32Array, top: number, value: boolean, edges: number[]): boolean {
    for (let cell = 0; cell < this.maskSize; cell += 1) {
      const start = this.rowStarts[cell] ?? 0;
      const end = this.rowStarts[cell + 1] ?? 0;
      if (start === end) continue;
      const [p, q, r] = [column[cell] ?? 0, column[cell + 1] ?? 0, column[cell + 2] ?? 0];
      const above = Number(p > this.threshold) + Number(q > this.threshold) + Number(r > this.threshold);
      if (above === 0 || above === CELLS) {
        // Between values on one side of the threshold everything is on that side.
        if (value !== (above === CELLS)) edges.push(top + start);
        value = above === CELLS;
        continue;
      }
      for (let y = start; y < end; y += 1) {
        const at = y * CELLS;
        const { shares } = this.rows;
        const logit = p * (shares[at] ?? 0) + q * (shares[at + 1] ?? 0) + r * (shares[at + 2] ?? 0);
        if (logit > this.threshold !== value) {
          edges.push(top + y);
          value = !value;
        }
      }
    }
    return value;
  }
}

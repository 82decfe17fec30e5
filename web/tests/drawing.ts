/** Masks drawn in tests as rows of text, `#` foreground. */

import { boxOf, areaPx } from "../src/runs";
import { defaults, type Mask, type Point, type Runs, type Size, type State } from "../src/state";
import { toRuns } from "../src/bitmap";

export function draw(...rows: readonly string[]): Runs {
  const [height, width] = [rows.length, rows[0]?.length ?? 0];
  const bits = new Uint8Array(height * width);
  for (const [y, row] of rows.entries()) {
    for (let x = 0; x < width; x += 1) if (row[x] === "#") bits[x * height + y] = 1;
  }
  return toRuns({ window: [0, 0, width, height], bits }, [height, width]);
}

export function show(runs: Runs): string[] {
  const [height, width] = runs.sizeHw;
  const rows = Array.from({ length: height }, () => Array.from({ length: width }, () => "."));
  const ends = [...runs.edges, ...(runs.edges.length % 2 === 1 ? [height * width] : [])];
  for (let i = 0; i < ends.length; i += 2) {
    for (let at = ends[i] ?? 0; at < (ends[i + 1] ?? 0); at += 1) {
      const row = rows[at % height];
      if (row !== undefined) row[Math.floor(at / height)] = "#";
    }
  }
  return rows.map((row) => row.join(""));
}

/** Numbers in [0, 1) that are the same in every run. */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** A mask of noise, blocky enough to have insides. */
export function noise(sizeHw: Size, share: number, seed: number): Runs {
  const random = seeded(seed);
  const bits = Uint8Array.from({ length: sizeHw[0] * sizeHw[1] }, () => (random() < share ? 1 : 0));
  return toRuns({ window: [0, 0, sizeHw[1], sizeHw[0]], bits }, sizeHw);
}

export function maskOf(id: string, runs: Runs, change: Partial<Mask> = {}): Mask {
  return {
    id,
    runs,
    box: boxOf(runs),
    areaPx: areaPx(runs),
    label: "",
    colour: 0,
    isVisible: true,
    isProposed: false,
    provenance: {
      tools: ["brush"],
      prompts: [],
      modelSha256: null,
      candidates: [],
      predictedIou: null,
      decodedOn: null,
      firstAnswer: null,
      startedMs: 1000,
      finishedMs: 2000,
      activeMs: 500,
    },
    ...change,
  };
}

export function stateOf(sizeHw: Size, ...masks: readonly Mask[]): State {
  const start = defaults();
  return {
    ...start,
    picture: { id: 1, name: "drawn.png", sizeHw },
    work: { ...start.work, masks },
  };
}

export const STAMP = { id: "new", nowMs: 5000, activeMs: 100 };
export const at = (x: number, y: number): Point => [x, y];

/** Numbers over the turns of an engine, as places in a picture. */

export type Place = readonly [x: number, y: number];

export interface Line {
  readonly name: string;
  readonly points: readonly Place[];
}

/** Values of an axis as places in a picture. */
export interface Scale {
  readonly low: number;
  readonly high: number;
  at(value: number): number;
}

/** The scale that puts the smallest of `values` at the first and the largest at the second of `ends`. */
export function scaleOf(values: readonly number[], ends: readonly [number, number]): Scale {
  const low = Math.min(...values);
  const high = Math.max(...values);
  const span = high - low;
  const at = (value: number): number => {
    const share = span === 0 ? 0.5 : (value - low) / span;
    return Math.round((ends[0] + share * (ends[1] - ends[0])) * 10) / 10;
  };
  return { low, high, at };
}

/** Round values inside the scale, three to seven of them; the one value there is when there is no more. */
export function ticksOf({ low, high }: Scale): number[] {
  const span = high - low;
  if (span === 0) return [low];
  const power = 10 ** Math.floor(Math.log10(span / 3));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((wide) => span / wide <= 6) ?? 10 * power;
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, index) => Number(((first + index) * step).toPrecision(6)));
}

interface OfStage {
  readonly number: number;
  readonly stage: string;
}

/** Where a curve of the paper's lies beside the turns of a stage: from a little before the first to a little after the last. */
export function turnPlaces(turns: readonly OfStage[], stage: string, ends: readonly number[]): Place[] {
  const own = turns.filter((turn) => turn.stage === stage).map((turn) => turn.number);
  const [first, last] = [own[0], own[own.length - 1]];
  const [begin, end] = ends;
  if (first === undefined || last === undefined || begin === undefined || end === undefined) return [];
  return [[first - 0.4, begin], [last + 0.4, end]];
}

interface Judged {
  readonly number: number;
  readonly promoted: boolean;
}

/** The served model before the first turn and after each: a candidate that was refused changes nothing. */
export function servedAfter<T extends Judged>(
  turns: readonly T[],
  value: (turn: T) => readonly [number | null, number | null],
): Line {
  const [first] = turns;
  if (first === undefined) return { name: "this project", points: [] };
  let now = value(first)[0];
  const points: Place[] = now === null ? [] : [[first.number - 1, now]];
  for (const turn of turns) {
    if (turn.promoted) [, now] = value(turn);
    if (now !== null) points.push([turn.number, now]);
  }
  return { name: "this project", points };
}

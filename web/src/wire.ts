/** Masks as the server sends and takes them. */

import type { Schemas } from "./client";
import type { MaskChange } from "./history";
import { areaPx, areEqual, boxOf, fromCounts, toCounts } from "./runs";
import type { Mask, Prompt, Runs, Size } from "./state";

export type Action = Schemas["Action"];
type WireMask = Schemas["Mask"];

/** The most prompts and the most points of each that the server keeps. */
const MOST_PROMPTS = 200;
const MOST_LABEL = 200;

export function toRle(runs: Runs): Schemas["Rle"] {
  return { size: [...runs.sizeHw], counts: toCounts(runs) };
}

/** Throws RunsError for a damaged mask. */
export function fromRle(rle: Schemas["Rle"]): Runs {
  const [height, width] = rle.size;
  return fromCounts(rle.counts, [height ?? 0, width ?? 0]);
}

/** The prompt as it goes on record; `usedMask` when an earlier answer was part of it. */
export function toPromptRecord(prompt: Prompt, usedMask: boolean): Schemas["PromptRecord"] {
  const { clicks, box } = prompt;
  return {
    points: clicks.slice(0, MOST_PROMPTS).map(({ xy, isForeground }) => ({ x: xy[0], y: xy[1], foreground: isForeground })),
    box: box === null ? null : { x0: box[0], y0: box[1], x1: box[2], y1: box[3] },
    used_mask: usedMask,
  };
}

function fromPromptRecord(record: Schemas["PromptRecord"]): Prompt {
  const { box } = record;
  return {
    clicks: (record.points ?? []).map(({ x, y, foreground }) => ({ xy: [x, y], isForeground: foreground })),
    box: box === null || box === undefined ? null : [box.x0, box.y0, box.x1, box.y1],
  };
}

const isoOf = (timeMs: number): string => new Date(timeMs).toISOString();

/** A mask with everything that is to be remembered of it. */
export function toMaskIn(mask: Mask): Schemas["MaskIn"] {
  const { provenance } = mask;
  const last = provenance.prompts[provenance.prompts.length - 1];
  // The box of a proposal is the detector's, not a person's.
  const hasOwnBox = (last?.box ?? null) !== null && !provenance.tools.includes("detector");
  return {
    rle: toRle(mask.runs),
    label: mask.label === "" ? null : mask.label.slice(0, MOST_LABEL),
    provenance: {
      tool: provenance.tools[provenance.tools.length - 1] ?? "import",
      tools: [...provenance.tools],
      prompts: provenance.prompts.slice(-MOST_PROMPTS).map((prompt, i) => toPromptRecord(prompt, i > 0)),
      model_sha256: provenance.modelSha256,
      candidates: provenance.candidates.map(({ predictedIou, isChosen }) => ({
        predicted_iou: predictedIou,
        chosen: isChosen,
      })),
      predicted_iou: provenance.predictedIou,
      stability: null,
      clicks: (last?.clicks.length ?? 0) + (hasOwnBox ? 1 : 0),
      decoded_on: provenance.decodedOn,
      started_at: isoOf(provenance.startedMs),
      finished_at: isoOf(provenance.finishedMs),
      active_ms: Math.round(provenance.activeMs),
    },
    first_answer: provenance.firstAnswer === null ? null : toRle(provenance.firstAnswer),
  };
}

/** A mask of the server; `colour` is the tool's own affair. */
export function fromMask(wire: WireMask, colour: number): Mask {
  return assemble(wire.id, { ...wire, first_answer: null }, wire.state === "proposed", colour);
}

function assemble(id: string, sent: Schemas["MaskIn"], isProposed: boolean, colour: number): Mask {
  const { provenance, first_answer: first } = sent;
  const runs = fromRle(sent.rle);
  return {
    id,
    runs,
    box: boxOf(runs),
    areaPx: areaPx(runs),
    label: sent.label ?? "",
    colour,
    isVisible: true,
    isProposed,
    provenance: {
      tools: provenance.tools ?? [provenance.tool],
      prompts: (provenance.prompts ?? []).map(fromPromptRecord),
      modelSha256: provenance.model_sha256 ?? null,
      candidates: (provenance.candidates ?? []).map(({ predicted_iou, chosen }) => ({
        predictedIou: predicted_iou,
        isChosen: chosen,
      })),
      predictedIou: provenance.predicted_iou ?? null,
      decodedOn: provenance.decoded_on ?? null,
      firstAnswer: first === null || first === undefined ? null : fromRle(first),
      startedMs: Date.parse(provenance.started_at),
      finishedMs: Date.parse(provenance.finished_at),
      activeMs: provenance.active_ms,
    },
  };
}

/** What the server will have of a mask once it has all that was sent so far. */
export interface Known {
  readonly version: number;
  readonly isGone: boolean;
  readonly isProposed: boolean;
  readonly runs: Runs;
  readonly label: string;
}

/** What the server has of its masks. */
export function knownOf(masks: readonly WireMask[]): Map<string, Known> {
  return new Map(
    masks.map((wire) => [
      wire.id,
      {
        version: wire.version,
        isGone: wire.deleted || wire.state === "rejected",
        isProposed: wire.state === "proposed",
        runs: fromRle(wire.rle),
        label: wire.label ?? "",
      },
    ]),
  );
}

/** New keys, and the time of the actions. */
export interface Mark {
  readonly key: () => string;
  readonly at: string;
}

/**
 * The actions that bring the server to where `changes` lead, on versions counted on from `known`, which is kept up to
 * date.
 */
export function toActions(changes: readonly MaskChange[], known: Map<string, Known>, mark: Mark): Action[] {
  return changes.flatMap(({ before, after }) => {
    const id = after?.id ?? before?.id ?? "";
    const kinds = kindsOf(known.get(id), after);
    return kinds.map((kind): Action => {
      const now = known.get(id);
      known.set(id, follow(now, kind, after));
      return {
        key: mark.key(),
        kind,
        mask_id: id,
        base_version: now?.version ?? null,
        mask: (kind === "create" || kind === "replace") && after !== null ? toMaskIn(after) : null,
        label: kind === "relabel" && after !== null && after.label !== "" ? after.label : null,
        at: mark.at,
      };
    });
  });
}

function kindsOf(now: Known | undefined, after: Mask | null): Action["kind"][] {
  if (after === null) return now === undefined || now.isGone ? [] : [now.isProposed ? "reject" : "delete"];
  if (now === undefined) return ["create"];
  // A decision on a proposal that is undone leaves it undecided, never accepted.
  const isBack = after.isProposed;
  if (!areEqual(now.runs, after.runs)) {
    return [...(now.isGone ? (["restore"] as const) : []), "replace", ...(isBack ? (["undecide"] as const) : [])];
  }
  const kinds: Action["kind"][] = [];
  if (isBack && (now.isGone || !now.isProposed)) kinds.push("undecide");
  else if (now.isGone) kinds.push("restore");
  else if (now.isProposed && !isBack) kinds.push("accept");
  if (now.label !== after.label) kinds.push("relabel");
  return kinds;
}

function follow(now: Known | undefined, kind: Action["kind"], after: Mask | null): Known {
  const version = (now?.version ?? 0) + 1;
  if (now !== undefined && after === null) return { ...now, version, isGone: true };
  if (now !== undefined && (kind === "restore" || kind === "undecide")) {
    return { ...now, version, isGone: false, isProposed: kind === "undecide" };
  }
  return {
    version,
    isGone: after === null,
    isProposed: kind === "relabel" && (now?.isProposed ?? false),
    runs: after?.runs ?? { sizeHw: [1, 1], edges: new Uint32Array(0) },
    label: after?.label ?? "",
  };
}

/** `masks` after `actions` that the server does not have yet; masks of another size than the picture's are left out. */
export function applyActions(masks: readonly Mask[], actions: readonly Action[], sizeHw: Size): Mask[] {
  const gone = new Map<string, Mask>();
  let now = [...masks];
  for (const action of actions) {
    const old = now.find((mask) => mask.id === action.mask_id) ?? gone.get(action.mask_id) ?? null;
    const next = applyAction(old, action, now.length);
    if (next === null && old !== null) gone.set(old.id, old);
    const rest = now.some((mask) => mask.id === action.mask_id);
    if (next === null) now = now.filter((mask) => mask.id !== action.mask_id);
    else now = rest ? now.map((mask) => (mask.id === next.id ? next : mask)) : [...now, next];
  }
  return now.filter(({ runs }) => runs.sizeHw[0] === sizeHw[0] && runs.sizeHw[1] === sizeHw[1]);
}

function applyAction(old: Mask | null, action: Action, colour: number): Mask | null {
  const { kind, mask_id: id, mask, label } = action;
  if (kind === "delete" || kind === "reject") return null;
  if (mask !== null && mask !== undefined) return assemble(id, mask, false, old?.colour ?? colour);
  if (old === null) return null;
  if (kind === "relabel") return { ...old, label: label ?? "" };
  return { ...old, isProposed: kind === "undecide" };
}

/** What is known of the server's masks after `actions` on their way. */
export function followActions(known: Map<string, Known>, actions: readonly Action[]): void {
  for (const action of actions) {
    const now = known.get(action.mask_id);
    const isGone = action.kind === "delete" || action.kind === "reject";
    known.set(action.mask_id, {
      version: (action.base_version ?? 0) + 1,
      isGone,
      isProposed: action.kind === "undecide" || ((now?.isProposed ?? false) && ["relabel", "reject", "delete"].includes(action.kind)),
      runs: action.mask ? fromRle(action.mask.rle) : (now?.runs ?? { sizeHw: [1, 1], edges: new Uint32Array(0) }),
      label: action.mask ? (action.mask.label ?? "") : action.kind === "relabel" ? (action.label ?? "") : (now?.label ?? ""),
    });
  }
}

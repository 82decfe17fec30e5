/** A prompt to the model's masks with onnxruntime: what goes in, what comes out. Runs in the worker and in tests. */

import type { InferenceSession, Tensor as OrtTensor, TensorConstructor } from "onnxruntime-web/wasm";

import { type Embedding, EmbeddingError } from "./embedding";
import { areaPx } from "./runs";
import type { Prompt, Runs } from "./state";
import { fitFrame, type Frame, Tracer } from "./trace";

/** What the server says of its model. */
export interface ModelInfo {
  readonly sha256: string;
  readonly inputSize: number;
  readonly maskSize: number;
  readonly maskThreshold: number;
  readonly maps: readonly { readonly tensor: string; readonly input: string; readonly shape: readonly number[] }[];
}

/** One mask of an answer; its logits can be part of the next prompt. */
export interface DecodedMask {
  readonly runs: Runs;
  readonly areaPx: number;
  readonly predictedIou: number;
  readonly logits: Float32Array;
}

/** The masks that answer a prompt, from the largest to the smallest. */
export interface Decoded {
  readonly masks: readonly DecodedMask[];
  /** Index of the mask of highest predicted IoU. */
  readonly best: number;
}

/** Values of the decoder's input `point_labels`. */
const [BACKGROUND, FOREGROUND, TOP_LEFT, BOTTOM_RIGHT, PADDING] = [0, 1, 2, 3, -1] as const;

/** Points of a prompt in input pixels, two numbers each, and their labels; a box is its two corners. */
export function promptPoints(prompt: Prompt, frame: Frame): { coords: Float32Array; labels: Float32Array } {
  const [scaleX, scaleY] = [
    frame.resizedHw[1] / frame.originalHw[1],
    frame.resizedHw[0] / frame.originalHw[0],
  ];
  const coords: number[] = [];
  const labels: number[] = [];
  const add = (x: number, y: number, label: number): void => {
    coords.push(x * scaleX, y * scaleY);
    labels.push(label);
  };
  for (const { xy, isForeground } of prompt.clicks) add(xy[0], xy[1], isForeground ? FOREGROUND : BACKGROUND);
  if (prompt.box === null) {
    coords.push(0, 0);
    labels.push(PADDING);
  } else {
    add(prompt.box[0], prompt.box[1], TOP_LEFT);
    add(prompt.box[2], prompt.box[3], BOTTOM_RIGHT);
  }
  return { coords: Float32Array.from(coords), labels: Float32Array.from(labels) };
}

/** Whether the prompt may mean several things: a single click, with nothing known before. */
export function isAmbiguous(prompt: Prompt, hasLogits: boolean): boolean {
  return prompt.clicks.length === 1 && prompt.box === null && !hasLogits;
}

/** The inputs of one click on an empty embedding, to time a decoder with. */
export function probeFeeds(model: ModelInfo, tensor: TensorConstructor): Record<string, OrtTensor> {
  const middle = model.inputSize / 2;
  const maps = model.maps.map(({ input, shape }) => {
    const count = shape.reduce((product, length) => product * length, 1);
    return [input, new tensor("float32", new Float32Array(count), shape)] as const;
  });
  const frame = fitFrame([model.inputSize, model.inputSize], model.inputSize);
  const click = { xy: [middle, middle] as const, isForeground: true };
  return { ...Object.fromEntries(maps), ...promptFeeds(model, tensor, frame, { clicks: [click], box: null }, null) };
}

function promptFeeds(
  model: ModelInfo,
  tensor: TensorConstructor,
  frame: Frame,
  prompt: Prompt,
  logits: Float32Array | null,
): Record<string, OrtTensor> {
  const size = model.maskSize;
  const { coords, labels } = promptPoints(prompt, frame);
  return {
    point_coords: new tensor("float32", coords, [1, labels.length, 2]),
    point_labels: new tensor("float32", labels, [1, labels.length]),
    mask_input: new tensor("float32", logits ?? new Float32Array(size * size), [1, 1, size, size]),
    has_mask_input: new tensor("float32", Float32Array.of(logits === null ? 0 : 1), [1]),
    orig_im_size: new tensor("float32", Float32Array.from(frame.originalHw), [2]),
  };
}

/** The decoder with one picture's embedding. */
export class PictureDecoder {
  private readonly tracer: Tracer;
  private readonly maps: Record<string, OrtTensor> = {};

  /** Throws EmbeddingError when `embedding` is another model's or lacks a map. */
  constructor(
    private readonly session: InferenceSession,
    private readonly tensor: TensorConstructor,
    private readonly model: ModelInfo,
    embedding: Embedding,
  ) {
    if (embedding.modelSha256 !== model.sha256) {
      throw new EmbeddingError("the picture's embedding is of another model; load the picture again");
    }
    const frame = fitFrame(embedding.originalHw, model.inputSize);
    this.tracer = new Tracer(frame, model.maskSize, model.maskThreshold);
    for (const map of model.maps) {
      const values = embedding.tensors.get(map.tensor);
      if (values === undefined) throw new EmbeddingError(`the picture's embedding has no map ${map.tensor}`);
      this.maps[map.input] = new tensor("float32", values.values, values.shape);
    }
  }

  /** The answer to `prompt`, with the logits of an earlier answer or without. */
  async decode(prompt: Prompt, logits: Float32Array | null): Promise<Decoded> {
    const size = this.model.maskSize;
    const outputs = await this.session.run({
      ...this.maps,
      ...promptFeeds(this.model, this.tensor, this.tracer.frame, prompt, logits),
    });
    const all = outputs.low_res_masks?.data as Float32Array;
    const iou = outputs.iou_predictions?.data as Float32Array;
    const meant = isAmbiguous(prompt, logits !== null) && iou.length > 1 ? [...iou.keys()].slice(1) : [0];
    return orderMasks(
      meant.map((index) => {
        // A copy: the output's memory is used again by the next run.
        const own = all.slice(index * size * size, (index + 1) * size * size);
        const runs = this.tracer.trace(own);
        return { runs, areaPx: areaPx(runs), predictedIou: iou[index] ?? 0, logits: own };
      }),
    );
  }
}

/** Masks from the largest to the smallest, and the best of them. */
export function orderMasks(masks: readonly DecodedMask[]): Decoded {
  const ordered = [...masks].sort((a, b) => b.areaPx - a.areaPx);
  const best = ordered.reduce(
    (top, mask, i) => (mask.predictedIou > (ordered[top]?.predictedIou ?? -Infinity) ? i : top),
    0,
  );
  return { masks: ordered, best };
}

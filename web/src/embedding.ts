/** The embedding of a picture as the server sends it: float16 maps in a safetensors file. */

import type { Size } from "./state";

/** An embedding file is damaged or of another model or picture. */
export class EmbeddingError extends Error {
  override readonly name = "EmbeddingError";
}

export interface Tensor {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

export interface Embedding {
  readonly imageSha256: string;
  readonly modelSha256: string;
  readonly originalHw: Size;
  readonly inputSize: number;
  readonly tensors: ReadonlyMap<string, Tensor>;
}

const HALVES = halfTable();

/** The value of each of the 65,536 float16 patterns. */
function halfTable(): Float32Array {
  const table = new Float32Array(2 ** 16);
  for (let bits = 0; bits < table.length; bits += 1) {
    const sign = (bits & 0x8000) === 0 ? 1 : -1;
    const exponent = (bits >> 10) & 0x1f;
    const fraction = bits & 0x3ff;
    if (exponent === 0) table[bits] = sign * fraction * 2 ** -24;
    else if (exponent === 31) table[bits] = fraction === 0 ? sign * Infinity : NaN;
    else table[bits] = sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }
  return table;
}

/** float32 of float16 patterns. */
export function fromHalves(halves: Uint16Array): Float32Array {
  return Float32Array.from(halves, (bits) => HALVES[bits] ?? 0);
}

/** The nearest float16 pattern of each value. */
export function toHalves(values: Float32Array): Uint16Array {
  return Uint16Array.from(values, toHalf);
}

function toHalf(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  if (size >= 65520) return sign | 0x7c00;
  if (size < 2 ** -14) return sign | roundEven(size * 2 ** 24);
  const exponent = Math.floor(Math.log2(size));
  const fraction = roundEven((size / 2 ** exponent - 1) * 1024);
  // A fraction that rounds up to 1024 carries into the exponent by itself.
  return sign | (((exponent + 15) << 10) + fraction);
}

function roundEven(value: number): number {
  const low = Math.floor(value);
  const rest = value - low;
  if (rest === 0.5) return low + (low % 2);
  return rest < 0.5 ? low : low + 1;
}

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

/**
 * The embedding in `file`.
 *
 * Throws EmbeddingError when it is no such file or is cut.
 */
export function parseEmbedding(file: ArrayBuffer): Embedding {
  const view = new DataView(file);
  if (file.byteLength < 8) throw damaged("it is empty");
  const headerBytes = Number(view.getBigUint64(0, true));
  if (headerBytes > file.byteLength - 8) throw damaged("it is cut");
  const header = parseHeader(new TextDecoder().decode(new Uint8Array(file, 8, headerBytes)));
  const tensors = new Map<string, Tensor>();
  for (const [name, entry] of Object.entries(header.tensors)) {
    tensors.set(name, readTensor(file, 8 + headerBytes, name, entry));
  }
  const size = (name: string): number => {
    const value = Number(header.notes[name]);
    if (!(value >= 1)) throw damaged(`it does not say its ${name}`);
    return value;
  };
  return {
    imageSha256: header.notes.image_sha256 ?? "",
    modelSha256: header.notes.model_sha256 ?? "",
    originalHw: [size("original_height"), size("original_width")],
    inputSize: size("input_size"),
    tensors,
  };
}

function parseHeader(text: string): { notes: Record<string, string>; tensors: Record<string, Entry> } {
  try {
    const { __metadata__: notes = {}, ...tensors } = JSON.parse(text) as Record<string, never>;
    return { notes, tensors };
  } catch {
    throw damaged("its header is no JSON");
  }
}

function readTensor(file: ArrayBuffer, base: number, name: string, entry: Entry): Tensor {
  const [start, end] = entry.data_offsets;
  const count = entry.shape.reduce((product, length) => product * length, 1);
  const bytes = entry.dtype === "F16" ? 2 : 4;
  if (!["F16", "F32"].includes(entry.dtype) || end - start !== count * bytes || base + end > file.byteLength) {
    throw damaged(`its map ${name} is not what its header says`);
  }
  // A slice, for typed arrays must begin at a multiple of their element.
  const data = file.slice(base + start, base + end);
  const values = bytes === 2 ? fromHalves(new Uint16Array(data)) : new Float32Array(data);
  return { shape: entry.shape, values };
}

function damaged(why: string): EmbeddingError {
  return new EmbeddingError(`the picture's embedding cannot be read: ${why}; load the picture again`);
}

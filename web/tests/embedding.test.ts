import { expect, test } from "vitest";

import { EmbeddingError, fromHalves, parseEmbedding, toHalves } from "../src/embedding";

const NOTES = {
  image_sha256: "b".repeat(64),
  model_sha256: "a".repeat(64),
  original_height: "30",
  original_width: "40",
  input_size: "64",
};

function fileOf(header: object, data: Uint8Array): ArrayBuffer {
  const text = new TextEncoder().encode(JSON.stringify(header));
  const file = new Uint8Array(8 + text.length + data.length);
  new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
  file.set(text, 8);
  file.set(data, 8 + text.length);
  return file.buffer;
}

const MAP = { dtype: "F16", shape: [1, 2, 2], data_offsets: [0, 8] };
const DATA = new Uint8Array(toHalves(Float32Array.of(1, -2, 0.5, 0)).buffer);

test("every float16 that is a number is read and written alike", () => {
  const bits = Uint16Array.from({ length: 2 ** 16 }, (_, i) => i).filter((i) => (i & 0x7c00) !== 0x7c00);
  expect(toHalves(fromHalves(bits))).toEqual(bits);
});

test("numbers between two float16 go to the nearer, ties to the even one, too large ones to infinity", () => {
  expect([...fromHalves(toHalves(Float32Array.of(1 + 2 ** -11, 1 + 3 * 2 ** -11, 65519, 65520)))]).toEqual([
    1,
    1 + 2 ** -9,
    65504,
    Infinity,
  ]);
});

test("an embedding file gives its maps and what it is of", () => {
  const embedding = parseEmbedding(fileOf({ __metadata__: NOTES, main: MAP }, DATA));
  expect(embedding.originalHw).toEqual([30, 40]);
  expect(embedding.inputSize).toBe(64);
  expect(embedding.modelSha256).toBe("a".repeat(64));
  expect([...(embedding.tensors.get("main")?.values ?? [])]).toEqual([1, -2, 0.5, 0]);
});

test.each([
  ["empty", new ArrayBuffer(0)],
  ["cut in its header", fileOf({ main: MAP }, DATA).slice(0, 20)],
  ["cut in its data", fileOf({ __metadata__: NOTES, main: MAP }, DATA.slice(0, 6))],
  ["without a size", fileOf({ __metadata__: {}, main: MAP }, DATA)],
  ["of another type", fileOf({ __metadata__: NOTES, main: { ...MAP, dtype: "I64" } }, DATA)],
  ["of other lengths", fileOf({ __metadata__: NOTES, main: { ...MAP, shape: [3] } }, DATA)],
])("a file that is %s is refused", (_, file) => {
  expect(() => parseEmbedding(file)).toThrow(EmbeddingError);
});

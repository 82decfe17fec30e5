import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

import { afterEach, expect, test, vi } from "vitest";

import { ServerError } from "../src/client";
import { fetchBytes, loadEmbedding, modelInfoOf } from "../src/loading";

let running: Server | null = null;
afterEach(() => {
  running?.close();
  running = null;
});

async function serve(answers: readonly [number, string][]): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = [];
  const rest = [...answers];
  running = createServer((request, response) => {
    asked.push(request.url ?? "");
    const [status, body] = rest.shift() ?? [500, "{}"];
    response.writeHead(status).end(body);
  });
  const server = running;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/embedding`, asked };
}

test("an embedding that is not ready yet is waited for, and the wait is told", async () => {
  vi.stubGlobal("location", { href: "http://127.0.0.1/" });
  const { url, asked } = await serve([
    [503, JSON.stringify({ kind: "not_ready", message: "not yet" })],
    [200, "maps"],
  ]);
  const waits: number[] = [];
  const image = { embedding_url: url } as Parameters<typeof loadEmbedding>[0];
  const bytes = await loadEmbedding(image, new AbortController().signal, () => waits.push(1));
  expect(new TextDecoder().decode(bytes)).toBe("maps");
  expect(waits).toEqual([1]);
  expect(asked[1]).toContain("wait_s=");
});

test("a refusal is the server's own sentence", async () => {
  const { url } = await serve([[409, JSON.stringify({ kind: "other_model", message: "of another model" })]]);
  await expect(fetchBytes(url)).rejects.toMatchObject({ status: 409, message: "of another model" });
  const plain = await serve([[502, "<html>"]]);
  await expect(fetchBytes(plain.url)).rejects.toBeInstanceOf(ServerError);
});

test("what the decoder must know of a model is in the server's description of it", () => {
  const maps = [{ tensor: "main", input: "image_embeddings", shape: [1, 2, 3, 4] }];
  const info = modelInfoOf({
    sha256: "a".repeat(64),
    name: "tiny",
    input_size: 512,
    mask_size: 128,
    mask_threshold: 0,
    candidates: 3,
    maps,
    decoder_url: "/decoder",
    decoder_sha256: "b".repeat(64),
    decoder_bytes: 1,
  });
  expect(info).toEqual({
    sha256: "a".repeat(64),
    inputSize: 512,
    maskSize: 128,
    maskThreshold: 0,
    maps,
  });
});

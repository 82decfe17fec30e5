import { expect, test } from "vitest";

import { ServerError, take, toError } from "../src/client";

const answer = (status: number, body: unknown) =>
  Promise.resolve({
    ...(status < 400 ? { data: body } : { error: body }),
    response: new Response(status === 204 ? null : JSON.stringify(body), { status }),
  });

test("a success gives its data", async () => {
  expect(await take(answer(200, { id: 1 }))).toEqual({ id: 1 });
  expect(await take(answer(204, undefined))).toBeUndefined();
});

test("a refusal carries the server's sentence, status and kind", async () => {
  const refused = take(answer(409, { kind: "lease_lost", message: "Somebody else holds it; take another picture." }));
  await expect(refused).rejects.toMatchObject({
    message: "Somebody else holds it; take another picture.",
    status: 409,
    kind: "lease_lost",
  });
});

test("an answer that is no problem of ours is named by its status", () => {
  expect(toError("<html>", 502).message).toContain("502");
  expect(toError(null, 500).isPassing).toBe(true);
  expect(toError({ kind: "x", message: "no" }, 403).isPassing).toBe(false);
  expect(new ServerError("no answer", 0, "unreachable").isPassing).toBe(true);
});

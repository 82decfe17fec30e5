/** The server, typed by its own description: every path, parameter and answer comes from `api/schema.ts`. */

import createClient, { type Client } from "openapi-fetch";

import type { components, paths } from "./api/schema";

export type Schemas = components["schemas"];

/** The server said no, or nothing; `message` is a sentence for a person. */
export class ServerError extends Error {
  override readonly name = "ServerError";

  constructor(
    message: string,
    /** HTTP status; 0 when there was no answer. */
    readonly status: number,
    /** Stable name of the mistake. */
    readonly kind: string,
  ) {
    super(message);
  }

  /** Whether trying again later may help. */
  get isPassing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

let csrfToken: string | null = null;

/** The token that goes with every request that changes something. */
export function setCsrfToken(token: string | null): void {
  csrfToken = token;
}

export const server: Client<paths> = createClient<paths>({ baseUrl: "location" in globalThis ? location.origin : "http://localhost" });

server.use({
  onRequest({ request }) {
    if (csrfToken !== null && request.method !== "GET") request.headers.set("X-CSRF-Token", csrfToken);
    return request;
  },
  onError() {
    return new ServerError("The server cannot be reached; what you do is kept here until it can.", 0, "unreachable");
  },
});

interface Answered<T> {
  readonly data?: T;
  readonly error?: unknown;
  readonly response: Response;
}

/**
 * What a request brought.
 *
 * Throws ServerError for anything but a success.
 */
export async function take<T>(asked: Promise<Answered<T>>): Promise<T> {
  const { data, error, response } = await asked;
  if (!response.ok) throw toError(error, response.status);
  return data as T;
}

/** The server's own words for a refusal. */
export function toError(body: unknown, status: number): ServerError {
  const problem = body as Partial<Schemas["Problem"]> | null | undefined;
  if (typeof problem?.message === "string") return new ServerError(problem.message, status, problem.kind ?? "unknown");
  return new ServerError(`The server answered with status ${status} and no reason; try again.`, status, "unknown");
}

/** Something from the server, shown when it is there: while it comes and when it does not, too. */

import { type ReactNode, useCallback, useEffect, useState } from "react";

export interface Loaded<T> {
  readonly data: T | null;
  readonly error: string;
  /** Asks again; what was there stays until the answer comes. */
  readonly reload: () => void;
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The answer to `load`, asked anew when `key` changes and, with `everyMs`, again and again. */
export function useLoaded<T>(key: string, load: () => Promise<T>, everyMs = 0): Loaded<T> {
  const [answer, setAnswer] = useState<{ key: string; data: T | null; error: string }>({ key, data: null, error: "" });
  const [round, setRound] = useState(0);
  useEffect(() => {
    let isOver = false;
    load().then(
      (data) => {
        if (!isOver) setAnswer({ key, data, error: "" });
      },
      (error: unknown) => {
        if (!isOver) setAnswer((before) => ({ key, data: before.key === key ? before.data : null, error: messageOf(error) }));
      },
    );
    const timer = everyMs > 0 ? setTimeout(() => { setRound((last) => last + 1); }, everyMs) : undefined;
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
    // `load` is a new function in every render; `key` says when it asks for something else.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [key, round, everyMs]);
  const reload = useCallback(() => { setRound((last) => last + 1); }, []);
  return { data: answer.key === key ? answer.data : null, error: answer.error, reload };
}

export function Notice({ text, kind = "error" }: { text: string; kind?: "error" | "info" | "good" }): ReactNode {
  if (text === "") return null;
  return (
    <p className={`notice notice-${kind}`} role={kind === "error" ? "alert" : "status"}>
      {text}
    </p>
  );
}

export function Show<T>({ loaded, children }: { loaded: Loaded<T>; children: (data: T) => ReactNode }): ReactNode {
  return (
    <>
      <Notice text={loaded.error} />
      {loaded.data !== null ? children(loaded.data) : loaded.error === "" ? <p className="quiet">Loading…</p> : null}
    </>
  );
}

/** A button's work: busy while it runs, and what went wrong. */
export function useWork(): { isBusy: boolean; error: string; run: (work: () => Promise<void>) => void } {
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState("");
  const run = useCallback((work: () => Promise<void>) => {
    setBusy(true);
    setError("");
    work()
      .catch((reason: unknown) => { setError(messageOf(reason)); })
      .finally(() => { setBusy(false); });
  }, []);
  return { isBusy, error, run };
}

/** One mask after the other, rated from 1 to 10: nothing here tells whose a mask is. */

import { type ReactNode, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { Link } from "wouter";

import { type Schemas, server, ServerError, take } from "../client";
import { loadPixels } from "../loading";
import { layersOf, lookOf, scoreOf, type View, viewOf, Watch } from "../rating";
import { areaPx, boxOf } from "../runs";
import { comboOf } from "../shortcuts";
import type { Box, Picture, Prompt, Runs, Viewport } from "../state";
import { fromRle } from "../wire";
import { messageOf, Notice, useLoaded } from "./loading";
import { RateBar } from "./RateBar";
import { ReviewCanvas } from "./ReviewCanvas";

/** Nobody looks at one mask for longer than this without moving a hand. */
const IDLE_MS = 120_000;
const RETRY_MS = 3000;

type Standing = Schemas["RatingStanding"];

interface Shown {
  readonly id: number;
  readonly picture: Picture;
  readonly pixels: ImageBitmap;
  readonly runs: Runs;
  readonly prompt: Prompt;
  /** Mask and prompt together. */
  readonly near: Box;
}

async function show(mask: Schemas["RatedMask"]): Promise<Shown> {
  const pixels = await loadPixels(mask);
  const runs = fromRle(mask.rle);
  const { point, box } = mask;
  const xy = point === null ? null : ([Math.floor(point.x), Math.floor(point.y)] as const);
  const given: Box = box !== null ? [box.x0, box.y0, box.x1, box.y1] : [xy?.[0] ?? 0, xy?.[1] ?? 0, (xy?.[0] ?? 0) + 1, (xy?.[1] ?? 0) + 1];
  const [x0, y0, x1, y1] = areaPx(runs) === 0 ? given : boxOf(runs);
  return {
    id: mask.id,
    picture: { id: mask.id, name: "", sizeHw: [mask.height, mask.width] },
    pixels,
    runs,
    prompt: { clicks: xy === null ? [] : [{ xy, isForeground: true }], box: box === null ? null : given },
    near: [Math.min(x0, given[0]), Math.min(y0, given[1]), Math.max(x1, given[2]), Math.max(y1, given[3])],
  };
}

/** What `work` brings, asked again while the server cannot be reached. */
async function insist<T>(work: () => Promise<T>, onWait: (message: string) => void): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ServerError) || !error.isPassing) throw error;
      onWait(`${error.message} It is sent again by itself.`);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

export function RatePage({ projectId }: { projectId: number }): ReactNode {
  const [standing, setStanding] = useState<Standing | null>(null);
  const [shown, setShown] = useState<Shown | null>(null);
  const [error, setError] = useState("");
  const [last, setLast] = useState<number | null>(null);
  const [isBusy, setBusy] = useState(true);
  const watch = useRef<Watch | null>(null);
  const path = useMemo(() => ({ project_id: projectId }), [projectId]);

  const open = useCallback(async (next: Standing): Promise<void> => {
    const mask = next.mask === null ? null : await show(next.mask);
    setStanding(next);
    setShown(mask);
    watch.current = mask === null ? null : new Watch(IDLE_MS, performance.now());
    for (const url of next.upcoming) fetch(url, { priority: "low" }).catch(() => undefined);
  }, []);
  const bring = useCallback(
    (ask: () => Promise<Standing>): void => {
      // The picture, too: the same key sent again is the same rating.
      insist(async () => { await open(await ask()); }, setError)
        .then(() => { setError(""); })
        .catch((reason: unknown) => { setError(messageOf(reason)); })
        .finally(() => { setBusy(false); });
    },
    [open],
  );
  useEffect(() => {
    bring(() => take(server.GET("/api/v1/projects/{project_id}/rating", { params: { path } })));
  }, [bring, path]);
  const work = (ask: () => Promise<Standing>): void => {
    setBusy(true);
    bring(ask);
  };

  const rate = (score: number): void => {
    if (isBusy || shown === null) return;
    const active_ms = Math.round(watch.current?.read(performance.now()) ?? 0);
    const body = { key: crypto.randomUUID(), mask_id: shown.id, score, active_ms };
    work(async () => {
      const next = await take(server.POST("/api/v1/projects/{project_id}/rating", { params: { path }, body }));
      setLast(score);
      return next;
    });
  };
  const undo = (): void => {
    if (isBusy || standing?.undoable == null) return;
    const body = { key: crypto.randomUUID(), mask_id: standing.undoable };
    work(async () => {
      const next = await take(server.POST("/api/v1/projects/{project_id}/rating/undo", { params: { path }, body }));
      setLast(null);
      return next;
    });
  };
  useWatching(watch);
  // Also when all masks are rated, and the last was a slip.
  useKeys((combo) => {
    if (combo !== "Backspace" && combo !== "Ctrl+Z") return false;
    undo();
    return true;
  });
  return (
    <main className="rate" aria-label="Rate">
      {shown !== null && <Rating key={shown.id} shown={shown} isBusy={isBusy} error={error} rate={rate} />}
      {shown === null && (
        <div className="stage">
          <div className="finished card">
            <h1>{standing === null ? "Loading…" : "All masks are rated"}</h1>
            <Notice text={error} />
            {standing !== null && <p>Thank you. {standing.done} ratings are saved; nothing is left for you here.</p>}
            <Link className="button" href="/">To the projects</Link>
          </div>
        </div>
      )}
      <aside className="side" aria-label="Progress and guide">
        {standing !== null && <Done standing={standing} last={last} isBusy={isBusy} undo={undo} />}
        <Guide projectId={projectId} />
      </aside>
    </main>
  );
}

function Done({ standing, last, isBusy, undo }: { standing: Standing; last: number | null; isBusy: boolean; undo: () => void }): ReactNode {
  const { done, total, undoable } = standing;
  return (
    <section>
      <h1 className="side-title" id="rate-progress">{done} of {total} rated</h1>
      <progress max={Math.max(1, total)} value={done} aria-labelledby="rate-progress" />
      <div className="row head">
        <span className="quiet" role="status">{last === null ? "" : `Last rating: ${last}`}</span>
        <button type="button" disabled={isBusy || undoable === null} onClick={undo}>Undo <kbd>Backspace</kbd></button>
      </div>
    </section>
  );
}

function Guide({ projectId }: { projectId: number }): ReactNode {
  const project = useLoaded(`rate-${projectId}`, () =>
    take(server.GET("/api/v1/projects/{project_id}", { params: { path: { project_id: projectId } } })),
  );
  return (
    <section className="guide" aria-labelledby="guide-title" tabIndex={0}>
      <h2 id="guide-title">How to rate</h2>
      <p>{project.data?.instructions ?? ""}</p>
    </section>
  );
}

interface RatingProps {
  readonly shown: Shown;
  readonly isBusy: boolean;
  readonly error: string;
  readonly rate: (score: number) => void;
}

/** One mask; the next begins with the same view of it, whole. */
function Rating({ shown, isBusy, error, rate }: RatingProps): ReactNode {
  const [view, setView] = useState<View>("fill");
  const [isNear, setNear] = useState(false);
  const [isPromptShown, setPromptShown] = useState(true);
  const [viewport, setViewport] = useState<Viewport | null>(null);
  const masks = useMemo(() => layersOf(shown.runs, view), [shown, view]);
  const look = useMemo(() => lookOf(view), [view]);
  const isEmpty = areaPx(shown.runs) === 0;
  const zoom = useCallback(() => {
    setNear((was) => !was);
    setViewport(null);
  }, []);
  const mark = useCallback(() => { setPromptShown((was) => !was); }, []);
  const onKey = (combo: string): boolean => {
    const score = scoreOf(combo);
    const next = viewOf(combo, view);
    if (score !== null) rate(score);
    else if (next !== null) setView(next);
    else if (combo === "Z") zoom();
    else if (combo === "P") mark();
    else return false;
    return true;
  };
  useKeys(onKey);
  return (
    <div className="stage">
      <ReviewCanvas
        title="Mask to rate"
        picture={shown.picture}
        pixels={shown.pixels}
        masks={masks}
        selected={null}
        viewport={viewport}
        onViewport={setViewport}
        look={look}
        prompt={isPromptShown ? shown.prompt : null}
        near={isNear ? shown.near : null}
        outlinePx={2}
        hasCaption={false}
      />
      <div className="stage-notices">
        <Notice text={error} />
        {isEmpty && <Notice kind="info" text="Nothing is marked: this mask is empty." />}
      </div>
      <RateBar view={view} isNear={isNear} isPromptShown={isPromptShown} isBusy={isBusy} {...{ rate, zoom, mark, setView }} />
    </div>
  );
}

/** Keys, unless somebody is typing or holds one down. */
function useKeys(onKey: (combo: string) => boolean): void {
  useEffect(() => {
    const listen = (event: KeyboardEvent): void => {
      const combo = comboOf(event);
      if (combo === null || event.repeat || (event.target as HTMLElement).closest("input, textarea, select") !== null) return;
      if (onKey(combo)) event.preventDefault();
    };
    document.addEventListener("keydown", listen);
    return () => { document.removeEventListener("keydown", listen); };
  });
}

/** Time counts while the page is seen and somebody is there. */
function useWatching(watch: { readonly current: Watch | null }): void {
  useEffect(() => {
    const ending = new AbortController();
    const { signal } = ending;
    const touch = (): void => { watch.current?.touch(performance.now()); };
    for (const kind of ["pointermove", "pointerdown", "wheel", "keydown"]) document.addEventListener(kind, touch, { signal, passive: true });
    document.addEventListener(
      "visibilitychange",
      () => {
        if (document.hidden) watch.current?.hide(performance.now());
        else watch.current?.show(performance.now());
      },
      { signal },
    );
    return () => { ending.abort(); };
  }, [watch]);
}

/** A finished picture side by side with its masks, or a mask with what it was before: accept, send back, reject. */

import { type ReactNode, useCallback, useEffect, useState } from "react";
import { Link, useLocation } from "wouter";

import { type Schemas, server, take } from "../client";
import { loadPixels } from "../loading";
import { ADDED, REMOVED } from "../palette";
import { areaPx, boxOf, iou, subtract } from "../runs";
import type { Mask, Picture, Runs, Viewport } from "../state";
import { fromMask } from "../wire";
import { messageOf, Notice, useLoaded, useWork } from "./loading";
import { ReviewCanvas } from "./ReviewCanvas";
import { Thumb } from "./Thumb";

interface Reviewed {
  readonly task: Schemas["Task"];
  readonly picture: Picture;
  readonly pixels: ImageBitmap;
  readonly masks: readonly Mask[];
  readonly wire: readonly Schemas["Mask"][];
}

async function nextReview(projectId: number, imageId: number | null): Promise<Reviewed | null> {
  const task = await take(
    imageId === null
      ? server.POST("/api/v1/projects/{project_id}/queue/next", {
          params: { path: { project_id: projectId } },
          body: { kind: "review", resume: true },
        })
      : server.POST("/api/v1/images/{image_id}/task", { params: { path: { image_id: imageId } }, body: { kind: "review" } }),
  );
  if ((task as Schemas["Task"] | undefined) === undefined) return null;
  const { image } = task;
  const [pixels, { masks }] = await Promise.all([
    loadPixels(image),
    take(server.GET("/api/v1/images/{image_id}/masks", { params: { path: { image_id: image.id } } })),
  ]);
  const picture = { id: image.id, name: image.file_name, sizeHw: [image.height, image.width] as const };
  const there = masks.filter((mask) => mask.state !== "rejected");
  return { task, picture, pixels, wire: there, masks: there.map((mask, index) => fromMask(mask, index)) };
}

export function ReviewPage({ projectId, imageId }: { projectId: number; imageId: number | null }): ReactNode {
  const [reviewed, setReviewed] = useState<Reviewed | null>(null);
  const [isEmpty, setEmpty] = useState(false);
  const [error, setError] = useState("");
  const [, goTo] = useLocation();
  const open = useCallback(() => {
    nextReview(projectId, imageId).then(
      (next) => {
        setError("");
        setReviewed(next);
        setEmpty(next === null);
      },
      (reason: unknown) => { setError(messageOf(reason)); },
    );
  }, [projectId, imageId]);
  useEffect(open, [open]);
  const onDone = (): void => {
    if (imageId === null) open();
    else goTo(`/projects/${projectId}/review`);
  };
  if (isEmpty) {
    return (
      <main className="page">
        <h1>Nothing left to review</h1>
        <p>Pictures come here when an annotator is done with them and the project asks for reviews.</p>
        <p><Link className="button" href={`/projects/${projectId}`}>To the pictures</Link></p>
      </main>
    );
  }
  return (
    <main className="review" aria-label="Review">
      <Notice text={error} />
      {reviewed !== null && <Reviewing key={reviewed.task.id} reviewed={reviewed} onDone={onDone} onChange={open} />}
    </main>
  );
}

interface Side {
  readonly title: string;
  readonly masks: readonly Mask[];
}

/** What the two sides show: the picture and its masks, or a mask as it was first and as it is. */
function sidesOf(masks: readonly Mask[], chosen: Mask | null, first: Runs | null, isDifference: boolean): [Side, Side] {
  if (chosen === null) return [{ title: "Picture", masks: [] }, { title: "Masks", masks }];
  if (first === null) return [{ title: "Picture", masks: [] }, { title: "This mask", masks: [chosen] }];
  const as = (runs: Runs, id: string, colour: number): Mask => ({ ...chosen, id, runs, colour, box: boxOf(runs), areaPx: areaPx(runs) });
  const before = as(first, "before", chosen.colour);
  if (!isDifference) return [{ title: "As it was first", masks: [before] }, { title: "As it is", masks: [chosen] }];
  const added = as(subtract(chosen.runs, first), "added", ADDED);
  const removed = as(subtract(first, chosen.runs), "removed", REMOVED);
  return [
    { title: "As it was first", masks: [before] },
    { title: `Difference: added green, removed red (IoU ${iou(first, chosen.runs).toFixed(2)})`, masks: [added, removed] },
  ];
}

function Reviewing({ reviewed, onDone, onChange }: { reviewed: Reviewed; onDone: () => void; onChange: () => void }): ReactNode {
  const { task, picture, pixels, masks } = reviewed;
  const [chosenId, setChosenId] = useState<string | null>(null);
  const [isDifference, setDifference] = useState(true);
  const [viewport, setViewport] = useState<Viewport | null>(null);
  const [comment, setComment] = useState("");
  const { isBusy, error, run } = useWork();
  const chosen = masks.find((mask) => mask.id === chosenId) ?? null;
  const versions = useLoaded(`versions-${chosenId ?? ""}`, async () =>
    chosenId === null ? [] : take(server.GET("/api/v1/masks/{mask_id}/versions", { params: { path: { mask_id: chosenId } } })),
  );
  const [oldest] = versions.data ?? [];
  const first = oldest === undefined ? null : fromMask(oldest.mask, 0).runs;
  const [left, right] = sidesOf(masks, chosen, first, isDifference);

  const decide = (decision: Schemas["ReviewIn"]["decision"], maskId: string | null): void => {
    run(async () => {
      const lease = { task_id: task.lease.task_id, token: task.lease.token };
      await take(
        server.POST("/api/v1/images/{image_id}/reviews", {
          params: { path: { image_id: picture.id } },
          body: { decision, mask_id: maskId, comment, lease },
        }),
      );
      if (maskId === null) onDone();
      else onChange();
    });
  };
  const shared = { picture, pixels, viewport, onViewport: setViewport };
  return (
    <>
      <div className="review-views">
        <ReviewCanvas {...shared} {...left} selected={null} />
        <ReviewCanvas {...shared} {...right} selected={chosenId} />
      </div>
      <aside className="side" aria-label="Decision">
        <h1 className="side-title">{picture.name}</h1>
        <section className="form">
          <label>
            Comment
            <textarea rows={2} maxLength={2000} value={comment} onChange={(event) => { setComment(event.target.value); }} />
          </label>
          <div className="row">
            <button type="button" className="primary" disabled={isBusy} onClick={() => { decide("accept", null); }}>Accept</button>
            <button type="button" disabled={isBusy} onClick={() => { decide("fix", null); }}>Send back</button>
            <button type="button" disabled={isBusy} onClick={() => { decide("reject", null); }}>Reject</button>
          </div>
          <Notice text={error} />
        </section>
        <section className="mask-list" aria-labelledby="review-masks">
          <h2 id="review-masks">{masks.length} {masks.length === 1 ? "mask" : "masks"}</h2>
          <label className="check">
            <input type="checkbox" checked={isDifference} onChange={(event) => { setDifference(event.target.checked); }} />
            Show what changed
          </label>
          <ol className="plain">
            {masks.map((mask, index) => (
              <li key={mask.id} className={mask.id === chosenId ? "mask-row mask-row-selected" : "mask-row"}>
                <button
                  type="button"
                  className="mask-name"
                  aria-pressed={mask.id === chosenId}
                  onClick={() => { setChosenId(mask.id === chosenId ? null : mask.id); }}
                >
                  <Thumb runs={mask.runs} colour={mask.colour} sizePx={32} />
                  <span>{mask.label === "" ? `Mask ${index + 1}` : mask.label}{mask.isProposed && <span className="badge">proposed</span>}</span>
                </button>
                {mask.isProposed && <button type="button" disabled={isBusy} onClick={() => { decide("accept", mask.id); }}>Accept</button>}
                <button type="button" disabled={isBusy} onClick={() => { decide("reject", mask.id); }}>Reject</button>
              </li>
            ))}
          </ol>
        </section>
      </aside>
    </>
  );
}

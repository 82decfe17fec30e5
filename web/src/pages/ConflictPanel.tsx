/** Two people changed one mask: both versions, and a choice. */

import type { ReactNode } from "react";

import type { Choice, Editor } from "../editor";
import type { HeldConflict } from "../log";
import { iou } from "../runs";
import { useWork } from "./loading";
import { Thumb } from "./Thumb";
import { useEditor } from "./useEditor";

const THUMB_PX = 96;

export function ConflictPanel({ editor }: { editor: Editor }): ReactNode {
  const conflicts = useEditor(editor, (snapshot) => snapshot.conflicts);
  const [first] = conflicts;
  if (first === undefined) return null;
  return <Conflict key={first.maskId} editor={editor} conflict={first} others={conflicts.length - 1} />;
}

function Conflict({ editor, conflict, others }: { editor: Editor; conflict: HeldConflict; others: number }): ReactNode {
  const masks = useEditor(editor, ({ state }) => state.work.masks);
  const { isBusy, run } = useWork();
  const mine = masks.find((mask) => mask.id === conflict.maskId) ?? null;
  const theirs = editor.theirMask(conflict, (mine?.colour ?? 0) + 1);
  const choose = (choice: Choice) => (): void => { run(() => editor.resolve(conflict, choice)); };
  return (
    <section className="conflict card" role="alertdialog" aria-labelledby="conflict-title">
      <h2 id="conflict-title">Somebody else changed this mask, too</h2>
      {conflict.message !== null && <p className="quiet">{conflict.message}</p>}
      <div className="row versions">
        <figure>
          {mine === null ? <span className="gone">deleted</span> : <Thumb runs={mine.runs} colour={mine.colour} sizePx={THUMB_PX} />}
          <figcaption>Yours{mine !== null && ` · ${mine.areaPx} px`}</figcaption>
        </figure>
        <figure>
          {theirs === null ? <span className="gone">deleted</span> : <Thumb runs={theirs.runs} colour={theirs.colour} sizePx={THUMB_PX} />}
          <figcaption>Theirs{theirs !== null && ` · ${theirs.areaPx} px`}</figcaption>
        </figure>
      </div>
      {mine !== null && theirs !== null && <p className="quiet">The two agree by {(100 * iou(mine.runs, theirs.runs)).toFixed(0)} %.</p>}
      <div className="row">
        <button type="button" disabled={isBusy} onClick={choose("mine")}>Keep mine</button>
        <button type="button" disabled={isBusy} onClick={choose("theirs")}>Take theirs</button>
        <button type="button" disabled={isBusy || mine === null || theirs === null} onClick={choose("both")}>Keep both</button>
      </div>
      {others > 0 && <p className="quiet">{others} more.</p>}
    </section>
  );
}

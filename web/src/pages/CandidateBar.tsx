/** The model's masks for the object in progress: one key each, and keep or drop. */

import type { ReactNode } from "react";

import { candidateNames, pickedIndex } from "../prompt";
import { type Command, keysOf, keyText } from "../shortcuts";
import { isDraftEmpty } from "../state";
import { Thumb } from "./Thumb";
import type { Running } from "./Toolbar";
import { useEditor } from "./useEditor";

const PICKS: readonly Command[] = ["prompt.pick1", "prompt.pick2", "prompt.pick3"];
const THUMB_PX = 56;
/** Of the palette: the colour in which the object in progress is drawn. */
const DRAFT_COLOUR = 0;

export function CandidateBar({ editor, run, remapped }: Running): ReactNode {
  const draft = useEditor(editor, ({ state }) => state.work.draft);
  const answer = useEditor(editor, ({ state }) => state.answer);
  const picked = useEditor(editor, ({ state }) => pickedIndex(state));
  const isAnswering = useEditor(editor, (snapshot) => snapshot.isAnswering);
  if (isDraftEmpty(draft)) return null;
  const isFix = draft.fixes !== null;
  const candidates = answer?.candidates ?? [];
  const names = candidateNames(candidates.length);
  const keyOf = (command: Command): string => keysOf(command, remapped).map(keyText).join(" or ");
  return (
    <div className="candidates card" role="group" aria-label="Object in progress">
      {isFix && <span className="fixing">Fixing a proposal: click what is missing, right click what is too much, or paint on.</span>}
      {candidates.length === 0 && <span className="quiet">{isAnswering ? "Asking the model…" : "Waiting for the model…"}</span>}
      {candidates.length > 1 &&
        candidates.map((candidate, index) => {
          const command = PICKS[index] ?? "prompt.pick1";
          return (
            <button
              key={names[index]}
              type="button"
              className="candidate"
              aria-pressed={index === picked}
              onClick={() => { run(command); }}
            >
              <Thumb runs={candidate.runs} colour={DRAFT_COLOUR} sizePx={THUMB_PX} />
              <span>{names[index]}</span>
              <span className="quiet">{(100 * candidate.predictedIou).toFixed(0)} % <kbd>{keyOf(command)}</kbd></span>
            </button>
          );
        })}
      {candidates.length === 1 && <span className="quiet">Score {(100 * (candidates[0]?.predictedIou ?? 0)).toFixed(0)} %</span>}
      <button type="button" className="primary" disabled={candidates.length === 0} onClick={() => { run("prompt.accept"); }}>
        Keep <kbd>{keyOf("prompt.accept")}</kbd>
      </button>
      <button type="button" onClick={() => { run("prompt.cancel"); }}>
        {isFix ? "Leave as it was" : "Drop"} <kbd>{keyOf("prompt.cancel")}</kbd>
      </button>
    </div>
  );
}

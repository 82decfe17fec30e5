/** The line under the picture: is everything saved, how is decoding done, where is the cursor. */

import { type ReactNode, useEffect, useState, useSyncExternalStore } from "react";

import type { Editor } from "../editor";
import { type Preference, PREFERENCES } from "../runtime";
import type { Saving } from "../sync";
import type { Readiness, Workbench } from "../workbench";
import { useEditor } from "./useEditor";

const SAVING: Record<Saving["state"], string> = {
  saved: "Saved",
  saving: "Saving…",
  offline: "Not reachable: kept here",
  unwritable: "The server cannot write to its disk: kept here",
  "signed-out": "Signed out: kept here",
  "lease-lost": "In somebody else's hands: kept here",
  conflict: "Conflict",
};

const READINESS: Record<Readiness, string> = {
  none: "",
  loading: "Opening the picture…",
  waiting: "The model is still looking at this picture; brush and polygon work already.",
  ready: "",
  failed: "The model cannot be asked on this picture; brush and polygon work.",
};

const DECODE_WITH: Record<Preference, string> = {
  automatic: "Fastest",
  processor: "Processor",
  graphics: "Graphics card",
  server: "Server",
};

export function StatusLine({ bench, suggestAfterS }: { bench: Workbench; suggestAfterS: number }): ReactNode {
  const { saving, means, preference, readiness } = useSyncExternalStore(bench.subscribe, bench.getSnapshot);
  const trouble = useEditor(bench.editor, (snapshot) => snapshot.trouble);
  return (
    <div className="status" aria-label="Status" role="group">
      <span className={`saving saving-${saving.state}`} role="status" title={saving.message}>
        {SAVING[saving.state]}
        {saving.pending > 0 && ` (${saving.pending})`}
      </span>
      <Suggestion editor={bench.editor} afterS={suggestAfterS} />
      <span className="means" role="status">{trouble || READINESS[readiness] || means?.note}</span>
      <select
        className="decode-with"
        aria-label="Decode with"
        title="What computes the masks"
        value={preference}
        onChange={(event) => void bench.decodeWith(event.target.value as Preference)}
      >
        {PREFERENCES.map((each) => <option key={each} value={each}>{DECODE_WITH[each]}</option>)}
      </select>
      <Position editor={bench.editor} />
    </div>
  );
}

function Position({ editor }: { editor: Editor }): ReactNode {
  const text = useEditor(editor, ({ state }) => {
    const zoom = `${Math.round(100 * state.viewport.scale)} %`;
    return state.cursor === null ? zoom : `${Math.floor(state.cursor[0])}, ${Math.floor(state.cursor[1])} · ${zoom}`;
  });
  return <span className="position">{text}</span>;
}

/** A mask that takes long holds up the others. */
function Suggestion({ editor, afterS }: { editor: Editor; afterS: number }): ReactNode {
  const startedMs = useEditor(editor, ({ state }) => state.work.draft.startedMs);
  const [now, setNow] = useState(0);
  useEffect(() => {
    if (startedMs === null) return;
    const timer = setInterval(() => { setNow(Date.now()); }, 1000);
    return () => { clearInterval(timer); };
  }, [startedMs]);
  if (startedMs === null || now - startedMs < afterS * 1000) return null;
  return (
    <span className="suggestion" role="status">
      This one takes more than {afterS} s: keep it as it is, or go on to the next picture.
    </span>
  );
}

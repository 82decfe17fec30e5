/** The masks that a model proposed, apart from those that count: accept, fix or drop each, or take all that are left. */

import { memo, type ReactNode, useEffect, useMemo, useRef } from "react";

import { runCommand } from "../commands";
import type { Editor } from "../editor";
import { select } from "../mask";
import { PROPOSED } from "../palette";
import { type Command, COMMANDS, keysOf, keyText, type Remapped } from "../shortcuts";
import type { Mask } from "../state";
import { Icon, type IconName } from "./icons";
import { Thumb } from "./Thumb";
import type { Running } from "./Toolbar";
import { useEditor } from "./useEditor";

const THUMB_PX = 32;
const DECISIONS = [
  ["proposed.accept", "Accept", "check"],
  ["proposed.fix", "Fix", "brush"],
  ["proposed.drop", "Drop", "close"],
] as const satisfies readonly (readonly [Command, string, IconName])[];

const firstKey = (command: Command, remapped: Remapped): string => keysOf(command, remapped).map(keyText)[0] ?? "";

export function ProposalList({ editor, run, remapped }: Running): ReactNode {
  const all = useEditor(editor, ({ state }) => state.work.masks);
  const masks = useMemo(() => all.filter((mask) => mask.isProposed), [all]);
  const selected = useEditor(editor, ({ state }) => state.selected);
  if (masks.length === 0) return null;
  return (
    <section className="mask-list proposal-list" aria-labelledby="proposed-title">
      <div className="row head">
        <h2 id="proposed-title">{masks.length} proposed</h2>
        <button type="button" title={COMMANDS["proposed.acceptAll"].title} onClick={() => { run("proposed.acceptAll"); }}>
          Accept all <kbd>{firstKey("proposed.acceptAll", remapped)}</kbd>
        </button>
      </div>
      <p className="quiet">
        Found by the model. They count once you accept them. <kbd>{firstKey("proposed.next", remapped)}</kbd> goes to the next.
      </p>
      <ol className="plain" tabIndex={0} aria-labelledby="proposed-title">
        {masks.map((mask, index) => (
          <ProposalRow key={mask.id} editor={editor} mask={mask} name={`Proposal ${index + 1}`} isSelected={selected.includes(mask.id)} />
        ))}
      </ol>
    </section>
  );
}

const ProposalRow = memo(function ProposalRow({
  editor,
  mask,
  name,
  isSelected,
}: {
  editor: Editor;
  mask: Mask;
  name: string;
  isSelected: boolean;
}): ReactNode {
  const row = useRef<HTMLLIElement>(null);
  useEffect(() => {
    if (isSelected) row.current?.scrollIntoView({ block: "nearest" });
  }, [isSelected]);
  const { predictedIou } = mask.provenance;
  const decide = (command: Command): void => {
    editor.see((state) => select(state, mask.id));
    runCommand(editor, command);
  };
  return (
    <li ref={row} className={isSelected ? "mask-row mask-row-selected" : "mask-row"}>
      <button
        type="button"
        className="mask-name"
        aria-pressed={isSelected}
        onClick={(event) => { editor.see((state) => select(state, mask.id, event.shiftKey || event.ctrlKey || event.metaKey)); }}
      >
        <Thumb runs={mask.runs} colour={PROPOSED} sizePx={THUMB_PX} />
        <span>{name}{predictedIou !== null && <span className="quiet"> {(100 * Math.min(1, predictedIou)).toFixed(0)} %</span>}</span>
      </button>
      {DECISIONS.map(([command, title, icon]) => (
        <button key={command} type="button" className="icon-button small" title={title} aria-label={`${title} ${name}`} onClick={() => { decide(command); }}>
          <Icon name={icon} />
        </button>
      ))}
    </li>
  );
});

/** What can be done with the selected proposal, each with its key. */
export function ProposalActions({ run, remapped }: Omit<Running, "editor">): ReactNode {
  return (
    <div className="row" role="group" aria-label="Selected proposal">
      {DECISIONS.map(([command, title]) => (
        <button key={command} type="button" className={title === "Accept" ? "primary" : undefined} onClick={() => { run(command); }}>
          {title} <kbd>{firstKey(command, remapped)}</kbd>
        </button>
      ))}
    </div>
  );
}

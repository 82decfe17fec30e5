/** The right side: what to do, how masks look, and the list of them. */

import { memo, type ReactNode, useMemo, useState } from "react";

import { runCommand, setOpacity } from "../commands";
import type { Schemas } from "../client";
import type { Editor } from "../editor";
import { describe, remove, select } from "../mask";
import { cssOf } from "../palette";
import type { Command, Remapped } from "../shortcuts";
import type { Mask } from "../state";
import { Icon } from "./icons";
import { ProposalActions, ProposalList } from "./ProposalList";
import { Thumb } from "./Thumb";
import { useEditor } from "./useEditor";

const THUMB_PX = 32;

interface Props {
  readonly editor: Editor;
  readonly run: (command: Command) => void;
  readonly remapped: Remapped;
  readonly task: Schemas["Task"] | null;
  readonly instructions: string;
  readonly kind: Schemas["ProjectKind"];
  readonly labels: readonly string[];
}

export function MaskPanel({ editor, run, remapped, task, instructions, kind, labels }: Props): ReactNode {
  // Where a model's masks are corrected, all of them are masks of the picture until somebody says otherwise.
  const isApart = kind !== "correct";
  return (
    <aside className="side" aria-label="Picture and masks">
      <section className="side-head">
        <h1 className="side-title" title={task?.image.file_name}>{task?.image.file_name ?? "No picture"}</h1>
        {task !== null && task.comment !== null && task.comment !== "" && (
          <p className="notice notice-info"><strong>From the reviewer:</strong> {task.comment}</p>
        )}
        <div className="row">
          <button type="button" className="primary grow" disabled={task === null} onClick={() => { run("task.finish"); }}>Done, next</button>
          <button type="button" disabled={task === null} onClick={() => { run("task.skip"); }}>Skip</button>
        </div>
      </section>
      {kind === "correct" && <Passing editor={editor} />}
      <details className="instructions">
        <summary>What to do</summary>
        <p>{instructions}</p>
      </details>
      <LookControls editor={editor} />
      {isApart && <ProposalList editor={editor} run={run} remapped={remapped} />}
      <MaskList editor={editor} isApart={isApart} />
      <Selected editor={editor} run={run} remapped={remapped} labels={labels} />
    </aside>
  );
}

/** What becomes of the masks that nobody touched. */
function Passing({ editor }: { editor: Editor }): ReactNode {
  const left = useEditor(editor, ({ state }) => state.work.masks.filter((mask) => mask.isProposed).length);
  if (left === 0) return null;
  return (
    <p className="notice notice-info">
      {left === 1 ? "1 mask is" : `${left} masks are`} as the model made {left === 1 ? "it" : "them"}. <strong>Done</strong> says: I
      looked, and {left === 1 ? "it is" : "they are"} right.
    </p>
  );
}

function LookControls({ editor }: { editor: Editor }): ReactNode {
  const look = useEditor(editor, ({ state }) => state.look);
  const toggle = (command: Command) => (): void => { runCommand(editor, command); };
  return (
    <section className="look" aria-label="How masks look">
      <label className="inline">
        Opacity
        <input
          type="range"
          min={0}
          max={100}
          value={Math.round(look.opacity * 100)}
          onChange={(event) => { setOpacity(editor, Number(event.target.value) / 100); }}
        />
      </label>
      <div className="row">
        <label className="check"><input type="checkbox" checked={look.isOutlineOnly} onChange={toggle("view.outline")} />Outlines</label>
        <label className="check"><input type="checkbox" checked={look.areMasksHidden} onChange={toggle("view.hide")} />Hide</label>
        <label className="check"><input type="checkbox" checked={look.isAlone} onChange={toggle("view.alone")} />Selected only</label>
        <label className="check"><input type="checkbox" checked={look.isHoverOn} onChange={toggle("view.hover")} />Hover</label>
      </div>
    </section>
  );
}

function MaskList({ editor, isApart }: { editor: Editor; isApart: boolean }): ReactNode {
  const all = useEditor(editor, ({ state }) => state.work.masks);
  const masks = useMemo(() => (isApart ? all.filter((mask) => !mask.isProposed) : all), [all, isApart]);
  const selected = useEditor(editor, ({ state }) => state.selected);
  return (
    <section className="mask-list" aria-labelledby="masks-title">
      <h2 id="masks-title">{masks.length} {masks.length === 1 ? "mask" : "masks"}</h2>
      {masks.length === 0 && <p className="quiet">Click an object in the picture. Right click takes away, a drag is a box.</p>}
      <ol className="plain" tabIndex={masks.length > 0 ? 0 : undefined} aria-labelledby="masks-title">
        {masks.map((mask, index) => (
          <Row key={mask.id} editor={editor} mask={mask} index={index} isSelected={selected.includes(mask.id)} />
        ))}
      </ol>
    </section>
  );
}

const Row = memo(function Row({
  editor,
  mask,
  index,
  isSelected,
}: {
  editor: Editor;
  mask: Mask;
  index: number;
  isSelected: boolean;
}): ReactNode {
  const name = mask.label === "" ? `Mask ${index + 1}` : mask.label;
  return (
    <li className={isSelected ? "mask-row mask-row-selected" : "mask-row"}>
      <button
        type="button"
        className="mask-name"
        aria-pressed={isSelected}
        onClick={(event) => { editor.see((state) => select(state, mask.id, event.shiftKey || event.ctrlKey || event.metaKey)); }}
      >
        <Thumb runs={mask.runs} colour={mask.colour} sizePx={THUMB_PX} />
        <span>{name}</span>
      </button>
      <button
        type="button"
        className="icon-button small"
        aria-label={mask.isVisible ? `Hide ${name}` : `Show ${name}`}
        aria-pressed={!mask.isVisible}
        onClick={() => { editor.see((state) => describe(state, mask.id, { isVisible: !mask.isVisible })); }}
      >
        <Icon name={mask.isVisible ? "eye" : "eyeOff"} />
      </button>
      <button
        type="button"
        className="icon-button small"
        aria-label={`Delete ${name}`}
        onClick={() => { editor.act("Delete", (state) => remove(state, [mask.id])); }}
      >
        <Icon name="trash" />
      </button>
    </li>
  );
});

function Selected({ editor, run, remapped, labels }: Omit<Props, "task" | "instructions" | "kind">): ReactNode {
  const masks = useEditor(editor, ({ state }) => state.work.masks);
  const id = useEditor(editor, ({ state }) => state.selected[state.selected.length - 1]);
  const mask = masks.find((one) => one.id === id);
  if (mask === undefined) return null;
  return (
    <MaskDetails key={mask.id} editor={editor} mask={mask} labels={labels}>
      {mask.isProposed && <ProposalActions run={run} remapped={remapped} />}
    </MaskDetails>
  );
}

function MaskDetails({
  editor,
  mask,
  labels,
  children,
}: {
  editor: Editor;
  mask: Mask;
  labels: readonly string[];
  children: ReactNode;
}): ReactNode {
  const [text, setText] = useState(mask.label);
  const { provenance } = mask;
  return (
    <section className="selected" aria-label="Selected mask">
      <label>
        Label
        <input
          id="mask-label"
          list="mask-labels"
          value={text}
          placeholder="none needed"
          maxLength={200}
          onChange={(event) => { setText(event.target.value); }}
          onBlur={() => { if (text.trim() !== mask.label) editor.label(mask.id, text); }}
          onKeyDown={(event) => { if (event.key === "Enter" || event.key === "Escape") event.currentTarget.blur(); }}
        />
        <datalist id="mask-labels">{labels.map((label) => <option key={label} value={label} />)}</datalist>
      </label>
      <div className="row" role="group" aria-label="Colour">
        {Array.from({ length: 8 }, (_, colour) => (
          <button
            key={colour}
            type="button"
            className="swatch"
            aria-label={`Colour ${colour + 1}`}
            aria-pressed={mask.colour === colour}
            ref={(element) => { element?.style.setProperty("background", cssOf(colour)); }}
            onClick={() => { editor.see((state) => describe(state, mask.id, { colour })); }}
          />
        ))}
      </div>
      <p className="quiet">
        {mask.areaPx.toLocaleString("en")} px · {[...new Set(provenance.tools)].join(", ").replaceAll("_", " ")}
        {provenance.predictedIou !== null && ` · score ${(100 * provenance.predictedIou).toFixed(0)} %`}
        {` · ${(provenance.activeMs / 1000).toFixed(1)} s`}
      </p>
      {children}
    </section>
  );
}

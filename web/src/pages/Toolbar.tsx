/** Tools and actions, each with its key. */

import type { ReactNode } from "react";

import { setBrush } from "../commands";
import type { Editor } from "../editor";
import { type Command, COMMANDS, keysOf, keyText, type Remapped } from "../shortcuts";
import type { Tool } from "../state";
import { Icon, type IconName } from "./icons";
import { useEditor } from "./useEditor";

const TOOLS: readonly Tool[] = ["click", "box", "brush", "eraser", "polygon", "select"];

export interface Running {
  readonly editor: Editor;
  readonly run: (command: Command) => void;
  readonly remapped: Remapped;
}

function CommandButton({
  command,
  icon,
  run,
  remapped,
  isPressed,
  isOff = false,
  title = COMMANDS[command].title,
}: Omit<Running, "editor"> & {
  command: Command;
  icon: IconName;
  isPressed?: boolean;
  isOff?: boolean;
  title?: string;
}): ReactNode {
  const keys = keysOf(command, remapped).map(keyText).join(" or ");
  return (
    <button
      type="button"
      className="icon-button"
      title={keys === "" ? title : `${title} (${keys})`}
      aria-label={title}
      aria-pressed={isPressed}
      disabled={isOff}
      onClick={() => { run(command); }}
    >
      <Icon name={icon} />
    </button>
  );
}

export function Toolbar({ editor, run, remapped }: Running): ReactNode {
  const tool = useEditor(editor, ({ state }) => state.tool);
  const isForeground = useEditor(editor, ({ state }) => state.isForeground);
  const brushPx = useEditor(editor, ({ state }) => state.brushPx);
  const count = useEditor(editor, ({ state }) => state.selected.length);
  const isHidden = useEditor(editor, ({ state }) => state.look.areMasksHidden);
  const undoName = useEditor(editor, (snapshot) => snapshot.undoName);
  const redoName = useEditor(editor, (snapshot) => snapshot.redoName);
  const shared = { run, remapped };
  return (
    <div className="toolbar" role="toolbar" aria-label="Tools" aria-orientation="vertical">
      {TOOLS.map((name) => (
        <CommandButton key={name} {...shared} command={`tool.${name}`} icon={name} isPressed={tool === name} />
      ))}
      <hr />
      {(tool === "click" || tool === "box") && (
        <button
          type="button"
          className={`sign ${isForeground ? "sign-good" : "sign-bad"}`}
          title={`Left button adds ${isForeground ? "foreground" : "background"} (${keysOf("prompt.toggle", remapped).map(keyText).join(" or ")})`}
          aria-label={`Left button adds ${isForeground ? "foreground" : "background"}`}
          onClick={() => { run("prompt.toggle"); }}
        >
          {isForeground ? "+" : "−"}
        </button>
      )}
      {(tool === "brush" || tool === "eraser") && (
        <label className="brush">
          <span className="hidden">Brush size in pixels</span>
          <input
            type="number"
            min={1}
            max={400}
            value={brushPx}
            onChange={(event) => { setBrush(editor, Number(event.target.value) || 1); }}
          />
        </label>
      )}
      <hr />
      <CommandButton {...shared} command="edit.undo" icon="undo" isOff={undoName === null} title={undoName === null ? "Undo" : `Undo: ${undoName}`} />
      <CommandButton {...shared} command="edit.redo" icon="redo" isOff={redoName === null} title={redoName === null ? "Redo" : `Redo: ${redoName}`} />
      <hr />
      <CommandButton {...shared} command="edit.merge" icon="merge" isOff={count < 2} />
      <CommandButton {...shared} command="edit.subtract" icon="subtract" isOff={count < 2} />
      <CommandButton {...shared} command="edit.duplicate" icon="copy" isOff={count < 1} />
      <CommandButton {...shared} command="edit.fillHoles" icon="fill" isOff={count < 1} />
      <CommandButton {...shared} command="edit.removeIslands" icon="islands" isOff={count < 1} />
      <CommandButton {...shared} command="edit.delete" icon="trash" isOff={count < 1} />
      <hr />
      <CommandButton {...shared} command="view.fit" icon="fit" />
      <CommandButton {...shared} command="view.hide" icon={isHidden ? "eyeOff" : "eye"} isPressed={isHidden} />
      <CommandButton {...shared} command="help.show" icon="help" />
    </div>
  );
}

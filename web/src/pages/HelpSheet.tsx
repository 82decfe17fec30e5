/** Every command with its keys; a click on a key changes it. */

import { type ReactNode, useEffect, useRef, useState } from "react";

import { ALL_COMMANDS, comboOf, type Command, COMMANDS, keysOf, keyText, remap, type Remapped } from "../shortcuts";

const MOUSE = [
  ["Left button", "adds foreground (X: background)"],
  ["Right button", "adds background; with brush and eraser the other of the two; with the polygon takes a corner back"],
  ["Drag", "a box with the click and box tools, a stroke with brush and eraser, moves the picture with select"],
  ["Wheel", "zooms; with Shift moves the picture"],
  ["Middle button, Alt + drag", "moves the picture"],
  ["Click on the first corner", "closes the polygon; with Shift it is taken away from the mask"],
] as const;

export function HelpSheet({
  remapped,
  onChange,
  onClose,
}: {
  remapped: Remapped;
  onChange: (remapped: Remapped) => void;
  onClose: () => void;
}): ReactNode {
  const dialog = useRef<HTMLDialogElement>(null);
  const [waiting, setWaiting] = useState<Command | null>(null);
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  useEffect(() => {
    if (waiting === null) return;
    const onKey = (event: KeyboardEvent): void => {
      const combo = comboOf(event);
      if (combo === null) return;
      event.preventDefault();
      event.stopPropagation();
      setWaiting(null);
      if (combo !== "Escape") onChange(remap(remapped, waiting, combo));
    };
    window.addEventListener("keydown", onKey, true);
    return () => { window.removeEventListener("keydown", onKey, true); };
  }, [waiting, remapped, onChange]);
  const groups = [...new Set(ALL_COMMANDS.map((command) => COMMANDS[command].group))];
  return (
    <dialog ref={dialog} className="help" aria-labelledby="help-title" onClose={onClose}>
      <div className="row head">
        <h1 id="help-title">Keys and mouse</h1>
        <div className="row">
          <button type="button" onClick={() => { onChange({}); }}>Default keys</button>
          <button type="button" onClick={() => { dialog.current?.close(); }}>Close</button>
        </div>
      </div>
      <p className="quiet">Choose a key to change it; then press the new one, or Esc to leave it.</p>
      <div className="help-groups">
        <section>
          <h2>Mouse</h2>
          <dl>{MOUSE.map(([what, does]) => <div key={what}><dt>{what}</dt><dd>{does}</dd></div>)}</dl>
        </section>
        {groups.map((group) => (
          <section key={group}>
            <h2>{group}</h2>
            <dl>
              {ALL_COMMANDS.filter((command) => COMMANDS[command].group === group).map((command) => (
                <div key={command}>
                  <dt>{COMMANDS[command].title}</dt>
                  <dd>
                    <button type="button" className="key" onClick={() => { setWaiting(command); }}>
                      {waiting === command ? "press a key" : keysOf(command, remapped).map(keyText).join(" or ") || "none"}
                      <span className="hidden"> for: {COMMANDS[command].title}</span>
                    </button>
                  </dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </dialog>
  );
}

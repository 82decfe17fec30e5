/** Before many proposed masks are decided at once: what is to become of them. */

import { type ReactNode, useEffect, useRef } from "react";

/** `all`: accept all that are left; `finish`: the picture is done, and some are left. */
export type Undecided = "all" | "finish";

interface Props {
  readonly why: Undecided;
  readonly count: number;
  readonly onAccept: () => void;
  readonly onDrop: () => void;
  readonly onBack: () => void;
}

export function UndecidedDialog({ why, count, onAccept, onDrop, onBack }: Props): ReactNode {
  const dialog = useRef<HTMLDialogElement>(null);
  const back = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    dialog.current?.showModal();
    if (why === "finish") back.current?.focus();
  }, [why]);
  const many = count === 1 ? "1 proposed mask" : `${count} proposed masks`;
  const end = (how: () => void) => (): void => {
    dialog.current?.close();
    how();
  };
  const tail = why === "finish" ? ", next picture" : "";
  return (
    <dialog ref={dialog} className="help undecided" aria-labelledby="undecided-title" onCancel={onBack}>
      <h1 id="undecided-title">{why === "finish" ? `${many} undecided` : `Accept ${many}?`}</h1>
      <p>
        {why === "finish"
          ? "Nobody has accepted or dropped them yet. What is undecided does not count as accepted."
          : "All that are left become masks of this picture as they are. Undo takes it back."}
      </p>
      <div className="row">
        <button type="button" className="primary" onClick={end(onAccept)}>Accept {count === 1 ? "it" : "them"}{tail}</button>
        {why === "finish" && <button type="button" onClick={end(onDrop)}>Drop {count === 1 ? "it" : "them"}{tail}</button>}
        {/* Enter pressed out of habit must not accept what nobody looked at. */}
        <button ref={back} type="button" onClick={end(onBack)}>Back to the picture</button>
      </div>
    </dialog>
  );
}

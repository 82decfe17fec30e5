/** An editor on an empty picture, for tests of what is done with it. */

import { Editor } from "../src/editor";
import { Log } from "../src/log";
import type { State } from "../src/state";

export const PICTURE_HW = [60, 80] as const;

/** The view is one to one, with the picture's corner at the screen's. */
export async function makeEditor(): Promise<{ editor: Editor; state: () => State; close: () => void }> {
  const log = await Log.open(crypto.randomUUID());
  let clock = 0;
  const editor = new Editor({ log, personId: 1, onSaving: () => undefined, onSaved: () => undefined }, () => (clock += 100));
  const picture = { id: 1, name: "p.png", sizeHw: PICTURE_HW };
  editor.open({ picture, masks: [], known: new Map(), draft: null, conflicts: [] }, 15_000);
  editor.see((state) => ({ ...state, brushPx: 4, viewport: { scale: 1, x: 0, y: 0, screenHw: PICTURE_HW } }));
  return {
    editor,
    state: () => editor.getSnapshot().state,
    close: () => {
      void editor.saved.then(() => {
        log.close();
      });
    },
  };
}

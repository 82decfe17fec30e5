/** A part of the editor's snapshot; the page is drawn anew only when that part changes. */

import { useSyncExternalStore } from "react";

import type { Editor, Snapshot } from "../editor";

export function useEditor<T>(editor: Editor, choose: (snapshot: Snapshot) => T): T {
  return useSyncExternalStore(editor.subscribe, () => choose(editor.getSnapshot()));
}

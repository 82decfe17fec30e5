/** Who works here and with what: known to every page. */

import { createContext, useContext } from "react";

import type { Schemas } from "../client";
import type { Log } from "../log";

export interface Here {
  readonly session: Schemas["Session"];
  readonly person: Schemas["Person"];
  readonly info: Schemas["Info"];
  readonly log: Log;
  /** The session has ended on the server. */
  readonly onSignedOut: () => void;
  readonly signOut: () => void;
}

export const HereContext = createContext<Here | null>(null);

export function useHere(): Here {
  const here = useContext(HereContext);
  if (here === null) throw new Error("this page is shown to those who are signed in only");
  return here;
}

/** Whether a person may do what `least` may. */
export function mayAct(person: Schemas["Person"], least: Schemas["Role"]): boolean {
  const order: readonly Schemas["Role"][] = ["annotator", "reviewer", "admin"];
  return order.indexOf(person.role) >= order.indexOf(least);
}

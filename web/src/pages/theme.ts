/** Light, dark, or as the machine has it. */

import { useCallback, useSyncExternalStore } from "react";

const KEY = "anymask-theme";
export type Theme = "light" | "dark";
const listeners = new Set<() => void>();

const ofMachine = (): Theme => (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");

function current(): Theme {
  const chosen = localStorage.getItem(KEY);
  return chosen === "light" || chosen === "dark" ? chosen : ofMachine();
}

function apply(): void {
  document.documentElement.dataset.theme = current();
}

apply();

function subscribe(listener: () => void): () => void {
  const machine = matchMedia("(prefers-color-scheme: dark)");
  const onMachine = (): void => {
    apply();
    listener();
  };
  machine.addEventListener("change", onMachine);
  listeners.add(listener);
  return () => {
    machine.removeEventListener("change", onMachine);
    listeners.delete(listener);
  };
}

export function useTheme(): { theme: Theme; toggle: () => void } {
  const theme = useSyncExternalStore(subscribe, current);
  const toggle = useCallback(() => {
    localStorage.setItem(KEY, current() === "dark" ? "light" : "dark");
    apply();
    for (const listener of listeners) listener();
  }, []);
  return { theme, toggle };
}

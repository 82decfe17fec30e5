/** The tool at work on one picture: transitions in, history, saving and the model's answers; drawing follows. */

import { Activity } from "./activity";
import type { Decoder } from "./decoder";
import { EMPTY_HISTORY, type History, maskChanges, nextRedo, nextUndo, record, redo, undo } from "./history";
import type { HeldConflict, Log } from "./log";
import { describe, remove, withMasks } from "./mask";
import { acceptDraft, nextColour, receiveAnswer, type Stamp } from "./prompt";
import { defaults, type Draft, isDraftEmpty, type Mask, type Picture, type Point, type Prompt, type State } from "./state";
import { fit } from "./viewport";
import { type Action, fromMask, type Known, knownOf, toActions } from "./wire";

type WireMask = Parameters<typeof fromMask>[0];

/** One picture, ready to be worked on. */
export interface Opened {
  readonly picture: Picture;
  readonly masks: readonly Mask[];
  readonly known: Map<string, Known>;
  readonly draft: Draft | null;
  readonly conflicts: readonly HeldConflict[];
}

/** What the pages around the canvas show of the tool. */
export interface Snapshot {
  readonly state: State;
  readonly undoName: string | null;
  readonly redoName: string | null;
  readonly conflicts: readonly HeldConflict[];
  readonly isAnswering: boolean;
  /** A sentence about something that went wrong; empty when all is well. */
  readonly trouble: string;
}

export type Choice = "mine" | "theirs" | "both";

/** Where the tool saves, and who does the work. */
export interface Keeper {
  readonly log: Log;
  readonly personId: number;
  /** Something is on its way into the log. */
  readonly onSaving: () => void;
  /** It is in the log. */
  readonly onSaved: () => void;
}

const newId = (): string => crypto.randomUUID();

export class Editor {
  private state: State = defaults();
  private history: History = EMPTY_HISTORY;
  private known = new Map<string, Known>();
  private conflicts: readonly HeldConflict[] = [];
  private decoder: Decoder | null = null;
  private asked: Prompt | null = null;
  /** The prompt whose answer is to be kept as soon as it is there. */
  private keptAhead: Prompt | null = null;
  private readonly onKept: (() => void)[] = [];
  private trouble = "";
  private activity = new Activity(15_000);
  private saving: Promise<void> = Promise.resolve();
  private readonly listeners = new Set<() => void>();
  private snapshot: Snapshot | null = null;

  constructor(
    private readonly keeper: Keeper,
    private readonly now: () => number = Date.now,
  ) {}

  /** For React's `useSyncExternalStore`: the same object until something changes. */
  readonly getSnapshot = (): Snapshot => {
    this.snapshot ??= {
      state: this.state,
      undoName: nextUndo(this.history)?.name ?? null,
      redoName: nextRedo(this.history)?.name ?? null,
      conflicts: this.conflicts,
      isAnswering: this.asked !== null,
      trouble: this.trouble,
    };
    return this.snapshot;
  };

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Everything that was done so far is in the log. */
  get saved(): Promise<void> {
    return this.saving;
  }

  open(opened: Opened, idleMs: number): void {
    this.activity = new Activity(idleMs);
    this.history = EMPTY_HISTORY;
    this.known = opened.known;
    this.conflicts = opened.conflicts;
    this.asked = null;
    const { look, tool, brushPx, viewport } = this.state;
    const view = fit(opened.picture.sizeHw, viewport.screenHw);
    const state = { ...defaults(), look, tool, brushPx, viewport: view, picture: opened.picture };
    // One kept by an earlier version of the tool may lack a field.
    const draft = { ...state.work.draft, ...opened.draft };
    this.change({ ...state, work: { masks: opened.masks, draft } });
  }

  /** Prompts are answered by `decoder` from now on; by none with null. */
  setDecoder(decoder: Decoder | null): void {
    this.decoder = decoder;
    this.asked = null;
    this.askAgain();
  }

  touch(): void {
    this.activity.touch(this.now());
  }

  /** Something that changes no work: the view, the selection, the tool. */
  see(change: (state: State) => State): void {
    const next = change(this.state);
    if (next !== this.state) this.change(next);
  }

  /** An action of the person: undone as one, and saved at once. */
  act(name: string, change: (state: State, stamp: Stamp) => State): void {
    const nowMs = this.now();
    const before = this.state;
    const after = change(before, { id: newId(), nowMs, activeMs: this.activity.since(nowMs) });
    if (after === before) return;
    // Clicks are part of the time of the mask they lead to.
    if (after.work.masks !== before.work.masks) this.activity.reset();
    this.history = record(this.history, name, before, after);
    this.change(after);
    this.save(before);
  }

  /**
   * The object in progress is kept, once the model has answered: a fast hand need not wait. Resolves when it is kept, or
   * will not be; at once where nothing answers yet.
   */
  keepObject(): Promise<void> {
    const { answer, work } = this.state;
    if (answer !== null || isDraftEmpty(work.draft)) {
      this.act("Keep object", acceptDraft);
      return Promise.resolve();
    }
    this.keptAhead = work.draft.prompt;
    if (this.decoder === null) return Promise.resolve();
    return new Promise((resolve) => {
      this.onKept.push(resolve);
    });
  }

  undo(): void {
    this.travel(undo(this.history, this.state));
  }

  redo(): void {
    this.travel(redo(this.history, this.state));
  }

  /** The mask the model sees at a place, shown until the cursor moves on. */
  async hover(xy: Point): Promise<void> {
    const { picture, work, look } = this.state;
    if (this.decoder === null || picture === null || !look.isHoverOn || !isDraftEmpty(work.draft)) return;
    const click = { xy: [Math.floor(xy[0]), Math.floor(xy[1])] as const, isForeground: true };
    try {
      const preview = await this.decoder.hover({ clicks: [click], box: null });
      if (preview === null || this.state.picture !== picture || !isDraftEmpty(this.state.work.draft)) return;
      this.see((state) => (state.cursor === null ? state : { ...state, preview }));
    } catch (error) {
      this.fail(error);
    }
  }

  stopHover(): void {
    this.decoder?.stopHover();
    this.see((state) => (state.preview === null ? state : { ...state, preview: null }));
  }

  /** The log holds other conflicts now. */
  async reloadConflicts(): Promise<void> {
    const { picture } = this.state;
    if (picture === null) return;
    this.conflicts = await this.keeper.log.conflicts(picture.id);
    for (const { maskId, theirs } of this.conflicts) {
      if (theirs !== null) this.known.set(maskId, knownOf([theirs as WireMask]).get(maskId) ?? this.unknown());
    }
    this.notify();
  }

  /** Ends a conflict: with this person's version, with the other's, or with both as two masks. */
  async resolve(conflict: HeldConflict, choice: Choice): Promise<void> {
    await this.saving;
    await this.keeper.log.dropConflict(conflict.maskId);
    this.conflicts = this.conflicts.filter((other) => other.maskId !== conflict.maskId);
    const mine = this.state.work.masks.find((mask) => mask.id === conflict.maskId) ?? null;
    const theirs = this.theirMask(conflict, mine?.colour);
    if (choice === "mine") {
      this.send(toActions([{ before: theirs, after: mine, index: 0 }], this.known, this.mark()));
      this.notify();
      return;
    }
    const copy = choice === "both" && mine !== null ? { ...mine, id: newId(), colour: nextColour(this.state.work.masks) } : null;
    this.act(choice === "both" ? "Keep both" : "Take theirs", (state) => {
      const rest = remove(state, [conflict.maskId]).work.masks;
      return withMasks(state, [...rest, ...(theirs === null ? [] : [theirs]), ...(copy === null ? [] : [copy])]);
    });
    this.notify();
  }

  /** The other person's version, if the mask is still there. */
  theirMask(conflict: HeldConflict, colour = 0): Mask | null {
    const wire = conflict.theirs as WireMask | null;
    return wire === null || wire.deleted || wire.state === "rejected" ? null : fromMask(wire, colour);
  }

  label(id: string, text: string): void {
    this.act("Label", (state) => describe(state, id, { label: text.trim().slice(0, 200) }));
  }

  private travel([history, state]: [History, State]): void {
    const before = this.state;
    this.activity.touch(this.now());
    if (history === this.history) return;
    this.history = history;
    this.change(state);
    this.save(before);
  }

  private save(before: State): void {
    const held = new Set(this.conflicts.map((conflict) => conflict.maskId));
    const changes = maskChanges(before.work.masks, this.state.work.masks).filter(
      (change) => !held.has(change.after?.id ?? change.before?.id ?? ""),
    );
    this.send(toActions(changes, this.known, this.mark()));
  }

  private send(actions: readonly Action[]): void {
    const { picture, work } = this.state;
    if (picture === null) return;
    const { log, personId, onSaving, onSaved } = this.keeper;
    const entries = actions.map((action) => ({ personId, imageId: picture.id, action }));
    const draft = { imageId: picture.id, draft: work.draft };
    onSaving();
    this.saving = this.saving.then(() => log.append(entries, draft)).then(onSaved, (error: unknown) => {
      this.fail(error);
    });
  }

  private mark(): { key: () => string; at: string } {
    return { key: newId, at: new Date(this.now()).toISOString() };
  }

  private unknown(): Known {
    return { version: 1, isGone: true, isProposed: false, runs: { sizeHw: [1, 1], edges: new Uint32Array(0) }, label: "" };
  }

  private change(state: State): void {
    this.state = state;
    this.askAgain();
    this.notify();
  }

  /** Asks for the answer to the draft, unless it is there or on its way. */
  private askAgain(): void {
    const { decoder } = this;
    const { draft } = this.state.work;
    if (this.keptAhead !== draft.prompt) this.endKeeping();
    if (isDraftEmpty(draft) || this.state.answer !== null || decoder === null) {
      this.asked = null;
      return;
    }
    if (this.asked === draft.prompt) return;
    this.asked = draft.prompt;
    decoder.answer(draft).then(
      (answer) => {
        if (this.asked === draft.prompt) this.asked = null;
        this.trouble = "";
        this.see((state) => receiveAnswer(state, draft.prompt, answer));
        if (this.keptAhead === draft.prompt) {
          this.act("Keep object", acceptDraft);
          this.endKeeping(); // also when there was nothing to keep: an empty mask
        }
        this.notify();
      },
      (error: unknown) => {
        if (this.asked === draft.prompt) this.asked = null;
        if (this.keptAhead === draft.prompt) this.endKeeping();
        this.fail(error);
      },
    );
  }

  /** Nothing is to be kept any more: it was, or its draft is another one now, or has no answer. */
  private endKeeping(): void {
    this.keptAhead = null;
    for (const resolve of this.onKept.splice(0)) resolve();
  }

  private fail(error: unknown): void {
    this.trouble = error instanceof Error ? error.message : String(error);
    this.notify();
  }

  private notify(): void {
    this.snapshot = null;
    for (const listener of this.listeners) listener();
  }
}

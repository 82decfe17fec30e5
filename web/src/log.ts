/**
 * What a person did, kept in the browser (IndexedDB) until the server has it: a killed browser, a dead network or an
 * expired session loses nothing that is in here.
 */

import { type DBSchema, type IDBPDatabase, openDB } from "idb";

import type { Draft } from "./state";
import type { Action } from "./wire";

/** One action on its way to the server. */
export interface Entry {
  /** Order of doing; given by the log. */
  readonly seq?: number;
  readonly personId: number;
  readonly imageId: number;
  readonly action: Action;
}

/** The right to change a picture, as the server gave it. */
export interface HeldLease {
  readonly imageId: number;
  readonly task_id: number;
  readonly token: number;
}

/** Two people changed one mask: the server's version, and what was done here since. */
export interface HeldConflict {
  readonly maskId: string;
  readonly personId: number;
  readonly imageId: number;
  /** The server's mask as it came. */
  readonly theirs: unknown;
  /** What it stopped, in order. */
  readonly actions: readonly Action[];
  /** Why the server refused, when it was no conflict. */
  readonly message: string | null;
}

interface Schema extends DBSchema {
  actions: { key: number; value: Entry; indexes: { image: number } };
  leases: { key: number; value: HeldLease };
  conflicts: { key: string; value: HeldConflict; indexes: { image: number } };
  drafts: { key: number; value: { readonly imageId: number; readonly draft: Draft } };
  settings: { key: string; value: unknown };
}

/** Saved before anything else happens, even if the machine loses power right after. */
const SAFE = { durability: "strict" } as const;

export class Log {
  private constructor(private readonly db: IDBPDatabase<Schema>) {}

  static async open(name = "anymask"): Promise<Log> {
    return new Log(
      await openDB<Schema>(name, 1, {
        upgrade(db) {
          db.createObjectStore("actions", { keyPath: "seq", autoIncrement: true }).createIndex("image", "imageId");
          db.createObjectStore("leases", { keyPath: "imageId" });
          db.createObjectStore("conflicts", { keyPath: "maskId" }).createIndex("image", "imageId");
          db.createObjectStore("drafts", { keyPath: "imageId" });
          db.createObjectStore("settings");
        },
      }),
    );
  }

  close(): void {
    this.db.close();
  }

  /** Keeps what was done together: all of it or, after a crash in between, nothing. */
  async append(entries: readonly Entry[], draft: { imageId: number; draft: Draft }): Promise<void> {
    const transaction = this.db.transaction(["actions", "drafts"], "readwrite", SAFE);
    for (const entry of entries) await transaction.objectStore("actions").add(entry);
    await transaction.objectStore("drafts").put(draft);
    await transaction.done;
  }

  /** The oldest actions of a person that belong to one picture, at most `limit`. */
  async oldest(personId: number, limit: number): Promise<Entry[]> {
    const batch: Entry[] = [];
    let cursor = await this.db.transaction("actions").store.openCursor();
    for (; cursor !== null && batch.length < limit; cursor = await cursor.continue()) {
      if (cursor.value.personId !== personId) continue;
      if (batch[0] !== undefined && batch[0].imageId !== cursor.value.imageId) break;
      batch.push(cursor.value);
    }
    return batch;
  }

  /** A person's actions on a picture that the server does not have yet, in order. */
  async pending(personId: number, imageId: number): Promise<Action[]> {
    const entries = await this.db.getAllFromIndex("actions", "image", imageId);
    return entries
      .filter((entry) => entry.personId === personId)
      .sort((a, b) => (a.seq ?? 0) - (b.seq ?? 0))
      .map((entry) => entry.action);
  }

  async count(): Promise<number> {
    return this.db.count("actions");
  }

  /** Forgets actions that the server has. */
  async remove(entries: readonly Entry[]): Promise<void> {
    const transaction = this.db.transaction("actions", "readwrite", SAFE);
    for (const { seq } of entries) if (seq !== undefined) await transaction.store.delete(seq);
    await transaction.done;
  }

  /** Sets a conflict aside with every action on that mask that waits. */
  async setAside(conflict: Omit<HeldConflict, "actions">): Promise<void> {
    const transaction = this.db.transaction(["actions", "conflicts"], "readwrite", SAFE);
    const stopped: Action[] = [];
    let cursor = await transaction.objectStore("actions").index("image").openCursor(conflict.imageId);
    for (; cursor !== null; cursor = await cursor.continue()) {
      const { personId, action } = cursor.value;
      if (personId !== conflict.personId || action.mask_id !== conflict.maskId) continue;
      stopped.push(action);
      await cursor.delete();
    }
    const held = await transaction.objectStore("conflicts").get(conflict.maskId);
    await transaction
      .objectStore("conflicts")
      .put({ ...conflict, actions: [...(held?.actions ?? []), ...stopped] });
    await transaction.done;
  }

  async conflicts(imageId: number): Promise<HeldConflict[]> {
    return this.db.getAllFromIndex("conflicts", "image", imageId);
  }

  async dropConflict(maskId: string): Promise<void> {
    await this.db.delete("conflicts", maskId);
  }

  async keepLease(lease: HeldLease): Promise<void> {
    await this.db.put("leases", lease);
  }

  async lease(imageId: number): Promise<HeldLease | null> {
    return (await this.db.get("leases", imageId)) ?? null;
  }

  async draft(imageId: number): Promise<Draft | null> {
    return (await this.db.get("drafts", imageId))?.draft ?? null;
  }

  async setting<T>(name: string): Promise<T | null> {
    return ((await this.db.get("settings", name)) as T | undefined) ?? null;
  }

  async keepSetting(name: string, value: unknown): Promise<void> {
    await this.db.put("settings", value, name);
  }
}

// What the keys and buttons for marks mean, for one item and for many.
import { signal } from "@preact/signals";
import { tell } from "./api";
import { items } from "./format";
import { PAST } from "./library";
import { act, actOnMany, statusOf, trashUnlessLocked, undo } from "./marks";
import { nameOf, shown } from "./paths";
import { say, toast } from "./toasts";
import type { Action, Row } from "./types";

export type Deed = "lock" | "trash" | "seen" | "clear";

/** Failures of the last batch; the sheet lists them. */
export const batchSheet = signal<{ action: Action; failures: { path: string; error: string }[] } | null>(null);
export const batchProgress = signal<{ label: string; sent: number; all: number } | null>(null);

/** The deed on one item; false when it was not done (yet). */
export function doOne(row: Row, deed: Deed, then?: () => void): boolean {
  const status = statusOf(row);
  const name = shown(nameOf(row.path));
  const done = (actions: Action[], text: string, noticeable = false): boolean => {
    act(row.path, actions, `${text} ${name}`);
    say(`${text} ${name}`);
    if (noticeable) toast(`${text} ${name}`, { group: "deed", action: { label: "Undo", run: () => void undo() } });
    return true;
  };
  switch (deed) {
    case "lock":
      if (status.locked) return done(["unlock"], "Unlocked");
      if (status.trashed) return done(["lock", "untrash"], "Locked, and taken out of the trash:", true);
      return done(["lock"], "Locked");
    case "trash":
      if (status.trashed) return done(["untrash"], "Restored");
      if (!trashUnlessLocked(row.path, status, `Trashed ${name}`, then)) return false;
      say(`Trashed ${name}`);
      toast(`Trashed ${name}`, { group: "deed", action: { label: "Undo", run: () => void undo() } });
      return true;
    case "seen":
      return status.seen ? done(["unseen"], "Marked unseen") : done(["seen"], "Marked seen");
    case "clear": {
      const actions: Action[] = [];
      if (status.locked) actions.push("unlock");
      if (status.trashed) actions.push("untrash");
      return actions.length ? done(actions, "Cleared") : false;
    }
  }
}

export async function doMany(paths: readonly string[], action: Action): Promise<void> {
  const label = `${PAST[action]} ${items(paths.length)}`;
  batchProgress.value = { label, sent: 0, all: paths.length };
  try {
    const end = await actOnMany(paths, action, label, (sent) => {
      batchProgress.value = { label, sent, all: paths.length };
    });
    const text = `${PAST[action]} ${items(paths.length - end.failures.length)}`;
    say(text);
    toast(text, end.changed ? { action: { label: "Undo", run: () => void undo() } } : {});
    if (end.failures.length) batchSheet.value = { action, failures: end.failures };
  } catch (error) {
    tell(error);
    toast("Not everything was done: the server did not answer to the end.", { kind: "error" });
  } finally {
    batchProgress.value = null;
  }
}

/** On many a key does not toggle each by itself: all become what the key says, or, if all are it, all lose it. */
export function actionForAll(rows: readonly Row[], deed: Exclude<Deed, "clear">): Action {
  const every = (mark: "locked" | "trashed" | "seen"): boolean => rows.every((row) => statusOf(row)[mark]);
  switch (deed) {
    case "lock":
      return every("locked") ? "unlock" : "lock";
    case "trash":
      return every("trashed") ? "untrash" : "trash";
    case "seen":
      return every("seen") ? "unseen" : "seen";
  }
}

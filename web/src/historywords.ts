// A step of the journal in words. Nothing of a browser is in here.
import { bytes, count, items } from "./format";
import { nameOf, shown } from "./paths";
import type { Status } from "./types";

export interface StepChange {
  before: Status;
  after: Status;
  count: number;
}

export interface StepEntry {
  type: "step";
  id: number;
  kind: "act" | "batch" | "undo" | "redo" | "keep_best";
  at: string;
  files: number;
  /** Of these, those whose change has not been taken back. */
  standing: number;
  /** Of those that stand, deleted since. */
  emptied: number;
  changes: StepChange[];
  folder: string;
  first: string;
  reverts: number[];
  revertsCount: number;
}

export interface EmptiedEntry {
  type: "emptied";
  at: string;
  receipt: { id: string; deleted: number; errors: number; skipped: number; bytes: number; finishedAt: string | null };
}

export type UndoCounts = Record<"done" | "changed" | "locked" | "emptied" | "gone" | "offline" | "failed", number>;

/** What a change of marks is called; a lock or the trash says more than that a file was looked at. */
export function verbOf(before: Status, after: Status): string {
  const verbs: string[] = [];
  if (before.locked !== after.locked) verbs.push(after.locked ? "locked" : "unlocked");
  if (before.trashed !== after.trashed) verbs.push(after.trashed ? "trashed" : "restored");
  if (!verbs.length && before.seen !== after.seen) verbs.push(after.seen ? "marked seen" : "marked unseen");
  return verbs.join(" and ") || "left as they were";
}

const ORDER = ["locked", "unlocked", "trashed", "restored"];

/** "Locked 1 and trashed 4 items", "Trashed IMG_0042.JPG". An undo is called by what it took back. */
export function deedOf(step: StepEntry): string {
  const sums = new Map<string, number>();
  for (const one of step.changes) {
    const verb = step.kind === "undo" ? verbOf(one.after, one.before) : verbOf(one.before, one.after);
    sums.set(verb, (sums.get(verb) ?? 0) + one.count);
  }
  const parts = [...sums].sort(([one], [other]) => rank(one) - rank(other));
  const last = parts.pop();
  if (!last) return "Nothing";
  const [verb, number] = last;
  const tail = `${verb} ${!parts.length && step.files === 1 ? shown(nameOf(step.first)) : items(number)}`;
  const head = parts.map(([other, sum]) => `${other} ${count(sum)}`).join(", ");
  return capital(head ? `${head} and ${tail}` : tail);
}

/** All of it: what, where, and whether it is itself an undo. */
export function wordsOf(step: StepEntry, roots: readonly string[]): string {
  const place = step.files > 1 ? placeOf(step.folder, roots) : "";
  const deed = `${deedOf(step)}${place ? ` in ${place}` : ""}`;
  if (step.kind === "undo") {
    return step.revertsCount > 1 ? `Undone, ${items(step.revertsCount, "step")}: ${deed}` : `Undone: ${deed}`;
  }
  return step.kind === "redo" ? `Done again: ${deed}` : deed;
}

export function emptiedWords({ receipt }: EmptiedEntry): string {
  const size = receipt.bytes ? `, ${bytes(receipt.bytes)}` : "";
  return `Emptied the trash: ${items(receipt.deleted, "file")}${size}${receipt.finishedAt ? "" : ", cut short"}`;
}

/** The folder from its review path's name on; nothing when it is above all of them. */
export function placeOf(folder: string, roots: readonly string[]): string {
  const holding = roots
    .filter((root) => folder === root || folder.startsWith(root.endsWith("/") ? root : `${root}/`))
    .sort((one, other) => other.length - one.length)[0];
  if (holding === undefined) return "";
  return shown(nameOf(holding) + folder.slice(holding.length));
}

const LEFT: [keyof UndoCounts, (number: number) => string][] = [
  ["changed", (number) => `${were(number)} changed since and ${are(number)} left alone`],
  ["locked", (number) => `${were(number)} locked since and ${are(number)} left alone`],
  ["emptied", (number) => `${were(number)} deleted permanently`],
  ["gone", (number) => `${count(number)} ${number === 1 ? "is" : "are"} not there any more`],
  ["offline", (number) => `${count(number)} can't be reached now`],
  ["failed", (number) => `${count(number)} could not be written`],
];

/** What an undo came to: "309 put back; 3 were changed since and are left alone." */
export function undoWords(counts: UndoCounts, again = false): string {
  const parts = LEFT.flatMap(([name, say]) => (counts[name] ? [say(counts[name])] : []));
  const done = again ? "done again" : "put back";
  return `${[counts.done ? `${count(counts.done)} ${done}` : `Nothing was ${done}`, ...parts].join("; ")}.`;
}

const were = (number: number): string => `${count(number)} ${number === 1 ? "was" : "were"}`;
const are = (number: number): string => (number === 1 ? "is" : "are");
const rank = (verb: string): number => (ORDER.indexOf(verb) + ORDER.length + 1) % (ORDER.length + 1);
const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

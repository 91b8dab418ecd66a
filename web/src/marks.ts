// The marks of every item that is shown: painted at once, sent, rolled back when refused; undo and redo.
import { effect, signal } from "@preact/signals";
import { epoch, json, Refused, sentence, serverGone, tell, Unreachable } from "./api";
import { items } from "./format";
import { KeptMarks } from "./kept";
import { nameOf, shown } from "./paths";
import { type Mark, MarkQueue } from "./queue";
import { say, toast } from "./toasts";
import { type Action, after, type Row, same, type Status } from "./types";

/** Counts up whenever a mark changes: who shows marks reads it. */
export const marked = signal(0);
export const unsent = signal(0);
/** A file that is locked was to be trashed: the sheet asks. */
export const lockedSheet = signal<{ path: string; then?: () => void } | null>(null);
/** Paths that were emptied while they were shown. */
export const emptied = new Set<string>();

interface StepDeed {
  paths: string[];
  action: Action;
  /** It was "keep best": this one was locked, those of `paths` were trashed. */
  best?: string;
}

interface Step {
  label: string;
  /** Each is one step of the server's journal, if it changed something. */
  deeds: StepDeed[];
  marks: Set<number>;
  /** An undo from the history: taking it back does the deed again. */
  redoes?: number;
}

interface BatchAnswer {
  results: { path: string; status: Status | null; error: string | null }[];
}

const MOST_STEPS = 200;
const BATCH = 500;
/** Batches and undos under way: their events come before their answers. */
let ownWork = 0;
/** The file whose mark was taken back last: review goes back to it. */
export const lastUndone = signal<{ path: string } | null>(null);
const done: Step[] = [];
const undone: Step[] = [];
export const canUndo = signal(false);
export const canRedo = signal(false);

const kept = new KeptMarks();
const queue = new MarkQueue({
  send: async (mark) => {
    const body = { path: mark.path, action: mark.action };
    return (await json<{ status: Status }>("POST", "/api/media-actions", { body })).status;
  },
  isGone: (error) => error instanceof Unreachable || (error instanceof Refused && error.status === 401),
  keep: (waiting) => {
    kept.keep(waiting);
    unsent.value = waiting.length;
  },
  confirmed: (mark, before, now) => {
    // The journal has no step for what changed nothing.
    if (before && same(before, now)) forgetDeed(mark);
    marked.value += 1;
  },
  refused: (mark, error) => {
    forgetDeed(mark);
    marked.value += 1;
    if (error instanceof Refused && error.status === 409 && mark.action === "trash") {
      queue.learn(mark.path, { ...(queue.real(mark.path) ?? { trashed: false, seen: true }), locked: true });
      lockedSheet.value = { path: mark.path };
      return;
    }
    toast(`${shown(nameOf(mark.path))}: ${sentence(error) ?? "given up"}`, { kind: "error" });
  },
});

effect(() => {
  if (!serverGone.value && epoch.value >= 0) queue.resume();
  else queue.hold();
});

/** Marks that an earlier page could not send. */
export function sendLeft(): void {
  const left = kept.left();
  if (!left.length) return;
  queue.adopt(left);
  toast(`${items(left.length, "mark")} kept from before ${left.length === 1 ? "is" : "are"} sent now.`);
}

export function statusOf(row: Row): Status {
  return queue.wanted(row.path) ?? row.status;
}

export function statusAt(path: string): Status | undefined {
  return queue.wanted(path);
}

/** The server's word, from an answer or an event; whether it is news that this page did not make itself. */
export function learn(path: string, status: Status): boolean {
  const known = queue.real(path);
  queue.learn(path, status);
  if (known && same(known, status)) return false;
  markedSoon();
  return known !== undefined && !ownWork && !queue.all.some((mark) => mark.path === path);
}

let painting: ReturnType<typeof setTimeout> | undefined;

/** A batch comes back as hundreds of events: they are painted together. */
export function markedSoon(): void {
  painting ??= setTimeout(() => {
    painting = undefined;
    marked.value += 1;
  }, 30);
}

/** A listing's rows: their own status is what was said last, unless something is under way. */
export function learnRows(rows: readonly Row[]): void {
  for (const row of rows) {
    queue.learn(row.path, row.status);
    emptied.delete(row.path);
  }
  marked.value += 1;
}

/** Rows that a listing let go; they are learned anew when they are listed again. */
export function forgetRows(rows: readonly Row[]): void {
  for (const row of rows) queue.forget(row.path);
}

/** Carry actions out on one item, as one step for undo; what it is called goes to the toast and the voice. */
export function act(path: string, actions: readonly Action[], label: string): void {
  const step: Step = { label, deeds: [], marks: new Set() };
  for (const action of actions) {
    const outcome = queue.add(path, action);
    if ("dropped" in outcome) {
      const of = done.findLastIndex((one) => one.marks.has(outcome.dropped));
      if (of >= 0) done.splice(of, 1);
      continue;
    }
    step.deeds.push({ paths: [path], action });
    step.marks.add(outcome.added);
  }
  if (step.deeds.length) remember(step);
  marked.value += 1;
  sync();
}

export interface BatchEnd {
  changed: number;
  failures: { path: string; error: string }[];
}

/** The same action on many, five hundred at a time. */
export async function actOnMany(
  paths: readonly string[],
  action: Action,
  label: string,
  progress?: (sent: number) => void,
): Promise<BatchEnd> {
  await queue.settled();
  const step: Step = { label, deeds: [], marks: new Set() };
  const failures: BatchEnd["failures"] = [];
  let changed = 0;
  ownWork += 1;
  try {
    for (let from = 0; from < paths.length; from += BATCH) {
      const part = paths.slice(from, from + BATCH);
      const answer = await json<BatchAnswer>("POST", "/api/media-items/batch", { body: { paths: part, action } });
      let moved = 0;
      for (const one of answer.results) {
        if (one.error !== null || !one.status) {
          failures.push({ path: one.path, error: one.error ?? "not done" });
          continue;
        }
        const before = queue.real(one.path);
        if (!before || !same(before, one.status)) moved += 1;
        queue.learn(one.path, one.status);
      }
      if (moved) step.deeds.push({ paths: part, action });
      changed += moved;
      marked.value += 1;
      progress?.(from + part.length);
    }
  } finally {
    ownWork -= 1;
    if (step.deeds.length) remember(step);
    sync();
  }
  return { changed, failures };
}

interface KeptAnswer extends BatchAnswer {
  changed: boolean;
}

const askToKeep = (best: string, rest: readonly string[]): Promise<KeptAnswer> =>
  json<KeptAnswer>("POST", "/api/stacks/keep-best", { body: { best, rest } });

/** Lock one and trash the rest: one step of the server's journal, and so one undo.
 *
 * @throws Refused when the best cannot be locked; nothing was changed.
 */
export async function keepBest(best: string, rest: readonly string[], label: string): Promise<BatchEnd> {
  await queue.settled();
  ownWork += 1;
  try {
    const answer = await askToKeep(best, rest);
    const failures: BatchEnd["failures"] = [];
    for (const one of answer.results) {
      if (one.status) queue.learn(one.path, one.status);
      else failures.push({ path: one.path, error: one.error ?? "not done" });
    }
    if (answer.changed) {
      remember({ label, deeds: [{ paths: [...rest], action: "trash", best }], marks: new Set() });
    }
    return { changed: answer.changed ? 1 : 0, failures };
  } finally {
    ownWork -= 1;
    marked.value += 1;
    sync();
  }
}

/** Take the latest step back, whoever made it: the journal is the server's. */
export async function undo(): Promise<void> {
  let step = done.at(-1);
  if (serverGone.value) {
    if (step?.marks.size && queue.withdraw(step.marks)) {
      done.pop();
      undone.push(step);
      marked.value += 1;
      say(`Undone: ${step.label}`);
    }
    return sync();
  }
  const meant = step;
  await queue.settled();
  step = done.at(-1);
  // It was refused, or changed nothing: taking back the one before it is not what was meant.
  if (meant && step !== meant) return sync();
  const steps = step ? Math.max(1, step.deeds.length) : 1;
  ownWork += 1;
  try {
    const answer = await json<BatchAnswer>("POST", "/api/undo", { body: { steps } });
    if (step) {
      done.splice(done.lastIndexOf(step), 1);
      undone.push(step);
    }
    for (const one of answer.results) if (one.status) learn(one.path, one.status);
    const failed = answer.results.filter((one) => one.error !== null);
    const first = answer.results[0];
    if (first && answer.results.length === 1) lastUndone.value = { path: first.path };
    const what = answer.results.length === 1 && first ? shown(nameOf(first.path)) : items(answer.results.length);
    if (failed.length) toast(`Not undone for ${items(failed.length)}: ${failed[0]?.error}`, { kind: "error" });
    else if (step) {
      toast(`Undone: ${step.label}`, { group: "deed", action: { label: "Redo", run: () => void redo() } });
    } else toast(`Undone: ${what}`, { group: "deed" });
    say(`Undone: ${step?.label ?? what}`);
  } catch (error) {
    if (error instanceof Refused && error.status === 409) {
      if (step) done.splice(done.lastIndexOf(step), 1);
      toast(error.message);
    } else tell(error);
  } finally {
    ownWork -= 1;
  }
  sync();
}

/** A step of the history was taken back: which of this page's own it was nobody knows, so that the next undo takes
 * one step of the journal and no more; redo takes that undo, `step`, back. Null: it was a redo itself. */
export function tookBack(step: number | null, label: string): void {
  done.length = 0;
  undone.length = 0;
  if (step !== null) undone.push({ label, deeds: [], marks: new Set(), redoes: step });
  sync();
}

/** Do the last undone step again. */
export async function redo(): Promise<void> {
  const step = undone.pop();
  sync();
  if (!step) return;
  if (step.redoes !== undefined) {
    await json("POST", `/api/history/${step.redoes}/undo`).then(() => {
      say(`Done again: ${step.label}`);
      toast(`Done again: ${step.label}`, { group: "deed" });
    }, tell);
    return;
  }
  const made: Step = { label: step.label, deeds: [], marks: new Set() };
  ownWork += 1;
  try {
    for (const deed of step.deeds) {
      const answer =
        deed.best === undefined
          ? await json<BatchAnswer>("POST", "/api/media-items/batch", { body: deed })
          : await askToKeep(deed.best, deed.paths);
      for (const one of answer.results) if (one.status) learn(one.path, one.status);
      const first = answer.results[0];
      if (first && answer.results.length === 1) lastUndone.value = { path: first.path };
      made.deeds.push(deed);
    }
    say(`Done again: ${step.label}`);
  } catch (error) {
    tell(error);
  } finally {
    ownWork -= 1;
  }
  if (made.deeds.length) done.push(made);
  sync();
}

/** What `after` says, or the sheet when the item is locked. */
export function trashUnlessLocked(path: string, status: Status, label: string, then?: () => void): boolean {
  if (after(status, "trash") === null) {
    lockedSheet.value = then ? { path, then } : { path };
    return false;
  }
  act(path, ["trash"], label);
  return true;
}

function remember(step: Step): void {
  done.push(step);
  if (done.length > MOST_STEPS) done.shift();
  undone.length = 0;
}

function forgetDeed(mark: Mark): void {
  const at = done.findIndex((step) => step.marks.has(mark.id));
  const step = done[at];
  if (!step) return;
  step.marks.delete(mark.id);
  const deed = step.deeds.findIndex((one) => one.action === mark.action && one.paths[0] === mark.path);
  if (deed >= 0) step.deeds.splice(deed, 1);
  if (!step.deeds.length) done.splice(at, 1);
  sync();
}

function sync(): void {
  canUndo.value = done.length > 0;
  canRedo.value = undone.length > 0;
}

addEventListener("beforeunload", () => kept.keep(queue.all));

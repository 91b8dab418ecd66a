// Takes of one picture, as the server found them: asked for what is in sight, and again while it is still looking.
import { signal } from "@preact/signals";
import { json, serverGone, tell } from "./api";
import { items } from "./format";
import { keepBest, marked, markedSoon, statusAt, undo } from "./marks";
import { nameOf, shown } from "./paths";
import { say, toast } from "./toasts";
import type { Row, Status } from "./types";

export interface Member {
  path: string;
  name: string;
  reasons: string[];
  sharpness: number;
  exposureEv: number;
  width: number | null;
  height: number | null;
  takenAt: string;
  sizeBytes: number;
  status: Status;
}

export interface Stack {
  folder: string;
  /** Path of the member to keep. */
  suggested: string;
  decision: "done" | null;
  members: Member[];
}

interface Answer {
  stacks: Stack[];
  pending: number;
}

/** Counts up when stacks are known that were not. */
export const stacked = signal(0);

const MOST = 500;
/** What is in sight is asked for when it has stood still for a moment. */
const SETTLE_MS = 120;
/** While the server is still looking at pictures. */
const AGAIN_MS = [600, 1000, 2000, 4000] as const;
const MOST_KNOWN = 20_000;
/** By path; null: it is in none, or was not known to be when it was last asked for. */
const known = new Map<string, Stack | null>();
let wanted: readonly string[] = [];
let timer: ReturnType<typeof setTimeout> | undefined;
let asking = false;
let tries = 0;

/** What is in sight now; it takes the place of what was before. */
export function lookForStacks(rows: readonly (Row | undefined)[]): void {
  const paths = rows.flatMap((row) => (row && !row.video ? [row.path] : []));
  const missing = paths.filter((path) => !known.has(path)).slice(0, MOST);
  if (!missing.length || (missing.length === wanted.length && missing.every((path, at) => path === wanted[at]))) return;
  wanted = missing;
  tries = 0;
  askIn(SETTLE_MS);
}

function askIn(ms: number): void {
  clearTimeout(timer);
  timer = setTimeout(() => void ask(), ms);
}

async function ask(): Promise<void> {
  if (asking || serverGone.value || !wanted.length) return;
  const paths = wanted;
  asking = true;
  try {
    const answer = await json<Answer>("POST", "/api/stacks/of", { body: { paths } });
    learn(answer.stacks);
    if (answer.pending) {
      if (wanted === paths) askIn(AGAIN_MS[Math.min(tries, AGAIN_MS.length - 1)] ?? 4000);
      tries += 1;
    } else {
      for (const path of paths) if (!known.has(path)) known.set(path, null);
      if (wanted === paths) wanted = [];
    }
  } catch {
    // Stacks are an aid: the grid does without, and asks with the next screen.
    if (wanted === paths) wanted = [];
  } finally {
    asking = false;
    if (wanted.length && wanted !== paths) askIn(0);
  }
}

function learn(stacks: readonly Stack[]): void {
  if (known.size > MOST_KNOWN) known.clear();
  for (const stack of stacks) for (const member of stack.members) known.set(member.path, stack);
  if (stacks.length) stacked.value += 1;
}

/** The listing was read anew, or files came and went. */
export function forgetStacks(): void {
  known.clear();
  wanted = [];
  stacked.value += 1;
}

export function stackOf(path: string): Stack | null {
  void stacked.value;
  return known.get(path) ?? null;
}

/** Nobody has said that it is done, and something is left to decide. */
export function isOpen(stack: Stack): boolean {
  void marked.value;
  if (stack.decision) return false;
  const left = stack.members.filter((one) => {
    const status = statusAt(one.path) ?? one.status;
    return !status.trashed && !status.locked;
  });
  return left.length > 1;
}

export function rowOfMember(member: Member): Row {
  return {
    path: member.path,
    video: false,
    sizeBytes: member.sizeBytes,
    modifiedAt: member.takenAt,
    createdAt: "",
    width: member.width,
    height: member.height,
    durationS: null,
    status: member.status,
  };
}

/** Lock one and trash the others, in one step. */
export async function keepOnly(best: string, rest: readonly string[]): Promise<boolean> {
  const name = shown(nameOf(best));
  try {
    const end = await keepBest(best, rest, `Kept ${name}, trashed ${items(rest.length, "other")}`);
    const trashed = rest.length - end.failures.length;
    const left = end.failures.length ? `; left: ${end.failures.map((one) => nameAnd(one)).join(", ")}` : "";
    const text = `Kept ${name}, trashed ${items(trashed, "other")}${left}`;
    say(text);
    toast(text, end.changed ? { group: "deed", action: { label: "Undo", run: () => void undo() } } : {});
    return true;
  } catch (error) {
    tell(error);
    return false;
  }
}

function nameAnd({ path, error }: { path: string; error: string }): string {
  return `${shown(nameOf(path))} (${error.replace(/[.;].*$/, "").toLowerCase()})`;
}

/** What a person says of a stack is kept by the server. */
export async function decide(stack: Stack, decision: "done" | "not_a_stack" | "none"): Promise<void> {
  const paths = stack.members.map((one) => one.path);
  try {
    await json("POST", "/api/stacks/decisions", { body: { paths, decision } });
  } catch (error) {
    tell(error);
    return;
  }
  const now =
    decision === "not_a_stack" ? null : { ...stack, decision: decision === "done" ? ("done" as const) : null };
  for (const path of paths) known.set(path, now);
  stacked.value += 1;
  markedSoon();
  const text = { done: "Stack done", not_a_stack: "Not a stack any more", none: "Stack opened again" }[decision];
  say(text);
  if (decision === "none") return;
  toast(text, { group: "stack", action: { label: "Take back", run: () => void decide(stack, "none") } });
}

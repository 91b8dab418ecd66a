// What the server says, as the contract prints it.

export interface Status {
  locked: boolean;
  trashed: boolean;
  seen: boolean;
}

export type Action = "lock" | "unlock" | "trash" | "untrash" | "seen" | "unseen";
export type Filter = "all" | "unseen" | "seen" | "locked" | "trashed";
export type Counts = Record<Filter, number>;

/** An item as the grid holds it: a hundred thousand of them, so nothing that can be told from the path. */
export interface Row {
  path: string;
  video: boolean;
  sizeBytes: number;
  modifiedAt: string;
  createdAt: string;
  width: number | null;
  height: number | null;
  durationS: number | null;
  /** As it was listed; `marks` knows what has become of it since. */
  status: Status;
  score?: number;
  frameObjectId?: string | null;
}

export interface ItemLine {
  path: string;
  name: string;
  mediaType: "image" | "video";
  sizeBytes: number;
  modifiedAt: string;
  createdAt: string;
  status: Status;
  metadata: { width: number | null; height: number | null; durationSeconds: number | null };
}

export type RootState = "online" | "read-only" | "offline" | "swapped";

export interface TrashPlan {
  hash: string;
  count: number;
  bytes: number;
  locked: number;
  changed: number;
  roots: { path: string; state: RootState; count: number; bytes: number }[];
}

export interface Queue {
  pending: number;
  running: number;
  done: number;
  dead: number;
  deadJobs?: { path: string; reason: string }[];
  paused?: boolean;
  remainingSeconds?: number | null;
}

export interface Encoder {
  name: string;
  model: string | null;
  dimensions: number | null;
  state: "off" | "loading" | "ready" | "unavailable";
  reason?: string;
}

export interface Jobs {
  idle: boolean;
  queues: Record<"index" | "thumbnail" | "embed", Queue>;
  encoder?: Encoder;
}

export const FILTERS: readonly Filter[] = ["unseen", "seen", "locked", "trashed", "all"];
export const UNMARKED: Status = { locked: false, trashed: false, seen: false };

export function rowOf(line: ItemLine): Row {
  return {
    path: line.path,
    video: line.mediaType === "video",
    sizeBytes: line.sizeBytes,
    modifiedAt: line.modifiedAt,
    createdAt: line.createdAt,
    width: line.metadata.width,
    height: line.metadata.height,
    durationS: line.metadata.durationSeconds,
    status: line.status,
  };
}

/** Whether an item of this state is in the listing of that filter: each filter names one mark. */
export function fits(filter: Filter, status: Status): boolean {
  switch (filter) {
    case "all":
      return true;
    case "unseen":
      return !status.seen;
    default:
      return status[filter];
  }
}

/** The state that an action leaves, as the server has it; null: refused, a lock is stronger than trash. */
export function after(status: Status, action: Action): Status | null {
  switch (action) {
    case "lock":
      return { ...status, locked: true, seen: true };
    case "unlock":
      return { ...status, locked: false };
    case "trash":
      return status.locked ? null : { ...status, trashed: true, seen: true };
    case "untrash":
      return { ...status, trashed: false };
    case "seen":
      return { ...status, seen: true };
    case "unseen":
      return { ...status, seen: false };
  }
}

export function same(one: Status, other: Status): boolean {
  return one.locked === other.locked && one.trashed === other.trashed && one.seen === other.seen;
}

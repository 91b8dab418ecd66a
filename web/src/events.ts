// The server's events drive every open page: marks made elsewhere, roots that come and go, scans, queues, deletions.
import { signal } from "@preact/signals";
import { again, epoch, gone, needsKey, serverGone } from "./api";
import { emptied, learn, markedSoon } from "./marks";
import { learnRootStatus, type RootStatus } from "./rootstatus";
import { toast } from "./toasts";
import type { Jobs, Status } from "./types";

export const scans = signal<Readonly<Record<string, { found: number; done: boolean }>>>({});
export const queues = signal<Jobs | null>(null);
/** The item that is in review. */
export const current = signal<string | null>(null);
/** Counts up when marks or files changed, here or elsewhere: counts are asked for again. */
export const changes = signal(0);

let source: EventSource | null = null;
/** A key that is limited to collections hears nothing; it is not asked for every few seconds. */
const AGAIN_MS = { heard: 3000, refused: 60_000 };
let opened = false;
/** A burst of events asks for the counts once. */
const SETTLE_MS = 250;
let settling: ReturnType<typeof setTimeout> | undefined;

export function stirred(): void {
  settling ??= setTimeout(() => {
    settling = undefined;
    changes.value += 1;
  }, SETTLE_MS);
}

export function listen(): void {
  source?.close();
  source = new EventSource("/api/events");
  const on = <T>(kind: string, heard: (data: T) => void): void => {
    source?.addEventListener(kind, (event) => heard(JSON.parse((event as MessageEvent<string>).data) as T));
  };
  on<{ path: string; status: Status }>("state", ({ path, status }) => {
    if (learn(path, status) && current.value === path) toast("Changed elsewhere; this is how it is now.");
    stirred();
  });
  // The index follows the root again, or no more: whoever lists it asks again. How it is comes as `root-status`.
  on("root", again);
  on<RootStatus>("root-status", learnRootStatus);
  on<{ path: string; found: number; done: boolean }>("scan", ({ path, found, done }) => {
    scans.value = { ...scans.value, [path]: { found, done } };
    stirred();
  });
  on<Jobs>("queue", (jobs) => {
    queues.value = jobs;
  });
  on<{ type: string; path?: string }>("trash", ({ type, path }) => {
    if (type === "deleted" && path !== undefined) {
      emptied.add(path);
      markedSoon();
    }
    stirred();
  });
  source.onopen = () => {
    opened = true;
  };
  source.onerror = () => {
    // A closed one stays closed: the key is missing, or the server is.
    if (source?.readyState !== EventSource.CLOSED) return;
    source = null;
    if (!needsKey.value) void fetch("/health/ready").catch(gone);
    const later = opened ? AGAIN_MS.heard : AGAIN_MS.refused;
    opened = false;
    setTimeout(() => {
      if (!source && !needsKey.value && !serverGone.value) listen();
    }, later);
  };
}

let heardAt = epoch.value;
/** After a sign-in or the server's return. */
epoch.subscribe((value) => {
  if (value !== heardAt && (!source || source.readyState === EventSource.CLOSED)) listen();
  heardAt = value;
  stirred();
});

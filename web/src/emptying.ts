// An empty-trash that runs: it goes on when its dialog is closed, and the header shows it.
import { signal } from "@preact/signals";
import { address, ask, get, Refused, sentence } from "./api";
import { linesOf } from "./lines";
import { emptied, marked } from "./marks";
import type { TrashPlan } from "./types";

export interface Receipt {
  at: string;
  id?: string;
  root: string | null;
  deleted: number;
  skipped: number;
  errors: number;
  bytes: number;
  end: "done" | "stopped" | "lost" | "failed";
  message?: string;
  deletedPaths: string[];
  kept: { path: string; why: string }[];
}

export interface Run {
  root: string | null;
  expected: number;
  current: string;
  deleted: number;
  skipped: number;
  errors: number;
  bytes: number | null;
  kept: { path: string; why: string; kind: "skipped" | "error" }[];
  end: Receipt["end"] | null;
  message?: string;
  receipt?: Receipt;
}

interface TrashEvent {
  type: string;
  path?: string;
  reason?: string;
  message?: string;
  deleted?: number;
  errors?: number;
  skipped?: number;
  bytes?: number;
  receiptId?: string;
}

export const run = signal<Run | null>(null);
let aborter: AbortController | null = null;

export function planOf(root: string | null): Promise<TrashPlan> {
  return get<TrashPlan>(address("/api/trash/plan", root === null ? {} : { path: root }));
}

/** Delete what the plan says. Refused with 412 when the plan is not what it was. */
export async function empty(root: string | null, plan: TrashPlan): Promise<void> {
  const stop = new AbortController();
  aborter = stop;
  const asked = {
    headers: { "If-Match": `"${plan.hash}"` },
    signal: stop.signal,
    ...(root === null ? {} : { body: { path: root } }),
  };
  const answer = await ask("POST", "/api/empty-trash", asked);
  const state: Run = {
    root,
    expected: plan.count,
    current: "",
    deleted: 0,
    skipped: 0,
    errors: 0,
    bytes: null,
    kept: [],
    end: null,
  };
  const deletedPaths: string[] = [];
  let id: string | undefined;
  const show = (): void => {
    run.value = { ...state };
  };
  show();
  try {
    for await (const lines of linesOf(answer)) {
      for (const event of lines as TrashEvent[]) {
        switch (event.type) {
          case "deleting":
            state.current = event.path ?? "";
            break;
          case "deleted":
            state.deleted += 1;
            deletedPaths.push(event.path ?? "");
            emptied.add(event.path ?? "");
            break;
          case "skipped":
            state.skipped += 1;
            state.kept.push({ path: event.path ?? "", why: event.reason ?? "", kind: "skipped" });
            break;
          case "error":
            // Without a path it is the stream's own end.
            if (event.path === undefined) {
              state.end = "failed";
              if (event.message !== undefined) state.message = event.message;
              break;
            }
            state.errors += 1;
            state.kept.push({ path: event.path, why: event.message ?? "", kind: "error" });
            break;
          case "done":
            state.end = "done";
            state.bytes = event.bytes ?? null;
            id = event.receiptId;
            break;
          default: // A newer server says more; what is not known is not needed.
        }
      }
      marked.value += 1;
      show();
    }
    if (state.end === null) state.end = stop.signal.aborted ? "stopped" : "lost";
  } catch (error) {
    state.end = stop.signal.aborted ? "stopped" : "lost";
    const text = sentence(error);
    if (text !== null) state.message = text;
  }
  aborter = null;
  state.current = "";
  state.receipt = {
    at: new Date().toISOString(),
    ...(id ? { id } : {}),
    root,
    deleted: state.deleted,
    skipped: state.skipped,
    errors: state.errors,
    bytes: state.bytes ?? 0,
    end: state.end,
    ...(state.message === undefined ? {} : { message: state.message }),
    deletedPaths,
    kept: state.kept.map(({ path, why }) => ({ path, why })),
  };
  show();
}

/** After the file in hand; what is deleted does not come back. */
export function stop(): void {
  aborter?.abort();
}

export function isChanged(error: unknown): boolean {
  return error instanceof Refused && error.status === 412;
}

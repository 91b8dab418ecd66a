// How the review paths are: asked once, then told by the events.
import { signal } from "@preact/signals";
import { get } from "./api";
import type { RootState } from "./types";

export interface RootStatus {
  path: string;
  state: RootState | "unknown";
  reason: string | null;
  since: string;
  /** False: its disk has been silent for seconds, and the state is that of before. */
  answers: boolean;
  freeBytes?: number | null;
}

export const rootStatuses = signal<Readonly<Record<string, RootStatus>>>({});

export async function loadRootStatuses(): Promise<void> {
  const told = await get<{ roots: RootStatus[] }>("/api/roots/status");
  rootStatuses.value = Object.fromEntries(told.roots.map((root) => [root.path, root]));
}

export function learnRootStatus(status: RootStatus): void {
  const before = rootStatuses.value[status.path];
  rootStatuses.value = {
    ...rootStatuses.value,
    [status.path]: { ...before, ...status, reason: status.reason || null },
  };
}

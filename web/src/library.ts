// The review paths and what is in them.
import { signal } from "@preact/signals";
import { address, ask, get, json, ndjson } from "./api";
import type { Chunk, Fetch } from "./listing";
import { learnRows } from "./marks";
import { loadRootStatuses } from "./rootstatus";
import { type Action, type Counts, type Filter, type ItemLine, type Row, rowOf } from "./types";
import { folderPath, type View } from "./timeline";

export interface Root {
  path: string;
  counts: Counts | null;
}

export interface ReviewPaths {
  knownPaths: string[];
  availablePaths: string[];
}

export const roots = signal<readonly Root[] | null>(null);
export const pickerStarts = signal<readonly string[]>([]);

export async function loadRoots(): Promise<void> {
  const told = await get<ReviewPaths>("/api/review-paths");
  pickerStarts.value = told.availablePaths;
  const before = new Map((roots.value ?? []).map((root) => [root.path, root.counts]));
  roots.value = told.knownPaths.map((path) => ({ path, counts: before.get(path) ?? null }));
  await Promise.all([loadRootStatuses().catch(() => undefined), recountRoots()]);
}

/** The counts alone: they change with every mark. */
export async function recountRoots(): Promise<void> {
  await Promise.all(
    (roots.value ?? []).map(async ({ path }) => {
      const counts = await countsOf(path).catch(() => null);
      if (counts) roots.value = (roots.value ?? []).map((one) => (one.path === path ? { path, counts } : one));
    }),
  );
}

export async function countsOf(root: string): Promise<Counts> {
  return (await get<{ counts: Counts }>(address("/api/media-items/summary", { path: root }))).counts;
}

export async function addRoot(path: string): Promise<string> {
  return (await json<{ addedPath: string }>("POST", "/api/review-paths", { body: { path } })).addedPath;
}

export async function removeRoot(path: string): Promise<void> {
  await ask("DELETE", "/api/review-paths", { body: { path } });
}

export interface Folder {
  path: string;
  name: string;
  has_children: boolean;
}

export async function foldersIn(path: string): Promise<{ path: string; folders: Folder[] }> {
  return get(address("/api/folders", { path }));
}

/** A page of a root's listing, or of what the view shows of it. */
export function pagesOf(root: string, filter: Filter, view?: View): Fetch {
  const cut = view && {
    sort: view.order === "date" ? "date" : undefined,
    folder: view.folder === null ? undefined : folderPath(root, view.folder),
    dateFrom: view.range.from,
    dateTo: view.range.to,
  };
  return async (from, limit, signal): Promise<Chunk> => {
    // By date a cursor has to be there still, and what was emptied is not: the place is told by counting.
    const byPlace = from.after === undefined || view?.order === "date";
    const where = byPlace ? { offset: from.offset } : { after: from.after };
    const url = address("/api/media-items/stream", { path: root, statusFilter: filter, limit, ...cut, ...where });
    const rows: Row[] = [];
    for await (const lines of ndjson("GET", url, { signal })) {
      for (const line of lines as (ItemLine | { type: string; message?: string })[]) {
        if (!("type" in line)) rows.push(rowOf(line));
        else if (line.type === "error") throw new Error(line.message ?? "The listing broke off.");
      }
    }
    learnRows(rows);
    return { rows, last: rows.length < limit };
  };
}

/** A page of one folder, without what is below it. */
export function pagesIn(folder: string): Fetch {
  return async (from, limit, signal): Promise<Chunk> => {
    const url = address("/api/folders/files", { path: folder, offset: from.offset, limit });
    const told = await get<{ items: ItemLine[]; total: number }>(url, signal);
    const rows = told.items.map(rowOf);
    learnRows(rows);
    return { rows, last: rows.length < limit, total: told.total };
  };
}

/** How much is in a folder itself. */
export async function countsIn(folder: string): Promise<{ total: number; ignored: number }> {
  const told = await get<{ total: number; ignoredCount: number }>(
    address("/api/folders/files", { path: folder, limit: 1 }),
  );
  return { total: told.total, ignored: told.ignoredCount };
}

/** All paths of a filter as text, for who cannot delete from here. */
export async function exportList(root: string, filter: Filter): Promise<void> {
  const fetch = pagesOf(root, filter);
  const paths: string[] = [];
  for (let after: string | undefined; ;) {
    const chunk = await fetch(
      { offset: 0, ...(after === undefined ? {} : { after }) },
      10_000,
      new AbortController().signal,
    );
    paths.push(...chunk.rows.map((row) => row.path));
    after = chunk.rows.at(-1)?.path;
    if (chunk.last || after === undefined) break;
  }
  download(`${filter}.txt`, `${paths.join("\n")}\n`);
}

export function download(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

export const thumbnailUrl = (path: string, size: number): string => address("/api/media-thumbnail", { path, size });
export const fileUrl = (path: string): string => address("/api/media-file", { path });

export const PAST: Record<Action, string> = {
  lock: "Locked",
  unlock: "Unlocked",
  trash: "Trashed",
  untrash: "Restored",
  seen: "Marked seen",
  unseen: "Marked unseen",
};

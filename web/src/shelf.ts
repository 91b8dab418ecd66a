// The listing that is open: the grid and the review over it share it.
import { type Signal, signal } from "@preact/signals";
import { tell } from "./api";
import { type Day, daysOf, totalOf } from "./days";
import { countsIn, countsOf, pagesIn, pagesOf } from "./library";
import { Listing } from "./listing";
import { statusOf } from "./marks";
import { Selection } from "./selection";
import { folderPath, loadDays, type View } from "./timeline";
import type { Counts, Filter } from "./types";

export interface Shelf {
  root: string;
  filter: Filter;
  view: View;
  /** By date: the days as they were when it was opened, which is how its rows stand. */
  days: readonly Day[];
  /** Files of that folder which are no media. */
  ignored: number;
  rows: Listing;
  selection: Selection;
  focus: Signal<number>;
}

export const EVERYTHING: View = { folder: null, order: "name", range: {} };
export const version = signal(0);
export const counts = signal<Counts | null>(null);
export const shelf = signal<Shelf | null>(null);

let opening = 0;

/** Open a view of a root; what was open is let go, and its requests are stopped. Of several the last counts. */
export async function open(root: string, filter: Filter, focus = 0, view: View = EVERYTHING): Promise<void> {
  opening += 1;
  const mine = opening;
  const { folder } = view;
  // The plain listing of one folder is read from the disk, scanned or not.
  const plain = folder !== null && view.order === "name" && filter === "all" ? folderPath(root, folder) : null;
  const days = loadDays(root, folder);
  // Where the listing does not need them, it goes without.
  days.catch(() => undefined);
  const [told, found, dated] = await Promise.all([
    countsOf(root),
    plain === null ? null : countsIn(plain),
    plain !== null || (folder === null && view.order === "name") ? null : days,
  ]);
  if (mine !== opening) return;
  counts.value = told;
  shelf.value?.rows.abort();
  const total = found?.total ?? (dated ? totalOf(dated, filter, view.range) : told[filter]);
  const pages = plain === null ? pagesOf(root, filter, view) : pagesIn(plain);
  const rows = new Listing(filter, total, pages, statusOf, () => (version.value += 1), tell);
  const first = Math.max(0, Math.min(focus, total - 1));
  const ignored = found?.ignored ?? dated?.ignoredCount ?? 0;
  const shown = daysOf(dated?.days ?? [], filter, view.range);
  shelf.value = { root, filter, view, days: shown, ignored, rows, selection: new Selection(), focus: signal(first) };
}

export async function recount(root: string): Promise<void> {
  counts.value = await countsOf(root);
}

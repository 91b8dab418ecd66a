// The listing that is open: the grid and the review over it share it.
import { type Signal, signal } from "@preact/signals";
import { tell } from "./api";
import { type Day, daysOf, type Histogram, totalOf } from "./days";
import { countsIn, countsOf, pagesIn, pagesOf } from "./library";
import { CHUNK, type Chunk, type Fetch, Listing } from "./listing";
import { forgetRows, statusOf } from "./marks";
import { Selection } from "./selection";
import { folderPath, loadDays, type View, viewQuery } from "./timeline";
import { forgetStacks } from "./stacks";
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

interface Asked {
  name: string;
  counts: Promise<Counts>;
  inside: Promise<{ total: number; ignored: number } | null>;
  days: Promise<Histogram>;
  /** The number of rows comes from the days. */
  needsDays: boolean;
  pages: Fetch;
}

let opening = 0;
let early: Asked | null = null;

function nameOf(root: string, filter: Filter, focus: number, view: View): string {
  return JSON.stringify([root, filter, viewQuery(view), Math.floor(focus / CHUNK)]);
}

/** How many there are and the first page, both at once: the page need not know how many there are. */
function ask(root: string, filter: Filter, focus: number, view: View): Asked {
  const { folder } = view;
  // The plain listing of one folder is read from the disk, scanned or not.
  const plain = folder !== null && view.order === "name" && filter === "all" ? folderPath(root, folder) : null;
  const pages = plain === null ? pagesOf(root, filter, view) : pagesIn(plain);
  const start = focus - (focus % CHUNK);
  const stop = new AbortController();
  let first: Promise<Chunk> | null = pages({ offset: start }, CHUNK, stop.signal);
  first.catch(() => undefined);
  const asked: Asked = {
    name: nameOf(root, filter, focus, view),
    counts: countsOf(root),
    inside: plain === null ? Promise.resolve(null) : countsIn(plain),
    // Behind the rows, and behind who this is.
    days: new Promise((resolve) => setTimeout(resolve)).then(() => loadDays(root, folder)),
    needsDays: plain === null && (folder !== null || view.order === "date"),
    pages: (from, limit, signal) => {
      const had = first;
      first = null;
      if (!had || from.offset !== start || from.after !== undefined) {
        if (had) stop.abort();
        return pages(from, limit, signal);
      }
      signal.addEventListener("abort", () => stop.abort());
      return had;
    },
  };
  asked.counts.catch(() => undefined);
  asked.inside.catch(() => undefined);
  // Where the listing does not need them, it goes without.
  asked.days.catch(() => undefined);
  return asked;
}

/** Before anything is drawn: what the address names will be opened. */
export function expect(root: string, filter: Filter, focus: number, view: View): void {
  early = ask(root, filter, Math.max(0, Math.floor(focus)), view);
}

/** Open a view of a root; what was open is let go, and its requests are stopped. Of several the last counts. */
export async function open(root: string, filter: Filter, focus = 0, view: View = EVERYTHING): Promise<void> {
  opening += 1;
  const mine = opening;
  const at = Math.max(0, Math.floor(focus));
  const asked = early?.name === nameOf(root, filter, at, view) ? early : ask(root, filter, at, view);
  early = null;
  const [told, found, dated] = await Promise.all([asked.counts, asked.inside, asked.needsDays ? asked.days : null]);
  if (mine !== opening) return;
  counts.value = told;
  shelf.value?.rows.abort();
  forgetStacks();
  const total = found?.total ?? (dated ? totalOf(dated, filter, view.range) : told[filter]);
  const selection = new Selection();
  const rows = new Listing(filter, total, asked.pages, {
    statusOf,
    changed: () => (version.value += 1),
    failed: tell,
    isHeld: (row) => selection.has(row.path),
    dropped: forgetRows,
  });
  const first = Math.max(0, Math.min(at, rows.total - 1));
  const ignored = found?.ignored ?? dated?.ignoredCount ?? 0;
  const days = daysOf(dated?.days ?? [], filter, view.range);
  shelf.value = { root, filter, view, days, ignored, rows, selection, focus: signal(first) };
}

export async function recount(root: string): Promise<void> {
  counts.value = await countsOf(root);
}

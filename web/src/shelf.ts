// The listing that is open: the grid and the review over it share it.
import { type Signal, signal } from "@preact/signals";
import { tell } from "./api";
import { countsIn, countsOf, pagesIn, pagesOf } from "./library";
import { CHUNK, type Chunk, type Fetch, Listing } from "./listing";
import { forgetRows, statusOf } from "./marks";
import { Selection } from "./selection";
import type { Counts, Filter } from "./types";

export interface Shelf {
  root: string;
  filter: Filter;
  /** One folder of it, relative to the root; null: all that is below the root. */
  folder: string | null;
  /** Files of that folder which are no media. */
  ignored: number;
  rows: Listing;
  selection: Selection;
  focus: Signal<number>;
}

export const version = signal(0);
export const counts = signal<Counts | null>(null);
export const shelf = signal<Shelf | null>(null);

interface Asked {
  name: string;
  counts: Promise<Counts>;
  inside: Promise<{ total: number; ignored: number } | null>;
  pages: Fetch;
}

let opening = 0;
let early: Asked | null = null;

function nameOf(root: string, filter: Filter, focus: number, folder: string | null): string {
  return JSON.stringify([root, filter, folder, Math.floor(focus / CHUNK)]);
}

/** How many there are and the first page, both at once: the page need not know how many there are. */
function ask(root: string, filter: Filter, focus: number, folder: string | null): Asked {
  const path = folder === null ? null : folder ? `${root}/${folder}` : root;
  const pages = path === null ? pagesOf(root, filter) : pagesIn(path);
  const start = focus - (focus % CHUNK);
  const stop = new AbortController();
  let first: Promise<Chunk> | null = pages({ offset: start }, CHUNK, stop.signal);
  first.catch(() => undefined);
  const asked: Asked = {
    name: nameOf(root, filter, focus, folder),
    counts: countsOf(root),
    inside: path === null ? Promise.resolve(null) : countsIn(path),
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
  return asked;
}

/** Before anything is drawn: what the address names will be opened. */
export function expect(root: string, filter: Filter, focus = 0, folder: string | null = null): void {
  early = ask(root, filter, Math.max(0, Math.floor(focus)), folder);
}

/** Open a filter of a root; what was open is let go, and its requests are stopped. Of several the last counts. */
export async function open(root: string, filter: Filter, focus = 0, folder: string | null = null): Promise<void> {
  opening += 1;
  const mine = opening;
  const at = Math.max(0, Math.floor(focus));
  const asked = early?.name === nameOf(root, filter, at, folder) ? early : ask(root, filter, at, folder);
  early = null;
  const [told, found] = await Promise.all([asked.counts, asked.inside]);
  if (mine !== opening) return;
  counts.value = told;
  shelf.value?.rows.abort();
  const selection = new Selection();
  const rows = new Listing(filter, found?.total ?? told[filter], asked.pages, {
    statusOf,
    changed: () => (version.value += 1),
    failed: tell,
    isHeld: (row) => selection.has(row.path),
    dropped: forgetRows,
  });
  const first = Math.max(0, Math.min(at, rows.total - 1));
  shelf.value = { root, filter, folder, ignored: found?.ignored ?? 0, rows, selection, focus: signal(first) };
}

export async function recount(root: string): Promise<void> {
  counts.value = await countsOf(root);
}

// The listing that is open: the grid and the review over it share it.
import { type Signal, signal } from "@preact/signals";
import { tell } from "./api";
import { countsIn, countsOf, pagesIn, pagesOf } from "./library";
import { Listing } from "./listing";
import { statusOf } from "./marks";
import { Selection } from "./selection";
import { forgetStacks } from "./stacks";
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

let opening = 0;

/** Open a filter of a root; what was open is let go, and its requests are stopped. Of several the last counts. */
export async function open(root: string, filter: Filter, focus = 0, folder: string | null = null): Promise<void> {
  opening += 1;
  const mine = opening;
  const inside = folder === null ? null : folder ? `${root}/${folder}` : root;
  const [told, found] = await Promise.all([countsOf(root), inside === null ? null : countsIn(inside)]);
  if (mine !== opening) return;
  counts.value = told;
  shelf.value?.rows.abort();
  forgetStacks();
  const total = found?.total ?? told[filter];
  const pages = inside === null ? pagesOf(root, filter) : pagesIn(inside);
  const rows = new Listing(filter, total, pages, statusOf, () => (version.value += 1), tell);
  const first = Math.max(0, Math.min(focus, total - 1));
  const ignored = found?.ignored ?? 0;
  shelf.value = { root, filter, folder, ignored, rows, selection: new Selection(), focus: signal(first) };
}

export async function recount(root: string): Promise<void> {
  counts.value = await countsOf(root);
}

// The listing that is open: the grid and the review over it share it.
import { type Signal, signal } from "@preact/signals";
import { tell } from "./api";
import { countsOf, pagesOf } from "./library";
import { Listing } from "./listing";
import { statusOf } from "./marks";
import { Selection } from "./selection";
import type { Counts, Filter } from "./types";

export interface Shelf {
  root: string;
  filter: Filter;
  rows: Listing;
  selection: Selection;
  focus: Signal<number>;
}

export const version = signal(0);
export const counts = signal<Counts | null>(null);
export const shelf = signal<Shelf | null>(null);

/** Open a filter of a root; what was open is let go, and its requests are stopped. */
export async function open(root: string, filter: Filter, focus = 0): Promise<Shelf> {
  const told = await countsOf(root);
  counts.value = told;
  shelf.value?.rows.abort();
  const rows = new Listing(filter, told[filter], pagesOf(root, filter), statusOf, () => (version.value += 1), tell);
  const opened: Shelf = { root, filter, rows, selection: new Selection(), focus: signal(focus) };
  shelf.value = opened;
  return opened;
}

export async function recount(root: string): Promise<void> {
  counts.value = await countsOf(root);
}

// The days of what is open: asked for once, and again a moment after marks were made.
import { signal } from "@preact/signals";
import { address, get } from "./api";
import { dayIn, type Histogram, type Range } from "./days";
import type { Filter } from "./types";

export type Order = "name" | "date";

/** What of a listing is shown, beside its filter. */
export interface View {
  /** One folder, relative to the root; null: all that is below the root. */
  folder: string | null;
  order: Order;
  range: Range;
}

export function viewOf(folder: string | null, query: Readonly<Record<string, string>>): View {
  const [from, to] = [dayIn(query.from), dayIn(query.to)];
  const range = { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
  return { folder, order: query.s === "date" || from || to ? "date" : "name", range };
}

export function sameView(one: View, other: View): boolean {
  return (
    one.folder === other.folder &&
    one.order === other.order &&
    one.range.from === other.range.from &&
    one.range.to === other.range.to
  );
}

/** As addresses have it. */
export function viewQuery(view: View): Record<string, string | undefined> {
  return {
    d: view.folder === null ? undefined : view.folder || ".",
    s: view.order === "date" ? "date" : undefined,
    from: view.range.from,
    to: view.range.to,
  };
}

export function histogramOf(path: string, recursive: boolean, filter: Filter = "all"): Promise<Histogram> {
  return get<Histogram>(address("/api/histogram", { path, recursive, filter }));
}

export const folderPath = (root: string, folder: string | null): string => (folder ? `${root}/${folder}` : root);

/** Of the place that is looked at. */
export const histogram = signal<Histogram | null>(null);
/** A burst of marks asks for the days once in so long. */
const REST_MS = 1500;
let asked = 0;
let later: ReturnType<typeof setTimeout> | undefined;
let wanted = "";

export async function loadDays(root: string, folder: string | null): Promise<Histogram> {
  clearTimeout(later);
  later = undefined;
  wanted = JSON.stringify([root, folder]);
  const mine = wanted;
  asked = Date.now();
  const told = await histogramOf(folderPath(root, folder), folder === null);
  if (wanted === mine) histogram.value = told;
  return told;
}

/** Again, after changes. */
export function reloadDays(root: string, folder: string | null): void {
  const again = (): void => {
    later = undefined;
    if (wanted === JSON.stringify([root, folder])) loadDays(root, folder).catch(() => undefined);
  };
  later ??= setTimeout(again, Math.max(0, asked + REST_MS - Date.now()));
}

// A listing that is longer than anybody wants to load: rows by index, asked for in chunks. Pure: fetching is given.
import type { Filter, Row, Status } from "./types";
import { fits } from "./types";

export interface Chunk {
  rows: Row[];
  /** Fewer than were asked for: there is nothing behind. */
  last: boolean;
  /** Where the source knows better than the count did. */
  total?: number;
}

/** Behind a path (the cursor); where the row before is not known, or the source has no cursor, at an offset. */
export interface From {
  offset: number;
  after?: string;
}

export type Fetch = (from: From, limit: number, signal: AbortSignal) => Promise<Chunk>;

export const CHUNK = 200;
/** Chunks that stay when others are looked at: ten thousand rows, 5 MB. A grid shows a few hundred at a time. */
export const MOST_CHUNKS = 50;

/** What a grid shows. */
export interface Rows {
  readonly total: number;
  readonly filter: Filter;
  row(index: number): Row | undefined;
  /** Ask for what is not there yet. */
  ensure(from: number, to: number): void;
  /** All rows, loading what is missing. */
  everything(): Promise<Row[]>;
  /** The rows from one index to another, both included, loading what is missing. */
  between(from: number, to: number): Promise<Row[]>;
  indexOf(path: string): number;
}

/** What a listing asks of the page around it. */
export interface Surroundings {
  /** What has become of an item since it was listed. */
  statusOf: (row: Row) => Status;
  /** Called when there is more to show. */
  changed: () => void;
  failed: (error: unknown) => void;
  /** Whether this row must stay, however far it is from what is looked at. */
  isHeld?: (row: Row) => boolean;
  /** Rows that were let go: nobody needs to know their marks any more. */
  dropped?: (rows: readonly Row[]) => void;
}

interface Part {
  state: "loading" | "loaded" | "failed";
  rows: readonly Row[];
}

export class Listing implements Rows {
  total: number;
  /** By number, the one that was looked at last at the end. */
  private readonly parts = new Map<number, Part>();
  private readonly places = new Map<string, number>();
  /** The last path of every chunk that was ever there: the cursor to the one behind it outlives its rows. */
  private readonly ends = new Map<number, string>();
  private readonly aborter = new AbortController();
  /** Of who needs all rows at once: none is dropped meanwhile. */
  private gathering = 0;

  constructor(
    readonly filter: Filter,
    total: number,
    private readonly fetch: Fetch,
    private readonly around: Surroundings,
    private readonly chunk = CHUNK,
    private readonly most = MOST_CHUNKS,
  ) {
    this.total = total;
  }

  row(index: number): Row | undefined {
    return this.parts.get(Math.floor(index / this.chunk))?.rows[index % this.chunk];
  }

  indexOf(path: string): number {
    return this.places.get(path) ?? -1;
  }

  get loaded(): number {
    return this.places.size;
  }

  /** Stop all requests: another filter is looked at. */
  abort(): void {
    this.aborter.abort();
  }

  ensure(from: number, to: number): void {
    const first = Math.max(0, Math.floor(from / this.chunk));
    const last = Math.floor(Math.max(from, Math.min(to, this.total - 1)) / this.chunk);
    for (let number = first; number <= last; number += 1) {
      const part = this.parts.get(number);
      if (!part) void this.load(number);
      else {
        this.parts.delete(number);
        this.parts.set(number, part);
      }
    }
  }

  /** Chunks that could not be had are asked for again when they are looked at. */
  retry(): void {
    for (const [number, { state }] of this.parts) if (state === "failed") this.parts.delete(number);
    this.around.changed();
  }

  everything(): Promise<Row[]> {
    return this.between(0, Infinity);
  }

  async between(from: number, to: number): Promise<Row[]> {
    this.gathering += 1;
    try {
      const first = Math.max(0, Math.floor(from / this.chunk));
      const found: Row[] = [];
      for (let number = first; number * this.chunk < Math.min(this.total, to + 1); number += 1) {
        while (this.parts.get(number)?.state === "loading") await new Promise((resolve) => setTimeout(resolve, 10));
        if (this.parts.get(number)?.state !== "loaded") await this.load(number);
        const part = this.parts.get(number);
        if (part?.state !== "loaded") throw new Error("Not everything could be loaded.");
        const start = number * this.chunk;
        found.push(...part.rows.slice(Math.max(0, from - start), Math.min(to, this.total - 1) + 1 - start));
      }
      return found;
    } finally {
      this.gathering -= 1;
    }
  }

  private async load(number: number): Promise<void> {
    const start = number * this.chunk;
    this.parts.set(number, { state: "loading", rows: [] });
    try {
      const before = this.ends.get(number - 1);
      const found = await this.fetch(
        { offset: start - this.leftBefore(start), ...(before === undefined ? {} : { after: before }) },
        this.chunk,
        this.aborter.signal,
      );
      if (this.aborter.signal.aborted) return;
      this.place(number, found);
      this.dropFar();
    } catch (error) {
      this.parts.set(number, { state: "failed", rows: [] });
      if (!this.aborter.signal.aborted) this.around.failed(error);
    }
    this.around.changed();
  }

  private place(number: number, found: Chunk): void {
    const start = number * this.chunk;
    const rows = found.rows.filter((row) => !this.places.has(row.path));
    rows.forEach((row, at) => this.places.set(row.path, start + at));
    this.parts.delete(number);
    this.parts.set(number, { state: "loaded", rows });
    const end = found.rows.at(-1);
    if (end) this.ends.set(number, end.path);
    const behind = start + rows.length;
    if (found.total !== undefined) this.total = found.total;
    else if (found.last) this.total = behind;
    else if (behind > this.total) this.total = behind;
  }

  /** Let go what was looked at longest ago; not what is held, nor what has left the filter and is counted by its place. */
  private dropFar(): void {
    if (this.gathering) return;
    let more = this.parts.size - this.most;
    for (const [number, part] of this.parts) {
      if (more <= 0) return;
      if (part.state === "loading" || part.rows.some((row) => this.isHeld(row))) continue;
      this.parts.delete(number);
      for (const row of part.rows) this.places.delete(row.path);
      this.around.dropped?.(part.rows);
      more -= 1;
    }
  }

  private isHeld(row: Row): boolean {
    return !fits(this.filter, this.around.statusOf(row)) || (this.around.isHeld?.(row) ?? false);
  }

  /** Rows before an index that the server does not count any more: they were marked here and have left the filter. */
  private leftBefore(start: number): number {
    if (this.filter === "all") return 0;
    let left = 0;
    for (const [number, { rows }] of this.parts) {
      if (number * this.chunk >= start) continue;
      for (const row of rows) if (!fits(this.filter, this.around.statusOf(row))) left += 1;
    }
    return left;
  }
}

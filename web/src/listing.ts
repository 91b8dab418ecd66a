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

/** What a grid shows. */
export interface Rows {
  readonly total: number;
  readonly filter: Filter;
  row(index: number): Row | undefined;
  /** Ask for what is not there yet. */
  ensure(from: number, to: number): void;
  /** All rows, loading what is missing. */
  everything(): Promise<Row[]>;
  indexOf(path: string): number;
}

export class Listing implements Rows {
  total: number;
  private readonly rows: (Row | undefined)[] = [];
  private readonly places = new Map<string, number>();
  private readonly chunks = new Map<number, "loading" | "loaded" | "failed">();
  private readonly aborter = new AbortController();

  /**
   * @param statusOf what has become of an item since it was listed
   * @param changed called when there is more to show
   */
  constructor(
    readonly filter: Filter,
    total: number,
    private readonly fetch: Fetch,
    private readonly statusOf: (row: Row) => Status,
    private readonly changed: () => void,
    private readonly failed: (error: unknown) => void,
    private readonly chunk = CHUNK,
  ) {
    this.total = total;
  }

  row(index: number): Row | undefined {
    return this.rows[index];
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
      if (!this.chunks.has(number)) void this.load(number);
    }
  }

  /** Chunks that could not be had are asked for again when they are looked at. */
  retry(): void {
    for (const [number, state] of this.chunks) if (state === "failed") this.chunks.delete(number);
    this.changed();
  }

  async everything(): Promise<Row[]> {
    for (let number = 0; number * this.chunk < this.total; number += 1) {
      while (this.chunks.get(number) === "loading") await new Promise((resolve) => setTimeout(resolve, 10));
      if (this.chunks.get(number) !== "loaded") {
        this.chunks.delete(number);
        await this.load(number);
      }
      if (this.chunks.get(number) === "failed") throw new Error("Not everything could be loaded.");
    }
    return this.rows.slice(0, this.total).filter((row): row is Row => row !== undefined);
  }

  private async load(number: number): Promise<void> {
    const start = number * this.chunk;
    this.chunks.set(number, "loading");
    try {
      const before = start > 0 ? this.rows[start - 1] : undefined;
      const found = await this.fetch(
        { offset: start - this.leftBefore(start), ...(before ? { after: before.path } : {}) },
        this.chunk,
        this.aborter.signal,
      );
      if (this.aborter.signal.aborted) return;
      this.place(start, found);
      this.chunks.set(number, "loaded");
    } catch (error) {
      this.chunks.set(number, "failed");
      if (!this.aborter.signal.aborted) this.failed(error);
    }
    this.changed();
  }

  private place(start: number, found: Chunk): void {
    let index = start;
    for (const row of found.rows) {
      if (this.places.has(row.path)) continue;
      this.rows[index] = row;
      this.places.set(row.path, index);
      index += 1;
    }
    if (found.total !== undefined) this.total = found.total;
    else if (found.last) this.total = index;
    else if (index > this.total) this.total = index;
  }

  /** Rows before an index that the server does not count any more: they were marked here and have left the filter. */
  private leftBefore(start: number): number {
    if (this.filter === "all") return 0;
    let left = 0;
    for (let index = 0; index < Math.min(start, this.rows.length); index += 1) {
      const row = this.rows[index];
      if (row && !fits(this.filter, this.statusOf(row))) left += 1;
    }
    return left;
  }
}

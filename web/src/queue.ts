// Marks on their way to the server: in order for each file, one at a time, superseded ones dropped, kept when nobody
// answers. Pure: sending and keeping are given.
import { after, same, type Action, type Status, UNMARKED } from "./types";

export interface Mark {
  id: number;
  path: string;
  action: Action;
}

export interface Ends {
  /** The state that the server says the file has now. Rejects with what `isGone` knows, or the server's refusal. */
  send: (mark: Mark) => Promise<Status>;
  isGone: (error: unknown) => boolean;
  /** Called on every change with all that is not confirmed yet. */
  keep: (waiting: readonly Mark[]) => void;
  /** A mark is through; `before` and `now` are the states the server went between, as far as is known. */
  confirmed: (mark: Mark, before: Status | undefined, now: Status) => void;
  refused: (mark: Mark, error: unknown, real: Status | undefined) => void;
}

const SIDE_BY_SIDE = 6;

export class MarkQueue {
  /** What the server last said. */
  private readonly known = new Map<string, Status>();
  private readonly waiting: Mark[] = [];
  private readonly underWay = new Map<string, Mark>();
  private readonly listeners = new Set<() => void>();
  private lastId = 0;
  private held = false;

  constructor(private readonly ends: Ends) {}

  /** The server's word for a file. */
  learn(path: string, status: Status): void {
    this.known.set(path, status);
  }

  /** Nobody shows the file any more; what is on its way is not forgotten. */
  forget(path: string): void {
    if (!this.underWay.has(path) && !this.waiting.some((mark) => mark.path === path)) this.known.delete(path);
  }

  real(path: string): Status | undefined {
    return this.known.get(path);
  }

  /** What the file will be when all that is waiting is through. */
  wanted(path: string): Status | undefined {
    let status = this.known.get(path);
    const chain = [this.underWay.get(path), ...this.waiting.filter((mark) => mark.path === path)];
    for (const mark of chain) {
      if (mark) status = after(status ?? UNMARKED, mark.action) ?? status;
    }
    return status;
  }

  get size(): number {
    return this.waiting.length + this.underWay.size;
  }

  get all(): readonly Mark[] {
    return [...this.underWay.values(), ...this.waiting];
  }

  /** Queue a mark; or drop the one before it that had not been sent, when this would only take that back. */
  add(path: string, action: Action): { added: number } | { dropped: number } {
    const now = this.wanted(path) ?? UNMARKED;
    const then = after(now, action) ?? now;
    const last = this.waiting.findLastIndex((mark) => mark.path === path);
    const before = last < 0 ? undefined : this.beforeLast(path);
    if (last >= 0 && before && same(before, then)) {
      const [dropped] = this.waiting.splice(last, 1);
      this.changed();
      return { dropped: dropped?.id ?? 0 };
    }
    const mark = { id: ++this.lastId, path, action };
    this.waiting.push(mark);
    this.changed();
    this.pump();
    return { added: mark.id };
  }

  /** Marks of an earlier page. */
  adopt(marks: readonly { path: string; action: Action }[]): void {
    for (const { path, action } of marks) this.waiting.push({ id: ++this.lastId, path, action });
    this.changed();
    this.pump();
  }

  /** Take marks back that were not sent; those that were are left. */
  withdraw(ids: ReadonlySet<number>): boolean {
    const left = this.waiting.filter((mark) => !ids.has(mark.id));
    if (this.waiting.length - left.length < ids.size) return false;
    this.waiting.splice(0, this.waiting.length, ...left);
    this.changed();
    return true;
  }

  /** Nobody answers: what waits goes on waiting. */
  hold(): void {
    this.held = true;
  }

  resume(): void {
    this.held = false;
    this.pump();
  }

  /** When nothing is under way any more, or it is held. */
  async settled(): Promise<void> {
    while (this.underWay.size || (this.waiting.length && !this.held)) {
      await new Promise<void>((resolve) => this.listeners.add(resolve));
    }
  }

  private beforeLast(path: string): Status | undefined {
    let status = this.known.get(path);
    const mine = this.waiting.filter((mark) => mark.path === path).slice(0, -1);
    for (const mark of [this.underWay.get(path), ...mine]) {
      if (mark) status = after(status ?? UNMARKED, mark.action) ?? status;
    }
    return status;
  }

  private pump(): void {
    for (let at = 0; !this.held && at < this.waiting.length && this.underWay.size < SIDE_BY_SIDE;) {
      const mark = this.waiting[at];
      if (!mark || this.underWay.has(mark.path)) {
        at += 1;
        continue;
      }
      this.waiting.splice(at, 1);
      this.underWay.set(mark.path, mark);
      void this.sendOne(mark);
    }
  }

  private async sendOne(mark: Mark): Promise<void> {
    const before = this.known.get(mark.path);
    try {
      const now = await this.ends.send(mark);
      this.known.set(mark.path, now);
      this.underWay.delete(mark.path);
      this.ends.confirmed(mark, before, now);
    } catch (error) {
      this.underWay.delete(mark.path);
      if (this.ends.isGone(error)) {
        // Marks are states, not toggles: one that did arrive does no harm a second time.
        this.waiting.unshift(mark);
        this.hold();
      } else {
        this.ends.refused(mark, error, this.known.get(mark.path));
      }
    }
    this.changed();
    this.pump();
  }

  private changed(): void {
    this.ends.keep(this.all);
    const listeners = [...this.listeners];
    this.listeners.clear();
    for (const listener of listeners) listener();
  }
}

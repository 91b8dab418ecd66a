// Marks that nobody has confirmed, in local storage: sent once when the server is back, by this page or the next.
import type { Mark } from "./queue";
import type { Action } from "./types";

const PREFIX = "framewell.marks.";
const TAB = "framewell.tab";
/** A page that lives says so; what a page that does not has left is taken over. */
const BEAT_MS = 5000;
const DEAD_MS = 15_000;

interface Kept {
  at: number;
  marks: { path: string; action: Action }[];
}

function tabName(): string {
  const name = sessionStorage.getItem(TAB) ?? Math.random().toString(36).slice(2);
  sessionStorage.setItem(TAB, name);
  return name;
}

/** Null: there is nothing, or nothing that can be read, and so nothing to send. */
function readKept(name: string): Kept | null {
  try {
    return JSON.parse(localStorage.getItem(name) ?? "null") as Kept | null;
  } catch {
    return null;
  }
}

export class KeptMarks {
  private readonly mine = PREFIX + tabName();
  private marks: Kept["marks"] = [];
  /** Of this tab, from before it was loaded again; kept beside the new ones until somebody takes them. */
  private before: Kept["marks"];

  constructor() {
    this.before = readKept(this.mine)?.marks ?? [];
    setInterval(() => this.write(), BEAT_MS);
  }

  keep(waiting: readonly Mark[]): void {
    this.marks = waiting.map(({ path, action }) => ({ path, action }));
    this.write();
  }

  /** What was left behind by this tab before it was loaded again, and by tabs that are gone. Each is told once. */
  left(): Kept["marks"] {
    const found = this.before;
    this.before = [];
    for (const name of Object.keys(localStorage)) {
      if (!name.startsWith(PREFIX) || name === this.mine) continue;
      const kept = readKept(name);
      if (kept && Date.now() - kept.at < DEAD_MS) continue;
      found.push(...(kept?.marks ?? []));
      localStorage.removeItem(name);
    }
    return found;
  }

  private write(): void {
    try {
      const marks = [...this.before, ...this.marks];
      if (marks.length) localStorage.setItem(this.mine, JSON.stringify({ at: Date.now(), marks }));
      else localStorage.removeItem(this.mine);
    } catch {
      // Full or forbidden: the marks are in memory as long as the page is open.
    }
  }
}

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

export class KeptMarks {
  private readonly mine = PREFIX + tabName();
  private marks: Kept["marks"] = [];

  constructor() {
    setInterval(() => this.write(), BEAT_MS);
  }

  keep(waiting: readonly Mark[]): void {
    this.marks = waiting.map(({ path, action }) => ({ path, action }));
    this.write();
  }

  /** What was left behind by this tab before it was loaded again, and by tabs that are gone. Each is told once. */
  left(): Kept["marks"] {
    const found: Kept["marks"] = [];
    for (const name of Object.keys(localStorage).filter((one) => one.startsWith(PREFIX))) {
      try {
        const kept = JSON.parse(localStorage.getItem(name) ?? "") as Kept;
        if (name !== this.mine && Date.now() - kept.at < DEAD_MS) continue;
        found.push(...kept.marks);
      } catch {
        // Nothing that can be read is nothing to send.
      }
      localStorage.removeItem(name);
    }
    return found;
  }

  private write(): void {
    try {
      if (this.marks.length) localStorage.setItem(this.mine, JSON.stringify({ at: Date.now(), marks: this.marks }));
      else localStorage.removeItem(this.mine);
    } catch {
      // Full or forbidden: the marks are in memory as long as the page is open.
    }
  }
}

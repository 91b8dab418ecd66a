// What is selected in a grid: paths, so that it outlives scrolling and loading.
import { signal, type Signal } from "@preact/signals";

export class Selection {
  readonly paths: Signal<ReadonlySet<string>> = signal(new Set<string>());
  /** Where a range begins. */
  anchor = -1;
  /** Made by a plain click: it is where the hand was, and goes when the hand goes on. */
  private passing = false;

  get size(): number {
    return this.paths.value.size;
  }

  has(path: string): boolean {
    return this.paths.value.has(path);
  }

  toggle(path: string, index: number): void {
    const next = new Set(this.paths.value);
    if (!next.delete(path)) next.add(path);
    this.paths.value = next;
    this.anchor = index;
    this.passing = false;
  }

  only(path: string, index: number): void {
    this.paths.value = new Set([path]);
    this.anchor = index;
    this.passing = true;
  }

  add(paths: Iterable<string>): void {
    this.paths.value = new Set([...this.paths.value, ...paths]);
    this.passing = false;
  }

  /** The focus goes elsewhere: keys mean the item that has it. */
  goOn(): void {
    if (this.passing) this.clear();
  }

  clear(): void {
    if (this.size) this.paths.value = new Set();
  }
}

// Short messages at the edge, and the one polite voice for screen readers.
import { signal } from "@preact/signals";

export interface Toast {
  id: number;
  text: string;
  kind: "info" | "error";
  group?: string | undefined;
  action?: { label: string; run: () => void } | undefined;
}

const LIFE_MS = 10_000;
const MOST = 4;
/** A screen reader that is told of every key says nothing else any more. */
const VOICE_MS = 1000;

export const toasts = signal<readonly Toast[]>([]);
export const voice = signal("");
let last = 0;

/** Shown for ten seconds; its button goes with it. A toast of the same `group` is replaced. */
export function toast(text: string, more: Partial<Omit<Toast, "id" | "text">> & { lifeMs?: number } = {}): number {
  const { lifeMs = LIFE_MS, kind = "info", group, action } = more;
  const id = ++last;
  const others = toasts.value.filter((one) => group === undefined || one.group !== group);
  toasts.value = [...others.slice(1 - MOST), { id, text, kind, group, action }];
  setTimeout(() => dismiss(id), lifeMs);
  return id;
}

export function dismiss(id: number): void {
  toasts.value = toasts.value.filter((one) => one.id !== id);
}

let waiting = "";
let spokenAt = 0;
let timer: ReturnType<typeof setTimeout> | undefined;

/** At most one message a second; of several the last. */
export function say(text: string): void {
  waiting = text;
  if (timer !== undefined) return;
  timer = setTimeout(
    () => {
      timer = undefined;
      spokenAt = Date.now();
      voice.value = waiting;
    },
    Math.max(0, spokenAt + VOICE_MS - Date.now()),
  );
}

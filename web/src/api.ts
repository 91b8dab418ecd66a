// Every request of the page: errors with the server's own sentence, the key, too many requests, a server that is gone.
import { signal } from "@preact/signals";
import { linesOf } from "./lines";
import { quoted } from "./paths";
import { dismiss, toast } from "./toasts";

/** The server refused; `message` is its sentence. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** Nobody answered. */
export class Unreachable extends Error {}

export const serverGone = signal(false);
export const needsKey = signal(false);
/** Counts up with every sign-in and every return of the server: who shows something asks again. */
export const epoch = signal(0);

const LOOK_AGAIN_MS = 2000;
const PATIENCE = 5;

export interface Asked {
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
}

export function address(path: string, query: Record<string, string | number | boolean | undefined> = {}): string {
  const parts = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${quoted(String(value)).replaceAll("/", "%2F")}`],
  );
  return parts.length ? `${path}?${parts.join("&")}` : path;
}

/** The answer, when it is a good one.
 *
 * A 429 is waited for, as long as the server says; a 401 opens the sign-in.
 */
export async function ask(method: string, url: string, asked: Asked = {}): Promise<Response> {
  for (let tries = 1; ; tries += 1) {
    const headers = { ...asked.headers };
    const init: RequestInit = { method, headers, credentials: "same-origin" };
    if (asked.body !== undefined) {
      headers["Content-Type"] = "application/json";
      init.body = JSON.stringify(asked.body);
    }
    if (asked.signal) init.signal = asked.signal;
    let answer: Response;
    try {
      answer = await fetch(url, init);
    } catch (error) {
      if (asked.signal?.aborted) throw error;
      gone();
      throw new Unreachable("The server can't be reached.");
    }
    if (answer.ok) return answer;
    if (answer.status === 429 && tries < PATIENCE) {
      await tooMany(answer, asked.signal);
      continue;
    }
    const refused = new Refused(answer.status, await sentenceOf(answer));
    if (answer.status === 401) needsKey.value = true;
    if (answer.status === 502 || answer.status === 503) await whileItIsThere(refused);
    throw refused;
  }
}

export async function json<T>(method: string, url: string, asked: Asked = {}): Promise<T> {
  return (await (await ask(method, url, asked)).json()) as T;
}

export const get = <T>(url: string, signal?: AbortSignal): Promise<T> => json<T>("GET", url, { signal });

export async function* ndjson(method: string, url: string, asked: Asked = {}): AsyncGenerator<unknown[]> {
  yield* linesOf(await ask(method, url, asked));
}

async function sentenceOf(answer: Response): Promise<string> {
  try {
    const body = (await answer.json()) as { error?: unknown; message?: unknown };
    if (typeof body.message === "string") return body.message;
    if (typeof body.error === "string") return body.error;
  } catch {
    // No JSON: a proxy's page.
  }
  return `The server answered ${answer.status}.`;
}

async function tooMany(answer: Response, aborted?: AbortSignal): Promise<void> {
  const told = Number(answer.headers.get("Retry-After"));
  const seconds = Number.isFinite(told) && told > 0 ? Math.min(told, 60) : 4;
  const shownAs = toast(`Too many requests. Retrying in ${seconds} s.`, { kind: "error", lifeMs: seconds * 1000 });
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    aborted?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(aborted.reason as Error);
    });
  }).finally(() => dismiss(shownAs));
}

let looking = false;

/** From now on it is looked for until it answers; then everybody asks again. */
export function gone(): void {
  if (serverGone.value) return;
  serverGone.value = true;
  void lookForIt();
}

async function lookForIt(): Promise<void> {
  if (looking) return;
  looking = true;
  while (serverGone.value) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
    try {
      const answer = await fetch("/health/ready", { cache: "no-store" });
      if (answer.ok) {
        serverGone.value = false;
        epoch.value += 1;
      }
    } catch {
      // Not yet.
    }
  }
  looking = false;
}

/** A folder that is away is a refusal; a server whose files service is away is as good as gone.
 *
 * @throws Unreachable
 */
async function whileItIsThere(refused: Refused): Promise<void> {
  try {
    if ((await fetch("/health/ready", { cache: "no-store" })).ok) return;
  } catch {
    // As below.
  }
  gone();
  throw new Unreachable(refused.message);
}

/** What to tell a person of an error; null when it was given up on purpose. */
export function sentence(error: unknown): string | null {
  if (error instanceof DOMException && error.name === "AbortError") return null;
  return error instanceof Error ? error.message : String(error);
}

export function tell(error: unknown): void {
  const text = sentence(error);
  if (text && !(error instanceof Unreachable) && !(error instanceof Refused && error.status === 401)) {
    toast(text, { kind: "error" });
  }
}

/** Whoever reads `epoch` is told to ask again. */
export function again(): void {
  epoch.value += 1;
}

// The next video's first seconds, fetched before it is asked for, by ranges: never more of it than the budget. They go into
// the browser's cache, from which its player begins. An element that preloads would fetch what it likes.
import { get } from "./api";
import { bytesAhead, indexBehind } from "./beginnings";
import { fileUrl } from "./library";
import type { Row } from "./types";

const MB = 1_000_000;
/** Of a video that nobody has probed yet: its description, when it is at the end. */
const UNKNOWN_BYTES = 512 * 1024;

let budget: Promise<number> | null = null;
let under: AbortController | null = null;
const fetched = new Set<string>();

/** The server's setting, asked for once: how much of a video may be fetched ahead. */
function budgetBytes(): Promise<number> {
  budget ??= get<{ videoPreloadMb: number }>("/api/settings").then((told) => told.videoPreloadMb * MB);
  budget.catch(() => (budget = null));
  return budget;
}

/** It was changed here. */
export function setBudget(megabytes: number): void {
  budget = Promise.resolve(megabytes * MB);
}

/** Of the rows that come next the first video, if there is one; what was under way for another is stopped. */
export function videoAhead(rows: readonly (Row | undefined)[]): void {
  under?.abort();
  const row = rows.find((one) => one?.video);
  if (!row || fetched.has(row.path)) return;
  const aborter = new AbortController();
  under = aborter;
  fetchBeginning(row, aborter.signal).then(
    () => fetched.add(row.path),
    () => undefined,
  );
}

async function fetchBeginning(row: Row, signal: AbortSignal): Promise<void> {
  const most = await budgetBytes();
  const length = bytesAhead(row.sizeBytes, row.durationS, most);
  if (!length) return;
  const head = await range(row.path, 0, length, signal);
  const behind = indexBehind(head);
  if (behind === null || behind < length || (row.sizeBytes && behind >= row.sizeBytes)) return;
  const left = Math.min(most - length, row.sizeBytes ? row.sizeBytes - behind : UNKNOWN_BYTES);
  if (left > 0) await range(row.path, behind, left, signal);
}

/** Reads so many bytes and no more; the first of them, as many as the boxes of a header may take. */
async function range(path: string, from: number, length: number, signal: AbortSignal): Promise<Uint8Array> {
  const headers = { Range: `bytes=${from}-${from + length - 1}` };
  const answer = await fetch(fileUrl(path), { headers, signal, credentials: "same-origin" });
  if (answer.status !== 206 || !answer.body) {
    await answer.body?.cancel();
    throw new Error("no range");
  }
  const first = new Uint8Array(Math.min(length, 4096));
  let had = 0;
  for await (const piece of pieces(answer.body)) {
    if (had < first.length) first.set(piece.subarray(0, first.length - had), had);
    had += piece.length;
  }
  return first.subarray(0, Math.min(had, first.length));
}

async function* pieces(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    yield value;
  }
}

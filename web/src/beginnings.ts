// What a video begins with, as bytes. Pure.

const AHEAD_S = 5;
/** What a header may take when nothing is known of the video yet. */
const LEAST_BYTES = 512 * 1024;

/** How much of a video's beginning is fetched. */
export function bytesAhead(sizeBytes: number, durationS: number | null, budgetBytes: number): number {
  const seconds = durationS ? (sizeBytes / durationS) * AHEAD_S : 0;
  const wanted = Math.max(LEAST_BYTES, Math.ceil(seconds));
  return Math.max(0, Math.min(wanted, budgetBytes, sizeBytes > 0 ? sizeBytes : wanted));
}

/** Where the description of an MP4 or MOV is when it is not at its beginning; null: it is, or this is none of those. */
export function indexBehind(beginning: Uint8Array): number | null {
  const view = new DataView(beginning.buffer, beginning.byteOffset, beginning.byteLength);
  const name = (at: number): string => String.fromCharCode(...beginning.subarray(at + 4, at + 8));
  if (beginning.byteLength < 8 || name(0) !== "ftyp") return null;
  for (let at = 0; ;) {
    if (at + 16 > beginning.byteLength) return at;
    if (name(at) === "moov") return null;
    const short = view.getUint32(at);
    const size = short === 1 ? Number(view.getBigUint64(at + 8)) : short;
    // A last box without a size goes to the end: there is nothing behind it.
    if (size < 8) return null;
    at += size;
  }
}

// A worker: makes photographs as small as the screen, away from the thread that keys and scrolling need. A photograph of
// 12 megapixels is 48 MB when it is decoded, more than a browser keeps of four of them, so it would be decoded again with
// every look; at the size of a screen it is a tenth of that.
import type { Wanted } from "./pictures";

export interface Scaled {
  id: number;
  /** Null: it could not be had, or is no larger than the screen. */
  blob: Blob | null;
  /** Of the file, as it is seen: turned as its EXIF says. */
  width: number;
  height: number;
}

/** Less than this is not worth the work. */
const WORTH = 0.8;

const waiting: Extract<Wanted, { url: string }>[] = [];
let current: { id: number; aborter: AbortController } | null = null;

addEventListener("message", ({ data }: MessageEvent<Wanted>) => {
  if ("url" in data) {
    waiting.push(data);
    void work();
    return;
  }
  const at = waiting.findIndex((one) => one.id === data.id);
  if (at >= 0) waiting.splice(at, 1);
  if (current?.id === data.id) current.aborter.abort();
});

/** One at a time, in the order in which they will be looked at. */
async function work(): Promise<void> {
  if (current) return;
  const wanted = waiting.shift();
  if (!wanted) return;
  const aborter = new AbortController();
  current = { id: wanted.id, aborter };
  let scaled: Scaled = { id: wanted.id, blob: null, width: 0, height: 0 };
  try {
    scaled = await scaledOf(wanted, aborter.signal);
  } catch {
    // Whoever wanted it shows the file itself, or says what is wrong with it.
  }
  postMessage(scaled);
  current = null;
  void work();
}

async function scaledOf(wanted: Extract<Wanted, { url: string }>, signal: AbortSignal): Promise<Scaled> {
  const answer = await fetch(wanted.url, { credentials: "same-origin", signal });
  if (!answer.ok) throw new Error(String(answer.status));
  const bitmap = await createImageBitmap(await answer.blob());
  const { width, height } = bitmap;
  const share = Math.min(wanted.width / width, wanted.height / height);
  try {
    signal.throwIfAborted();
    if (share >= WORTH) return { id: wanted.id, blob: null, width, height };
    const canvas = new OffscreenCanvas(Math.round(width * share), Math.round(height * share));
    const context = canvas.getContext("2d", { alpha: false });
    if (!context) throw new Error("no canvas");
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    // The best quality is the one that keeps the colours of each pixel apart.
    return { id: wanted.id, blob: await canvas.convertToBlob({ type: "image/jpeg", quality: 1 }), width, height };
  } finally {
    bitmap.close();
  }
}

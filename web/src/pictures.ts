// Pictures for the stage: fetched, decoded and made as small as the screen before they are asked for.
import { fileUrl, thumbnailUrl } from "./library";
import { DRAWN, LARGEST_THUMBNAIL } from "./picture";
import type { Scaled } from "./scaler";
import type { Row } from "./types";

/** What the worker is told: a picture to make, or one that nobody wants any more. */
export type Wanted = { id: number; url: string; width: number; height: number } | { id: number };

/** What is one picture for sure: the others may move. */
const STILL = /\.jpe?g$/i;
/** Pictures kept: the one in sight, two ahead, one behind, and some to turn back to. */
const MOST_KEPT = 8;
/** A picture of fewer pixels is decoded in no time. */
const LARGE_PX = 3_000_000;

interface Kept {
  image: HTMLImageElement;
  /** Of a picture that was made as small as the screen. */
  made?: { url: string; width: number; height: number };
}

class Pictures {
  private readonly kept = new Map<string, Kept>();
  private readonly coming = new Map<string, number>();
  private worker: Worker | null | undefined;
  private lastId = 0;

  /** The element itself, so that what was made ahead is shown without being asked for again. */
  of(path: string): HTMLImageElement {
    const kept = this.kept.get(path);
    if (kept) return this.keep(path, kept).image;
    // What is being made is there soon; what is not begun yet, the browser shows as it comes.
    const [[underWay] = []] = this.coming;
    if (underWay === path) return this.keep(path, { image: empty() }).image;
    this.giveUp(path);
    return this.keep(path, { image: plain(path) }).image;
  }

  /** How large the file is whose small picture this is; null when it is the file itself. */
  sizeOf(path: string): { width: number; height: number } | null {
    return this.kept.get(path)?.made ?? null;
  }

  ahead(rows: readonly (Row | undefined)[]): void {
    const near = new Set(rows.map((row) => row?.path));
    for (const path of [...this.coming.keys()])
      if (!near.has(path) && !this.kept.get(path)?.image.isConnected) this.giveUp(path);
    for (const row of rows) {
      if (!row || row.video) continue;
      if (this.isLarge(row)) this.make(row);
      else
        void this.keep(row.path, this.kept.get(row.path) ?? { image: plain(row.path) })
          .image.decode()
          .catch(ignored);
    }
  }

  forget(path: string): void {
    const kept = this.kept.get(path);
    this.kept.delete(path);
    if (kept?.made) URL.revokeObjectURL(kept.made.url);
  }

  private keep(path: string, kept: Kept): Kept {
    this.kept.delete(path);
    this.kept.set(path, kept);
    const [oldest] = this.kept.keys();
    if (this.kept.size > MOST_KEPT && oldest !== undefined) this.forget(oldest);
    return kept;
  }

  private isLarge(row: Row): boolean {
    return STILL.test(row.path) && (row.width === null || row.height === null || row.width * row.height > LARGE_PX);
  }

  private make(row: Row): void {
    if (this.coming.has(row.path) || this.kept.get(row.path)?.made) return;
    const worker = this.scaler();
    if (!worker) {
      void this.keep(row.path, this.kept.get(row.path) ?? { image: plain(row.path) })
        .image.decode()
        .catch(ignored);
      return;
    }
    const id = ++this.lastId;
    this.coming.set(row.path, id);
    const [width, height] = [screen.width, screen.height].map((side) => Math.round(side * devicePixelRatio));
    worker.postMessage({ id, url: fileUrl(row.path), width, height } as Wanted);
  }

  private giveUp(path: string): void {
    const id = this.coming.get(path);
    if (id === undefined) return;
    this.coming.delete(path);
    const kept = this.kept.get(path);
    if (kept && isEmpty(kept.image)) this.kept.delete(path);
    this.worker?.postMessage({ id } satisfies Wanted);
  }

  private scaler(): Worker | null {
    if (this.worker === undefined) {
      try {
        this.worker = new Worker("/page/scaler.js");
        this.worker.onmessage = ({ data }: MessageEvent<Scaled>) => this.made(data);
        // It does not come: files are shown as they are.
        this.worker.onerror = () => {
          this.worker = null;
          for (const id of [...this.coming.values()]) this.made({ id, blob: null, width: 0, height: 0 });
        };
      } catch {
        this.worker = null;
      }
    }
    return this.worker;
  }

  private made({ id, blob, width, height }: Scaled): void {
    const path = [...this.coming].find(([, one]) => one === id)?.[0];
    if (path === undefined) return;
    this.coming.delete(path);
    const before = this.kept.get(path);
    if (!blob) {
      if (before && isEmpty(before.image)) fill(before.image, path);
      void this.keep(path, before ?? { image: plain(path) })
        .image.decode()
        .catch(ignored);
      return;
    }
    // What is in sight is not exchanged under the eye.
    if (before && !isEmpty(before.image) && before.image.isConnected) return;
    const image = before && isEmpty(before.image) ? before.image : bare();
    const url = URL.createObjectURL(blob);
    image.onerror = null;
    image.src = url;
    void this.keep(path, { image, made: { url, width, height } }).image.decode().catch(ignored);
  }
}

const ignored = (): undefined => undefined;

function bare(): HTMLImageElement {
  const image = new Image();
  image.decoding = "async";
  image.draggable = false;
  return image;
}

/** One whose picture is being made. */
function empty(): HTMLImageElement {
  const image = bare();
  // Nobody takes it for one that failed.
  image.onerror = ignored;
  return image;
}

const isEmpty = (image: HTMLImageElement): boolean => !image.hasAttribute("src");

/** The file as the browser draws it; what it cannot draw, as the server does. */
function fill(image: HTMLImageElement, path: string): void {
  const picture = thumbnailUrl(path, LARGEST_THUMBNAIL);
  image.onerror = null;
  if (DRAWN.test(path)) {
    image.onerror = () => {
      image.onerror = null;
      image.src = picture;
    };
    image.src = fileUrl(path);
  } else image.src = picture;
}

function plain(path: string): HTMLImageElement {
  const image = bare();
  fill(image, path);
  return image;
}

export const pictures = new Pictures();

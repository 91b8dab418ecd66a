// Searching: words and likeness as CoreViz asks, plus and minus as Exquisitor does. Both name items by ids of their
// own; here they are paths again.
import { address, get, json } from "./api";
import { isRange, type Range } from "./days";
import type { Fetch } from "./listing";
import { asked } from "./session";
import type { Row, Status } from "./types";

export interface Faces {
  path: string | null;
  itemId?: number;
  mediaId?: string;
  collection: { id: string; slug: string };
}

interface Media {
  id: string;
  name: string;
  type: string;
  width: number | null;
  height: number | null;
  duration: number | null;
  sizeBytes: number;
  createdAt: string;
  metadata: { tags: Record<string, string[]> };
  frameObjectId: string | null;
  _score?: number;
}

interface Page {
  media: Media[];
  pagination: { total: number };
}

export interface Question {
  root: string;
  q: string;
  /** An object that it should look like. */
  like: string | null;
  tags: Readonly<Record<string, readonly string[]>>;
  type: "" | "image" | "video";
  minScore: number;
  /** Of the items' own days. */
  range: Range;
}

const VIDEO = /\.(?:avi|m4v|mov|mp4|mpeg|mpg|mts|m2ts|wmv|mkv|webm|3gp)$/i;
/** Ids that an answer may name, and how many are shown of a round of feedback. */
const ROUND = 200;
const known = new Map<string, Promise<Faces>>();

export function facesOf(path: string): Promise<Faces> {
  let found = known.get(path);
  if (!found) {
    found = asked.then(() => get<Faces>(address("/api/resolve", { path })));
    // What is not indexed yet will be.
    found.catch(() => known.delete(path));
    known.set(path, found);
  }
  return found;
}

/** The object of an item's picture, which others can be like; null until it is indexed. */
export async function objectOf(path: string): Promise<string | null> {
  const { mediaId } = await facesOf(path);
  if (!mediaId) return null;
  return (await get<{ media: Media }>(`/api/media/${mediaId}`)).media.frameObjectId;
}

const STATES: Record<string, Status> = {
  unseen: { locked: false, trashed: false, seen: false },
  seen: { locked: false, trashed: false, seen: true },
  locked: { locked: true, trashed: false, seen: true },
  trashed: { locked: false, trashed: true, seen: true },
};

function rowOfMedia(root: string, media: Media): Row {
  const { tags } = media.metadata;
  const folder = tags.Folder?.[0] ?? "";
  return {
    path: `${root}/${folder === "" || folder === "." || folder === "/" ? "" : `${folder}/`}${media.name}`,
    video: media.type === "video",
    sizeBytes: media.sizeBytes,
    modifiedAt: "",
    createdAt: media.createdAt,
    width: media.width,
    height: media.height,
    durationS: media.duration,
    status: STATES[tags.Status?.[0] ?? ""] ?? { locked: false, trashed: false, seen: false },
    frameObjectId: media.frameObjectId,
    ...(media._score === undefined ? {} : { score: media._score }),
  };
}

/** Pages of an answer in words, by likeness or by tags alone. */
export function answersTo(question: Question): Fetch {
  return async (from, limit, signal) => {
    const { collection } = await facesOf(question.root);
    const tags = Object.fromEntries(Object.entries(question.tags).filter(([, values]) => values.length));
    const url = address(`/api/dataset/${collection.id}/media`, {
      q: question.q || undefined,
      similarToObjectId: question.like ?? undefined,
      tagFilters: Object.keys(tags).length ? JSON.stringify(tags) : undefined,
      type: question.type || "all",
      takenFrom: question.range.from,
      takenTo: question.range.to,
      minScore: question.q || question.like ? question.minScore : undefined,
      recursive: true,
      sortBy: "name",
      limit,
      offset: from.offset,
    });
    const page = await get<Page>(url, signal);
    const media = page.media.filter((one) => one.type === "image" || one.type === "video");
    return {
      rows: media.map((one) => rowOfMedia(question.root, one)),
      last: page.media.length < limit,
      total: page.pagination.total - (page.media.length - media.length),
    };
  };
}

export async function tagsOf(root: string): Promise<Record<string, string[]>> {
  const { collection } = await facesOf(root);
  return (await get<{ tags: Record<string, string[]> }>(`/api/dataset/${collection.id}/tags`)).tags;
}

/** Pages of one round of feedback: the classifier is asked once, the items are looked up as they are shown. */
export function judgedLike(
  root: string,
  more: readonly string[],
  less: readonly string[],
  query: string,
  range: Range,
): Fetch {
  const found = (async () => {
    const [{ collection }, pos, neg] = await Promise.all([facesOf(root), ids(more), ids(less)]);
    const session = { session: "page", collection: collection.slug, modelId: 1 };
    const taken = isRange(range) ? range : undefined;
    const body = { pos, neg, query, n: ROUND, taken, session_info: session };
    const answer = await json<{ suggestions: number[]; scores: number[] }>("POST", "/exq/search/rf", { body });
    return { ...answer, session };
  })();
  // Whoever asks for a page hears of a failure.
  found.catch(() => undefined);
  return async (from, limit, signal) => {
    const { suggestions, scores, session } = await found;
    const wanted = suggestions.slice(from.offset, from.offset + limit);
    if (!wanted.length) return { rows: [], last: true, total: suggestions.length };
    const body = { media_ids: wanted, session_info: session };
    const told = await json<{ items: { id: number; uri: string | null }[] }>("POST", "/exq/item/base", {
      body,
      signal,
    });
    const score = new Map(suggestions.map((id, index) => [id, scores[index]]));
    const rows = told.items.flatMap((item): Row[] => {
      if (item.uri === null) return [];
      const points = score.get(item.id);
      return [
        {
          path: `${root}/${item.uri}`,
          video: VIDEO.test(item.uri),
          sizeBytes: 0,
          modifiedAt: "",
          createdAt: "",
          width: null,
          height: null,
          durationS: null,
          status: { locked: false, trashed: false, seen: false },
          ...(points === undefined ? {} : { score: points }),
        },
      ];
    });
    return { rows, last: from.offset + limit >= suggestions.length, total: suggestions.length };
  };
}

async function ids(paths: readonly string[]): Promise<number[]> {
  const found = await Promise.all(paths.map(facesOf));
  return found.flatMap((one) => one.itemId ?? []);
}

// Finding: in words, by likeness, by tags, and by saying more and less.
import { signal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { epoch, get, Refused, sentence, Unreachable } from "./api";
import { BatchSheet, selectedRows, SelectionBar } from "./bar";
import { type Day, isRange } from "./days";
import { DateBrush, rangeText } from "./daystrip";
import { queues } from "./events";
import { answersTo, judgedLike, objectOf, type Question, tagsOf } from "./finding";
import { count, items } from "./format";
import { Grid } from "./grid";
import { TileSizes } from "./gridscreen";
import { useKeys } from "./keyboard";
import { loadRoots, roots, thumbnailUrl } from "./library";
import { Listing } from "./listing";
import { statusOf } from "./marks";
import { nameOf, shown } from "./paths";
import { Review } from "./review";
import { go, place, queryText } from "./router";
import { Selection } from "./selection";
import { counts, version } from "./shelf";
import { valueText } from "./tagwords";
import { histogramOf, viewOf } from "./timeline";
import type { Encoder, Jobs, Row } from "./types";
import { Button, Empty } from "./ui";

const MIN_SCORE = 0.05;
const TYPING_MS = 250;
/** Values of one tag that are listed at once. */
const MOST_VALUES = 40;

type Judgements = Readonly<Record<string, "more" | "less">>;
type Tags = Readonly<Record<string, readonly string[]>>;

/** Kept while the page is open, so that a look into the grid forgets nothing. */
const judgements = signal<Judgements>({});
const encoder = signal<Encoder | null>(null);

function tagsIn(text: string | undefined): Tags {
  try {
    return JSON.parse(text ?? "{}") as Tags;
  } catch {
    return {};
  }
}

export function SearchScreen(): JSX.Element {
  const { query } = place.value;
  const root = query.root ?? roots.value?.[0]?.path ?? null;
  const q = query.q ?? "";
  const like = query.like ?? null;
  const minScore = query.min === undefined ? MIN_SCORE : Number(query.min);
  const tags = useMemo(() => tagsIn(query.tags), [query.tags]);
  const type = query.type === "image" || query.type === "video" ? query.type : "";
  const { from, to } = viewOf(null, query).range;
  const range = useMemo(() => viewOf(null, query).range, [from, to]);
  const [days, setDays] = useState<readonly Day[]>([]);
  const [typed, setTyped] = useState(q);
  const [score, setScore] = useState(minScore);
  const [listing, setListing] = useState<Listing | null>(null);
  const [error, setError] = useState<string | null>(null);
  const [reviewing, setReviewing] = useState<number | null>(null);
  const [facets, setFacets] = useState<Readonly<Record<string, string[]>>>({});
  const selection = useMemo(() => new Selection(), [root]);
  const focus = useMemo(() => signal(0), [listing]);
  const judged = judgements.value;
  const more = Object.keys(judged).filter((path) => judged[path] === "more");
  const less = Object.keys(judged).filter((path) => judged[path] === "less");
  const learning = more.length + less.length > 0;
  const asks = q !== "" || like !== null || Object.keys(tags).length > 0 || learning || isRange(range);

  const again = (changes: Record<string, string | number | undefined>): void =>
    go(`#/s${queryText({ ...query, root: root ?? undefined, ...changes })}`, true);

  useEffect(() => setTyped(q), [q]);
  useEffect(() => setScore(minScore), [minScore]);
  useEffect(() => {
    // Another window may have added one.
    loadRoots().catch(() => undefined);
    get<Jobs>("/api/jobs").then(
      (jobs) => {
        encoder.value = jobs.encoder ?? null;
        queues.value ??= jobs;
      },
      () => undefined,
    );
  }, [epoch.value, queues.value?.idle]);
  useEffect(() => {
    if (root === null) return;
    tagsOf(root).then(setFacets, () => setFacets({}));
    histogramOf(root, true).then(
      (told) => setDays(told.days),
      () => setDays([]),
    );
  }, [root, epoch.value]);
  // Typing asks by itself, a moment after the last letter.
  useEffect(() => {
    if (typed.trim() === q) return undefined;
    const timer = setTimeout(() => again({ q: typed.trim() }), TYPING_MS);
    return () => clearTimeout(timer);
  }, [typed]);
  useEffect(() => {
    if (score === minScore) return undefined;
    const timer = setTimeout(() => again({ min: score }), TYPING_MS);
    return () => clearTimeout(timer);
  }, [score]);

  const counter = useRef(0);
  useEffect(() => {
    counter.current += 1;
    const mine = counter.current;
    setError(null);
    if (root === null || !asks) {
      setListing(null);
      return undefined;
    }
    let made: Listing | null = null;
    const failed = (problem: unknown): void => {
      if (mine !== counter.current || problem instanceof Unreachable) return;
      const text = sentence(problem);
      if (text !== null) setError(searchSentence(problem, text));
    };
    const begin = async (): Promise<void> => {
      const object = like === null || learning ? null : await objectOf(like);
      if (mine !== counter.current) return;
      if (like !== null && !learning && object === null) {
        setListing(null);
        setError("This item is not indexed yet; try again in a moment.");
        return;
      }
      const question: Question = { root, q, like: object, tags, type, minScore, range };
      const fetch = learning ? judgedLike(root, more, less, q, range) : answersTo(question);
      // The first page says how many there are.
      const first = await fetch({ offset: 0 }, 200, new AbortController().signal);
      if (mine !== counter.current) return;
      const pages: typeof fetch = (from, limit, aborted) =>
        from.offset === 0 ? Promise.resolve(first) : fetch(from, limit, aborted);
      const total = first.total ?? first.rows.length;
      made = new Listing("all", total, pages, {
        statusOf,
        changed: () => (version.value += 1),
        failed,
        isHeld: (row) => selection.has(row.path),
      });
      setListing(made);
    };
    begin().catch(failed);
    return () => made?.abort();
  }, [root, q, like, query.tags, type, minScore, range, judged, epoch.value]);

  const judge = (row: Row, judgement: "more" | "less"): void => {
    const { [row.path]: before, ...others } = judgements.value;
    judgements.value = before === judgement ? others : { ...others, [row.path]: judgement };
  };
  const currentRow = (): Row | undefined => listing?.row(focus.value);
  /** The selected ones, else the one with the focus. */
  const judgeCurrent = (judgement: "more" | "less"): void | false => {
    const meant = listing && selection.size ? selectedRows(listing, selection) : [currentRow() ?? []].flat();
    if (!meant.length) return false;
    for (const row of meant) judge(row, judgement);
    selection.clear();
  };
  useKeys({ more: () => judgeCurrent("more"), less: () => judgeCurrent("less") }, false, reviewing === null);
  const similar = (row: Row): void => {
    judgements.value = {};
    setReviewing(null);
    again({ like: row.path, q: undefined });
  };
  const toggleTag = (group: string, value: string): void => {
    const values = tags[group] ?? [];
    const next = values.includes(value) ? values.filter((one) => one !== value) : [...values, value];
    const { [group]: _, ...others } = tags;
    const all = next.length ? { ...others, [group]: next } : others;
    again({ tags: Object.keys(all).length ? JSON.stringify(all) : undefined });
  };
  const over = reviewing !== null && listing !== null;

  return (
    <main class="screen" id="main">
      <div class="screen-head" inert={over}>
        <h1>Search</h1>
        <form
          class="search-form"
          role="search"
          onSubmit={(event) => (event.preventDefault(), again({ q: typed.trim() }))}
        >
          <input
            type="search"
            class="search-box"
            aria-label="Search in words"
            placeholder="a cat on a sofa"
            value={typed}
            onInput={(event) => setTyped(event.currentTarget.value)}
          />
          <label>
            in
            <select
              value={root ?? ""}
              onChange={(event) => {
                judgements.value = {};
                go(`#/s${queryText({ root: event.currentTarget.value, q: typed.trim() })}`, true);
              }}
            >
              {(roots.value ?? []).map((one) => (
                <option key={one.path} value={one.path}>
                  {shown(nameOf(one.path))}
                </option>
              ))}
            </select>
          </label>
          <label>
            Kind
            <select value={type} onChange={(event) => again({ type: event.currentTarget.value || undefined })}>
              <option value="">all</option>
              <option value="image">images</option>
              <option value="video">videos</option>
            </select>
          </label>
          <label title="How well a find has to fit: to the right fewer are found, and better ones">
            Least score <span class="number">{score.toFixed(2)}</span>
            <input
              type="range"
              min={0}
              max={1}
              step={0.01}
              value={score}
              disabled={learning || (!q && like === null)}
              onInput={(event) => setScore(Number(event.currentTarget.value))}
            />
          </label>
        </form>
        <DateBrush days={days} range={range} onRange={(next) => again({ from: next.from, to: next.to })} />
        <TileSizes />
      </div>
      <div class="chips" inert={over}>
        {like === null || learning ? null : (
          <span class="chip">
            <img src={thumbnailUrl(like, 256)} alt="" /> like {shown(nameOf(like))}
            <Button
              kind="quiet"
              icon="close"
              label="Not like this any more"
              onClick={() => again({ like: undefined })}
            />
          </span>
        )}
        {[...more, ...less].map((path) => (
          <span key={path} class={`chip ${judged[path]}`}>
            <img src={thumbnailUrl(path, 256)} alt="" /> {judged[path] === "more" ? "+" : "−"} {shown(nameOf(path))}
            <Button
              kind="quiet"
              icon="close"
              label={`Forget ${shown(nameOf(path))}`}
              onClick={() => {
                const { [path]: _, ...others } = judgements.value;
                judgements.value = others;
              }}
            />
          </span>
        ))}
        {isRange(range) ? (
          <span class="chip">
            {rangeText(range)}
            <Button
              kind="quiet"
              icon="close"
              label="All dates"
              onClick={() => again({ from: undefined, to: undefined })}
            />
          </span>
        ) : null}
        {Object.entries(tags).flatMap(([group, values]) =>
          values.map((value) => (
            <span key={`${group}.${value}`} class="chip">
              {group}: {valueText(group, value)}
              <Button
                kind="quiet"
                icon="close"
                label={`Without ${group} ${valueText(group, value)}`}
                onClick={() => toggleTag(group, value)}
              />
            </span>
          )),
        )}
        <span class="found" role="status" data-total={listing?.total}>
          {listing ? (listing.total >= 1000 ? "1,000 or more found" : `${items(listing.total)} found`) : ""}
          {void version.value}
        </span>
        <Answering />
      </div>
      <div class="search-body" inert={over}>
        <Facets facets={facets} chosen={tags} onToggle={toggleTag} />
        {error ? (
          <Empty>{error}</Empty>
        ) : root === null ? (
          <Empty
            action={
              <a class="button primary" href="#/">
                Add a folder
              </a>
            }
          >
            There is no folder to search in yet.
          </Empty>
        ) : !asks ? (
          <Empty>
            Say in words what is in the picture, as in “a cat”, choose a tag or dates, or press “Similar” on an item.
            Then + and − on what was found teach the search what you mean. One folder is searched at a time.
          </Empty>
        ) : listing === null ? (
          <p class="loading">Searching…</p>
        ) : listing.total === 0 ? (
          <Empty>
            Nothing found.{minScore > 0 && (q || like !== null) ? " A lower least score lets more in." : ""}
          </Empty>
        ) : (
          <div class="screen-body">
            <Grid
              rows={listing}
              version={version}
              label="Found items"
              selection={selection}
              focus={focus}
              onOpen={setReviewing}
              judged={(path) => judged[path]}
              active={!over}
            />
            <div class="judge-bar" role="toolbar" aria-label="Teach the search">
              <Button action="more" onClick={() => judgeCurrent("more")}>
                More like this
              </Button>
              <Button action="less" onClick={() => judgeCurrent("less")}>
                Less like this
              </Button>
              <Button
                action="similar"
                onClick={() => {
                  const row = currentRow();
                  if (row) similar(row);
                }}
              >
                Similar
              </Button>
              {learning ? <Button onClick={() => (judgements.value = {})}>Forget all + and −</Button> : null}
            </div>
            <SelectionBar
              rows={listing}
              selection={selection}
              current={currentRow}
              active={!over}
              onSimilar={similar}
            />
          </div>
        )}
      </div>
      <BatchSheet />
      {over ? (
        <Review
          rows={listing}
          version={version}
          focus={focus}
          selection={selection}
          path={null}
          hint={reviewing}
          title="Search"
          onAt={() => {
            counts.value = null;
          }}
          onClose={() => setReviewing(null)}
          onSimilar={similar}
          onJudge={judge}
        />
      ) : null}
    </main>
  );
}

function searchSentence(error: unknown, text: string): string {
  if (error instanceof Refused && error.status === 503) {
    return `${text} Name, tag and date search still work.`;
  }
  return text;
}

/** Who answers, and how much it knows already. */
function Answering(): JSX.Element | null {
  const told = encoder.value;
  const embed = queues.value?.queues.embed;
  if (!told) return null;
  const all = embed ? embed.done + embed.pending + embed.running : 0;
  const share = embed && all ? Math.floor((100 * embed.done) / all) : 100;
  return (
    <span class="answering" title={told.reason}>
      {told.state === "off"
        ? "Semantic search is off. Name, tag and date search still work."
        : told.state === "unavailable"
          ? `Semantic search is not available. ${told.reason ?? ""}`
          : `Answered by ${told.model ?? told.name}${told.state === "loading" ? " (loading)" : ""}`}
      {told.state !== "off" && share < 100 ? ` · ${share} % indexed: results may be incomplete.` : ""}
    </span>
  );
}

interface FacetsProps {
  facets: Readonly<Record<string, string[]>>;
  chosen: Tags;
  onToggle: (group: string, value: string) => void;
}

function Facets({ facets, chosen, onToggle }: FacetsProps): JSX.Element | null {
  const [narrow, setNarrow] = useState("");
  const groups = Object.entries(facets);
  if (!groups.length) return null;
  return (
    <details class="facets" open={innerWidth > 900}>
      <summary>Tags</summary>
      <input
        type="search"
        aria-label="Find a tag"
        placeholder="find a tag"
        value={narrow}
        onInput={(event) => setNarrow(event.currentTarget.value)}
      />
      {groups.map(([group, values]) => {
        const fitting = values.filter((value) => valueText(group, value).toLowerCase().includes(narrow.toLowerCase()));
        if (!fitting.length) return null;
        return (
          <fieldset key={group}>
            <legend>{group}</legend>
            {fitting.slice(0, MOST_VALUES).map((value) => (
              <label key={value}>
                <input
                  type="checkbox"
                  checked={chosen[group]?.includes(value) ?? false}
                  onChange={() => onToggle(group, value)}
                />
                {valueText(group, value)}
              </label>
            ))}
            {fitting.length > MOST_VALUES ? <p class="hint">and {count(fitting.length - MOST_VALUES)} more</p> : null}
          </fieldset>
        );
      })}
    </details>
  );
}

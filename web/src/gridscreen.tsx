// A root's items: filter bar with counts, the grid, the selection; review lies over it.
import { type Signal, signal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useMemo, useState } from "preact/hooks";
import { epoch, sentence, Unreachable } from "./api";
import { BatchSheet, SelectionBar } from "./bar";
import { type Day, daysOf, type Histogram, isRange, placeAt, type Range, rowsBefore, totalOf } from "./days";
import { rangeText, Scrubber } from "./daystrip";
import { changes, scans } from "./events";
import { count, items, moment } from "./format";
import { GoToDate } from "./godate";
import { Grid } from "./grid";
import { MEANINGS } from "./help";
import { useKeys } from "./keyboard";
import { keyText } from "./keyboard";
import type { KeyAction } from "./keys";
import { exportList, loadRoots, roots } from "./library";
import { nameOf, shown } from "./paths";
import { Review } from "./review";
import { loadRootStatuses, rootStatuses } from "./rootstatus";
import { go, gridAddress, place, queryText, reviewAddress } from "./router";
import { change, settings, TILE_NAMES, TILE_SIZES, type TileSize } from "./settings";
import { counts, open, recount, type Shelf, shelf, version } from "./shelf";
import { folderPath, histogram, histogramOf, type Order, reloadDays, sameView, viewOf, viewQuery } from "./timeline";
import { Tree } from "./tree";
import { type Counts, type Filter, FILTERS, type Row } from "./types";
import { Button, Empty, Icon } from "./ui";

const FILTER_KEYS: Record<Filter, KeyAction> = {
  unseen: "filterUnseen",
  seen: "filterSeen",
  locked: "filterLocked",
  trashed: "filterTrashed",
  all: "filterAll",
};
const FILTER_NAMES: Record<Filter, string> = {
  unseen: "Unseen",
  seen: "Seen",
  locked: "Locked",
  trashed: "Trashed",
  all: "All",
};

/** After a root's first rows, until their pictures are asked for. */
const BEHIND_MS = 200;

export function filterOf(query: Readonly<Record<string, string>>, otherwise: Filter = "all"): Filter {
  const told = query.f;
  return FILTERS.find((filter) => filter === told) ?? otherwise;
}

export function TileSizes(): JSX.Element {
  return (
    <label class="tile-size">
      Tiles
      <select
        value={settings.value.tile}
        onChange={(event) => change({ tile: Number(event.currentTarget.value) as TileSize })}
      >
        {TILE_SIZES.map((size) => (
          <option key={size} value={size}>
            {TILE_NAMES[size]}
          </option>
        ))}
      </select>
    </label>
  );
}

/** What is to be known of the root: away, only to be read, being scanned. */
export function RootNotice({ root, onRetry }: { root: string; onRetry: () => void }): JSX.Element | null {
  const status = rootStatuses.value[root];
  const state = status?.state;
  const scan = scans.value[root];
  const isMissing = status === undefined;
  useEffect(() => {
    if (isMissing) loadRootStatuses().catch(() => undefined);
  }, [root]);
  if (status && (state === "offline" || state === "swapped")) {
    return (
      <div class="notice warning" role="status">
        <Icon name="warning" />
        <span>
          {state === "offline"
            ? `This folder can't be reached since ${moment(status.since)}. Nothing was changed; your marks are safe.`
            : "Another folder stands where this one was. Nothing was changed; your marks are safe."}
        </span>
        <Button
          onClick={() => {
            loadRootStatuses().catch(() => undefined);
            onRetry();
          }}
        >
          Retry
        </Button>
      </div>
    );
  }
  if (status && !status.answers) {
    return (
      <div class="notice warning" role="status">
        <Icon name="warning" />
        <span>The disk of this folder does not answer. Nothing was changed; your marks are safe.</span>
        <Button onClick={onRetry}>Retry</Button>
      </div>
    );
  }
  if (state === "read-only") {
    return (
      <div class="notice" role="status">
        <span>Read-only folder. Marks are kept in the catalogue; files can't be deleted from here.</span>
        <Button onClick={() => void exportList(root, "trashed")}>Export list</Button>
      </div>
    );
  }
  if (scan && !scan.done) {
    return (
      <div class="notice" role="status">
        Scanning… {count(scan.found)} files. You can start now.
      </div>
    );
  }
  return null;
}

/** The folder that the address names: `.` is the root itself. */
export function folderIn(query: Readonly<Record<string, string>>): string | null {
  return query.d === undefined ? null : query.d === "." ? "" : query.d;
}

interface GridScreenProps {
  root: string;
  filter: Filter;
  folder: string | null;
}

export function GridScreen({ root, filter, folder }: GridScreenProps): JSX.Element {
  const [error, setError] = useState<string | null>(null);
  const [choosing, setChoosing] = useState(false);
  const [jumps, setJumps] = useState(0);
  const jump = useMemo(() => signal<{ index: number } | null>(null), []);
  const sight = useMemo(() => signal(0), []);
  const here = place.value;
  const view = viewOf(folder, here.query);
  const { from, to } = view.range;
  const opened = shelf.value;
  const isOpen = opened !== null && opened.root === root && opened.filter === filter && sameView(opened.view, view);
  const told = histogram.value;
  const inReview = here.item !== undefined;

  const openIt = (): void => {
    setError(null);
    open(root, filter, Number(here.query.n) || 0, view).catch((problem: unknown) => {
      if (!(problem instanceof Unreachable)) setError(sentence(problem));
    });
  };
  useLayoutEffect(() => {
    if (!isOpen) openIt();
  }, [root, filter, folder, view.order, from, to]);
  useEffect(() => {
    if (epoch.value > 0) {
      if (isOpen) opened.rows.retry();
      else openIt();
    }
  }, [epoch.value]);
  // How all roots are is wanted for what is said beside the pictures: behind them.
  useEffect(() => {
    if (roots.value !== null || !(isOpen || error)) return undefined;
    const timer = setTimeout(() => void loadRoots().catch(() => undefined), BEHIND_MS);
    return () => clearTimeout(timer);
  }, [epoch.value, isOpen, error]);
  useEffect(() => {
    if (changes.value === 0) return;
    recount(root).catch(() => undefined);
    reloadDays(root, folder);
  }, [changes.value, root, folder]);

  const show = (other: Filter): void => go(gridAddress(root, { ...viewQuery(view), f: other }));
  const inOrder = (order: Order): void =>
    go(gridAddress(root, { ...viewQuery({ ...view, order, range: {} }), f: filter }));
  const goTo = (day: Day): void => {
    setChoosing(false);
    const byDate = isOpen && view.order === "date";
    const index = rowsBefore(byDate ? opened.days : daysOf(told?.days ?? [], filter, view.range), filter, day.date);
    const query = { ...viewQuery({ ...view, order: "date" }), f: filter, n: index };
    if (inReview) {
      // Another review, which begins there.
      setJumps(jumps + 1);
      go(reviewAddress(root, "", query), true);
    } else {
      go(gridAddress(root, query), byDate);
      jump.value = { index };
    }
  };
  const narrow = (range: Range): void => {
    go(gridAddress(root, { ...viewQuery({ ...view, order: "date", range }), f: filter }));
  };
  useKeys({ date: () => setChoosing(true) });
  useKeys(
    {
      filterUnseen: () => show("unseen"),
      filterSeen: () => show("seen"),
      filterLocked: () => show("locked"),
      filterTrashed: () => show("trashed"),
      filterAll: () => show("all"),
    },
    false,
    !inReview,
  );

  const openReview = (index: number, replace = false): void => {
    const row = opened?.rows.row(index);
    go(reviewAddress(root, row?.path ?? "", { f: filter, n: index, ...viewQuery(view) }), replace);
  };
  const inView = folder === null && !isRange(view.range) ? counts.value : told ? countsIn(told, view.range) : null;
  const similar = (row: Row): void => go(`#/s${queryText({ root, like: row.path })}`);

  return (
    <main class="screen" id="main">
      <div class="screen-head" inert={inReview}>
        <h1 title={shown(root)}>
          {shown(nameOf(root))}
          {folder ? ` / ${shown(folder)}` : ""}
        </h1>
        <Button
          kind="primary"
          disabled={!isOpen || !opened.rows.total}
          onClick={() => openReview(opened?.focus.value ?? 0)}
        >
          Review
        </Button>
        <Button icon="folder" pressed={settings.value.tree} onClick={() => change({ tree: !settings.value.tree })}>
          Folder tree
        </Button>
        <div class="filters" role="group" aria-label="Filter">
          {FILTERS.map((one) => (
            <button
              key={one}
              type="button"
              class="filter"
              aria-pressed={one === filter}
              title={`${MEANINGS[one]} (${keyText(FILTER_KEYS[one])})`}
              onClick={() => show(one)}
            >
              {FILTER_NAMES[one]} <span class="number">{inView ? count(inView[one]) : "…"}</span>
            </button>
          ))}
        </div>
        <label class="order">
          Order
          <select value={view.order} onChange={(event) => inOrder(event.currentTarget.value as Order)}>
            <option value="name">by name</option>
            <option value="date">by date</option>
          </select>
        </label>
        <Button action="date" onClick={() => setChoosing(true)}>
          Go to date
        </Button>
        <TileSizes />
        <Button onClick={openIt}>Refresh</Button>
      </div>
      <RootNotice root={root} onRetry={openIt} />
      {told && !error ? (
        <div class="days" inert={inReview}>
          {isRange(view.range) ? (
            <span class="chip">
              {rangeText(view.range)}
              <Button kind="quiet" icon="close" label="All dates" onClick={() => narrow({})} />
            </span>
          ) : null}
          <Days
            told={told}
            shelf={isOpen ? opened : null}
            filter={filter}
            range={view.range}
            sight={sight}
            onGo={goTo}
          />
        </div>
      ) : null}
      {error ? (
        <Empty action={<Button onClick={openIt}>Retry</Button>}>{error}</Empty>
      ) : !isOpen ? (
        <p class="loading">Loading…</p>
      ) : opened.rows.total === 0 ? (
        <div class="search-body">
          {settings.value.tree ? <Tree root={root} open={folder} /> : null}
          <EmptyFilter root={root} filter={filter} shelf={opened} />
        </div>
      ) : (
        <div class="search-body" inert={inReview}>
          {settings.value.tree ? <Tree root={root} open={folder} /> : null}
          <div class="screen-body">
            <Grid
              rows={opened.rows}
              version={version}
              label={`${FILTER_NAMES[filter]} items of ${shown(nameOf(root))}`}
              selection={opened.selection}
              focus={opened.focus}
              onOpen={openReview}
              jump={jump}
              sight={sight}
              active={!inReview}
            />
            <SelectionBar
              rows={opened.rows}
              selection={opened.selection}
              current={() => opened.rows.row(opened.focus.value)}
              active={!inReview}
              onSimilar={similar}
            />
          </div>
        </div>
      )}
      <BatchSheet />
      {inReview && isOpen ? <OverIt key={jumps} shelf={opened} item={here.item ?? ""} onSimilar={similar} /> : null}
      {choosing && told ? (
        <GoToDate
          told={told}
          days={daysOf(told.days, filter, view.range)}
          filter={filter}
          range={view.range}
          onGo={goTo}
          onRange={narrow}
          onClose={() => setChoosing(false)}
        />
      ) : null}
    </main>
  );
}

interface OverItProps {
  shelf: Shelf;
  item: string;
  onSimilar: (row: Row) => void;
}

function OverIt({ shelf: opened, item, onSimilar }: OverItProps): JSX.Element {
  const { root, filter } = opened;
  const { back } = place.value.query;
  const view = viewQuery(opened.view);
  return (
    <Review
      rows={opened.rows}
      version={version}
      focus={opened.focus}
      selection={opened.selection}
      path={item ? `${root}/${item}` : null}
      hint={Number(place.value.query.n) || 0}
      title={shown(nameOf(root))}
      onAt={(row, index) => go(reviewAddress(root, row.path, { f: filter, n: index, back, ...view }), true)}
      onClose={() =>
        go(
          back === "t" ? `#/t${queryText({ root })}` : gridAddress(root, { f: filter, n: opened.focus.value, ...view }),
        )
      }
      onSimilar={onSimilar}
    />
  );
}

interface DaysProps {
  told: Histogram;
  shelf: Shelf | null;
  filter: Filter;
  range: Range;
  sight: Signal<number>;
  onGo: (day: Day) => void;
}

/** The strip, with the day of what is in sight. By name nothing in sight is of one day. */
function Days({ told, shelf: opened, filter, range, sight, onGo }: DaysProps): JSX.Element | null {
  const byDate = opened !== null && opened.view.order === "date";
  const days = byDate ? withMarks(opened.days, told) : daysOf(told.days, filter, range);
  const at = byDate ? placeAt(opened.days, filter, sight.value) : -1;
  return <Scrubber days={days} filter={filter} at={at} onGo={onGo} />;
}

/** The days of the rows as they stand, with what is unseen of each by now. */
function withMarks(days: readonly Day[], told: Histogram): Day[] {
  const now = new Map(told.days.map((day) => [day.date, day.unseen]));
  return days.map((day) => ({ ...day, unseen: Math.min(day.unseen, now.get(day.date) ?? 0) }));
}

function countsIn(told: Histogram, range: Range): Counts {
  const of = (filter: Filter): number => totalOf(told, filter, range);
  return { all: of("all"), unseen: of("unseen"), seen: of("seen"), locked: of("locked"), trashed: of("trashed") };
}

interface EmptyFilterProps {
  root: string;
  filter: Filter;
  shelf: Shelf;
}

function EmptyFilter({ root, filter, shelf: opened }: EmptyFilterProps): JSX.Element {
  const { folder, range } = opened.view;
  const told = counts.value;
  const [days, setDays] = useState<Histogram | null>(null);
  useEffect(() => {
    let mine = true;
    histogramOf(folderPath(root, folder), folder === null, filter).then(
      (found) => mine && setDays(found),
      () => undefined,
    );
    return () => void (mine = false);
  }, [root, folder, filter, changes.value]);

  const where = shown(folder ? `${nameOf(root)}/${folder}` : nameOf(root));
  if (isRange(range)) {
    return (
      <Empty
        action={
          <a class="button plain" href={gridAddress(root, { ...viewQuery({ ...opened.view, range: {} }), f: filter })}>
            All dates
          </a>
        }
      >
        No {filter === "all" ? "" : `${filter} `}items {rangeText(range)} in {where}.
      </Empty>
    );
  }
  if (filter === "all" || (told && told.all === 0)) {
    const ignored = days?.ignoredCount ?? opened.ignored;
    const others = ignored ? ` ${items(ignored, "other file")} ignored.` : "";
    return <Empty>No photos or videos here.{others}</Empty>;
  }
  const more = days?.nextFolder ?? null;
  if (folder !== null && (more || filter !== "unseen")) {
    const to = more?.path === root ? "." : more?.path.slice(root.length + 1);
    return (
      <Empty
        action={
          <div class="row-of-buttons">
            {more ? (
              <a class="button primary" href={gridAddress(root, { f: filter, d: to, s: viewQuery(opened.view).s })}>
                Next folder with {count(more.count)} {filter}
              </a>
            ) : null}
            <a class="button plain" href={gridAddress(root, { d: folder || "." })}>
              Show all
            </a>
          </div>
        }
      >
        No {filter} items left in {where}.
      </Empty>
    );
  }
  const next = (roots.value ?? []).find((one) => one.path !== root && (one.counts?.unseen ?? 0) > 0);
  if (filter === "unseen" && told) {
    return (
      <Empty
        action={
          <div class="row-of-buttons">
            {next ? (
              <a class="button primary" href={gridAddress(next.path, { f: "unseen" })}>
                Next folder with {items(next.counts?.unseen ?? 0, "unseen item")}
              </a>
            ) : null}
            {told.trashed ? (
              <a class="button plain" href={`#/t${queryText({ root })}`}>
                Open trash
              </a>
            ) : null}
            <Button onClick={() => void exportList(root, "locked")}>Export the locked ones</Button>
          </div>
        }
      >
        Done: {count(told.all)} reviewed, {count(told.trashed)} trashed, {count(told.locked)} locked.
      </Empty>
    );
  }
  return (
    <Empty
      action={
        <a class="button plain" href={gridAddress(root)}>
          Show all
        </a>
      }
    >
      No {filter} items left in {shown(nameOf(root))}.
    </Empty>
  );
}

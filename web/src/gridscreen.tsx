// A root's items: filter bar with counts, the grid, the selection; review lies over it.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { epoch, sentence, Unreachable } from "./api";
import { BatchSheet, SelectionBar } from "./bar";
import { changes, scans } from "./events";
import { count, items, moment } from "./format";
import { Grid } from "./grid";
import { useKeys } from "./keyboard";
import { keyText } from "./keyboard";
import type { KeyAction } from "./keys";
import { exportList, loadRoots, roots } from "./library";
import { nameOf, shown } from "./paths";
import { Review } from "./review";
import { loadRootStatuses, rootStatuses } from "./rootstatus";
import { go, gridAddress, place, queryText, reviewAddress } from "./router";
import { change, settings, TILE_SIZES, type TileSize } from "./settings";
import { counts, open, recount, type Shelf, shelf, version } from "./shelf";
import { Tree } from "./tree";
import { type Filter, FILTERS, type Row } from "./types";
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
        {TILE_SIZES.map((size, index) => (
          <option key={size} value={size}>
            {["small", "medium", "large"][index]}
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
  const here = place.value;
  const opened = shelf.value;
  const isOpen = opened !== null && opened.root === root && opened.filter === filter && opened.folder === folder;
  const inReview = here.item !== undefined;

  const openIt = (): void => {
    setError(null);
    open(root, filter, Number(here.query.n) || 0, folder).catch((problem: unknown) => {
      if (!(problem instanceof Unreachable)) setError(sentence(problem));
    });
  };
  useEffect(() => {
    if (!isOpen) openIt();
  }, [root, filter, folder]);
  useEffect(() => {
    if (epoch.value > 0) {
      if (isOpen) opened.rows.retry();
      else openIt();
    }
    if (roots.value === null) loadRoots().catch(() => undefined);
  }, [epoch.value]);
  useEffect(() => {
    if (changes.value > 0) recount(root).catch(() => undefined);
  }, [changes.value, root]);

  const show = (other: Filter): void => go(gridAddress(root, { f: other }));
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
    go(reviewAddress(root, row?.path ?? "", { f: filter, n: index, d: here.query.d }), replace);
  };
  const similar = (row: Row): void => go(`#/s${queryText({ root, like: row.path })}`);

  return (
    <main class="screen" id="main">
      <div class="screen-head" inert={inReview}>
        <h1 title={shown(root)}>
          {shown(nameOf(root))}
          {folder ? ` / ${shown(folder)}` : ""}
        </h1>
        <Button icon="folder" pressed={settings.value.tree} onClick={() => change({ tree: !settings.value.tree })}>
          Folders
        </Button>
        <div class="filters" role="group" aria-label="Filter">
          {FILTERS.map((one) => (
            <button
              key={one}
              type="button"
              class="filter"
              aria-pressed={one === filter && folder === null}
              title={keyText(FILTER_KEYS[one])}
              onClick={() => show(one)}
            >
              {FILTER_NAMES[one]} <span class="number">{counts.value ? count(counts.value[one]) : "…"}</span>
            </button>
          ))}
        </div>
        <TileSizes />
        <Button onClick={openIt}>Refresh</Button>
        <Button
          kind="primary"
          disabled={!isOpen || !opened.rows.total}
          onClick={() => openReview(opened?.focus.value ?? 0)}
        >
          Review
        </Button>
      </div>
      <RootNotice root={root} onRetry={openIt} />
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
      {inReview && isOpen ? <OverIt shelf={opened} item={here.item ?? ""} onSimilar={similar} /> : null}
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
  const { back, d } = place.value.query;
  return (
    <Review
      rows={opened.rows}
      version={version}
      focus={opened.focus}
      selection={opened.selection}
      path={item ? `${root}/${item}` : null}
      hint={Number(place.value.query.n) || 0}
      title={shown(nameOf(root))}
      onAt={(row, index) => go(reviewAddress(root, row.path, { f: filter, n: index, back, d }), true)}
      onClose={() =>
        go(back === "t" ? `#/t${queryText({ root })}` : gridAddress(root, { f: filter, n: opened.focus.value, d }))
      }
      onSimilar={onSimilar}
    />
  );
}

function EmptyFilter({ root, filter, shelf: opened }: { root: string; filter: Filter; shelf: Shelf }): JSX.Element {
  const told = counts.value;
  if (opened.folder !== null || (told && told.all === 0)) {
    const others = opened.ignored ? ` ${items(opened.ignored, "other file")} ignored.` : "";
    return <Empty>No photos or videos here.{others}</Empty>;
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

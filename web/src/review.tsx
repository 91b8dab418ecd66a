// One item after the other: look, decide, go on.
import type { Signal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { selectedRows } from "./bar";
import { useStackKeys } from "./comparing";
import { type Deed, doOne } from "./deeds";
import { current } from "./events";
import { bytes, count, duration, items, when } from "./format";
import { useKeys } from "./keyboard";
import { thumbnailUrl } from "./library";
import type { Rows } from "./listing";
import { canRedo, canUndo, emptied, lastUndone, marked, redo, statusOf, undo } from "./marks";
import { folderOf, nameOf, shown } from "./paths";
import type { Selection } from "./selection";
import { change, settings } from "./settings";
import { counts } from "./shelf";
import { StackNote } from "./stacknote";
import { lookForStacks, type Stack } from "./stacks";
import { Stage } from "./stage";
import { stateText } from "./tile";
import { say } from "./toasts";
import type { Row } from "./types";
import { Button, Dialog, Icon, useTrap } from "./ui";

/** Thumbnails to each side of the one in sight. */
const STRIP = 8;

interface ReviewProps {
  rows: Rows;
  version: Signal<number>;
  focus: Signal<number>;
  selection: Selection;
  /** The item to begin with; null: the one at `hint`. */
  path: string | null;
  hint: number;
  title: string;
  onAt: (row: Row, index: number) => void;
  onClose: () => void;
  onSimilar: (row: Row) => void;
  onJudge?: (row: Row, judgement: "more" | "less") => void;
}

export function Review(props: ReviewProps): JSX.Element {
  const { rows, selection, focus } = props;
  void props.version.value;
  void marked.value;
  const [index, setIndex] = useState(-1);
  const [lost, setLost] = useState(false);
  const [atEnd, setAtEnd] = useState(false);
  const box = useTrap(true, false);
  const row = index < 0 ? undefined : rows.row(index);

  // Where the address says, unless it is this review that said it: it may have gone on since. A shared link may be older
  // than the list.
  const announced = useRef(new Set<string>());
  useEffect(() => {
    if (props.path !== null && announced.current.has(props.path)) return;
    if (index >= 0 && (props.path === null || rows.row(index)?.path === props.path)) return;
    const found = props.path === null ? Math.min(props.hint, Math.max(0, rows.total - 1)) : rows.indexOf(props.path);
    if (found >= 0) {
      at(found);
      return;
    }
    rows
      .everything()
      .then(() => {
        const there = rows.indexOf(props.path ?? "");
        if (there >= 0) at(there);
        else setLost(true);
      })
      .catch(() => setLost(true));
  }, [props.path, rows]);

  useEffect(() => {
    if (index < 0) return;
    rows.ensure(Math.max(0, index - STRIP), Math.min(rows.total - 1, index + STRIP));
    lookForStacks(Array.from({ length: 2 * STRIP + 1 }, (_, at) => rows.row(index - STRIP + at)));
  });
  useEffect(() => {
    if (!row) return undefined;
    announced.current.add(row.path);
    if (props.path !== row.path) props.onAt(row, index);
    current.value = row.path;
    return () => {
      current.value = null;
    };
  }, [row?.path]);
  useEffect(() => {
    const back = lastUndone.value;
    if (!back) return;
    lastUndone.value = null;
    const there = rows.indexOf(back.path);
    if (there >= 0) at(there);
  }, [lastUndone.value]);

  // The grid behind has the same item in focus when the review is closed.
  const gridFocus = useRef(index);
  gridFocus.current = index;
  useEffect(
    () => () => {
      const cell = `.grid [data-index="${Math.max(0, gridFocus.current)}"]`;
      requestAnimationFrame(() => document.querySelector<HTMLElement>(cell)?.focus());
    },
    [],
  );

  function at(next: number): void {
    setAtEnd(false);
    setIndex(next);
    focus.value = next;
  }
  const next = (): void => {
    if (index + 1 < rows.total) at(index + 1);
    else setAtEnd(true);
  };
  const previous = (): void => {
    if (index > 0) at(index - 1);
    else say("This is the first item");
  };
  const advance = (): void => {
    if (!settings.value.autoAdvance) return;
    // After the last one there is nothing ahead; the one before is worth a second look.
    if (index + 1 < rows.total) at(index + 1);
    else if (index > 0) at(index - 1);
  };
  const decide = (deed: Deed): void => {
    if (!row) return;
    const before = statusOf(row);
    if (!doOne(row, deed, advance)) return;
    const decided =
      (deed === "lock" && !before.locked) || (deed === "trash" && !before.trashed) || (deed === "seen" && !before.seen);
    if (decided) {
      const what = deed === "lock" ? "Locked" : deed === "trash" ? "Trashed" : "Seen";
      say(`${what} ${shown(nameOf(row.path))}. ${count(rows.total - index - 1)} left`);
      advance();
    }
  };
  const pick = (): void => {
    if (!row) return;
    selection.toggle(row.path, index);
    say(`${selection.has(row.path) ? "Selected" : "Not selected"}: ${shown(nameOf(row.path))}`);
  };

  /** To what comes after the takes of it. */
  const pass = (stack: Stack): void => {
    if (!settings.value.autoAdvance) return;
    const paths = new Set(stack.members.map((one) => one.path));
    let to = index;
    while (to + 1 < rows.total && paths.has(rows.row(to)?.path ?? "")) to += 1;
    if (to !== index) at(to);
  };
  useStackKeys({ current: () => row, selected: () => selectedRows(rows, selection), then: pass });

  useKeys({
    next,
    previous,
    lock: () => decide("lock"),
    trash: () => decide("trash"),
    seen: () => decide("seen"),
    clear: () => decide("clear"),
    select: () => (row?.video ? false : pick()),
    addToSelection: pick,
    info: () => change({ info: !settings.value.info }),
    filmstrip: () => change({ filmstrip: !settings.value.filmstrip }),
    fullscreen: () => {
      if (document.fullscreenElement) void document.exitFullscreen();
      else void box.current?.requestFullscreen?.();
    },
    similar: () => (row ? props.onSimilar(row) : false),
    more: () => (row && props.onJudge ? props.onJudge(row, "more") : false),
    less: () => (row && props.onJudge ? props.onJudge(row, "less") : false),
    close: props.onClose,
  });

  const status = row ? statusOf(row) : null;
  const gone = row && emptied.has(row.path);
  return (
    <div
      ref={box}
      class="review"
      role="dialog"
      aria-modal="true"
      aria-label={row ? `Review of ${shown(nameOf(row.path))}` : "Review"}
      tabIndex={-1}
    >
      <header class="review-head">
        <Button kind="quiet" icon="back" action="close" label="Back to the grid" onClick={props.onClose} />
        <span class="review-name">
          <strong>{row ? shown(nameOf(row.path)) : ""}</strong>
          {status ? (
            <span
              class={`state ${status.locked ? "locked" : status.trashed ? "trashed" : ""}`}
              data-state={stateText(status)}
            >
              {status.locked ? (
                <Icon name="lock" />
              ) : status.trashed ? (
                <Icon name="trash" />
              ) : status.seen ? (
                <Icon name="tick" />
              ) : null}
              {gone ? "deleted" : stateText(status)}
            </span>
          ) : null}
          {row && selection.paths.value.has(row.path) ? <span class="state">selected</span> : null}
        </span>
        <span class="review-progress">
          {count(index + 1)} of {count(rows.total)}
          {counts.value ? <span class="wide-only"> · {count(counts.value.trashed)} trashed</span> : null}
        </span>
        <Button
          kind="quiet"
          pressed={settings.value.autoAdvance}
          onClick={() => change({ autoAdvance: !settings.value.autoAdvance })}
        >
          Auto-advance
        </Button>
      </header>
      {row ? <StackNote row={row} onKept={pass} /> : null}
      <div class="review-body">
        {row ? (
          <Stage
            row={row}
            near={[rows.row(index + 1), rows.row(index + 2), rows.row(index - 1)]}
            swipes={{ left: next, right: previous, up: () => decide("lock"), down: () => decide("trash") }}
            onNext={next}
          />
        ) : (
          <div class="stage loading">{lost ? "This item is not in this list any more." : "Loading…"}</div>
        )}
        {row && settings.value.info ? <Info row={row} /> : null}
      </div>
      {settings.value.filmstrip ? <Filmstrip rows={rows} index={index} onPick={at} /> : null}
      <div class="review-foot" role="toolbar" aria-label="Decide">
        <Button action="previous" label="Previous" icon="back" onClick={previous} />
        <Button action="lock" icon="lock" pressed={status?.locked} onClick={() => decide("lock")}>
          Lock
        </Button>
        <Button action="trash" icon="trash" pressed={status?.trashed} onClick={() => decide("trash")}>
          Trash
        </Button>
        <Button action="seen" icon="tick" pressed={status?.seen} onClick={() => decide("seen")}>
          Seen
        </Button>
        <Button action="clear" class="wide-only" onClick={() => decide("clear")}>
          Clear
        </Button>
        <Button action="undo" icon="undo" label="Undo" disabled={!canUndo.value} onClick={() => void undo()} />
        <Button
          action="redo"
          icon="redo"
          label="Redo"
          class="wide-only"
          disabled={!canRedo.value}
          onClick={() => void redo()}
        />
        <Button action="similar" class="wide-only" onClick={() => row && props.onSimilar(row)}>
          Similar
        </Button>
        {props.onJudge && row ? (
          <>
            <Button action="more" label="More like this" icon="plus" onClick={() => props.onJudge?.(row, "more")} />
            <Button action="less" label="Less like this" onClick={() => props.onJudge?.(row, "less")}>
              −
            </Button>
          </>
        ) : null}
        <Button
          action="info"
          class="wide-only"
          pressed={settings.value.info}
          onClick={() => change({ info: !settings.value.info })}
        >
          Info
        </Button>
        <Button action="next" label="Next" icon="back" class="mirrored" onClick={next} />
      </div>
      {atEnd ? <TheEnd rows={rows} onStay={() => setAtEnd(false)} onClose={props.onClose} /> : null}
    </div>
  );
}

function Info({ row }: { row: Row }): JSX.Element {
  const facts: [string, string][] = [
    ["Folder", shown(folderOf(row.path))],
    ["Size", row.sizeBytes ? bytes(row.sizeBytes) : "unknown"],
    ["Pixels", row.width && row.height ? `${row.width} × ${row.height}` : "not known yet"],
    ...(row.durationS === null ? [] : [["Length", duration(row.durationS)] as [string, string]]),
    ["Changed", row.modifiedAt ? when(row.modifiedAt) : "unknown"],
    ["Created", row.createdAt ? when(row.createdAt) : "unknown"],
    ["State", stateText(statusOf(row))],
  ];
  return (
    <aside class="info" aria-label="Info">
      <dl>
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </aside>
  );
}

interface FilmstripProps {
  rows: Rows;
  index: number;
  onPick: (index: number) => void;
}

function Filmstrip({ rows, index, onPick }: FilmstripProps): JSX.Element {
  const shownOnes: number[] = [];
  for (let at = Math.max(0, index - STRIP); at <= Math.min(rows.total - 1, index + STRIP); at += 1) shownOnes.push(at);
  return (
    <nav class="filmstrip" aria-label="Filmstrip">
      {shownOnes.map((at) => {
        const row = rows.row(at);
        if (!row) return <span key={at} class="placeholder" />;
        const status = statusOf(row);
        return (
          <button
            key={at}
            type="button"
            tabIndex={-1}
            class={`${status.trashed ? "is-trashed" : ""} ${status.locked ? "is-locked" : ""}`}
            aria-label={shown(nameOf(row.path))}
            aria-current={at === index}
            onClick={() => onPick(at)}
          >
            <img src={thumbnailUrl(row.path, 256)} alt="" decoding="async" loading="lazy" draggable={false} />
          </button>
        );
      })}
    </nav>
  );
}

function TheEnd({ rows, onStay, onClose }: { rows: Rows; onStay: () => void; onClose: () => void }): JSX.Element {
  const told = counts.value;
  return (
    <Dialog title="That was the last one" onClose={onStay}>
      <p>
        {told
          ? `Done: ${count(told.seen)} reviewed, ${count(told.trashed)} trashed, ${count(told.locked)} locked.`
          : `${items(rows.total)} looked at.`}
        {told?.unseen ? ` ${items(told.unseen)} not decided yet.` : ""}
      </p>
      <footer>
        <Button onClick={onStay} initialFocus>
          Stay here
        </Button>
        <a class="button plain" href="#/t">
          Open trash
        </a>
        <Button kind="primary" onClick={onClose}>
          Back to the grid
        </Button>
      </footer>
    </Dialog>
  );
}

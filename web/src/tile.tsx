// One item in a grid: its picture, its name, its marks as icon and shape.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { duration, when } from "./format";
import { thumbnailUrl } from "./library";
import { emptied, statusOf } from "./marks";
import { nameOf, shown } from "./paths";
import { isOpen, stackOf } from "./stacks";
import { type Filter, fits, type Row, type Status } from "./types";
import { Icon } from "./ui";

export function stateText(status: Status): string {
  const marks = [status.locked && "locked", status.trashed && "trashed", !status.seen && "unseen"].filter(Boolean);
  return marks.length ? marks.join(", ") : "seen";
}

/** What a screen reader says of an item. */
export function described(row: Row): string {
  const kind = row.video ? "video" : "image";
  const stack = stackOf(row.path);
  // The listing knows when the file was changed, a stack when its pictures were taken: which of the two is said.
  const taken = stack?.members.find((one) => one.path === row.path)?.takenAt;
  const date = taken ? `, taken ${when(taken)}` : row.modifiedAt ? `, file of ${when(row.modifiedAt)}` : "";
  const takes = stack
    ? `, in a stack of ${stack.members.length}${stack.suggested === row.path ? ", suggested" : ""}`
    : "";
  return `${shown(nameOf(row.path))}, ${kind}${date}, ${stateText(statusOf(row))}${takes}`;
}

export function Thumbnail({ row, size, eager }: { row: Row; size: number; eager: boolean }): JSX.Element {
  const [state, setState] = useState<"coming" | "there" | "failed">("coming");
  const [tries, setTries] = useState(0);
  if (state === "failed") {
    return (
      <span class="unreadable">
        <Icon name="warning" />
        <span>Can't read this file</span>
        <button
          type="button"
          tabIndex={-1}
          class="link"
          onClick={(event) => {
            event.stopPropagation();
            setTries(tries + 1);
            setState("coming");
          }}
        >
          Retry
        </button>
      </span>
    );
  }
  if (!eager && state === "coming") return <span class="placeholder" />;
  return (
    <img
      class={state === "there" ? "there" : "coming"}
      src={thumbnailUrl(row.path, size) + (tries ? `&try=${tries}` : "")}
      alt=""
      decoding="async"
      draggable={false}
      onLoad={() => setState("there")}
      onError={() => setState("failed")}
    />
  );
}

interface TileProps {
  row: Row | undefined;
  filter: Filter;
  size: number;
  eager: boolean;
  judged?: "more" | "less" | undefined;
}

export function Tile({ row, filter, size, eager, judged }: TileProps): JSX.Element {
  if (!row) return <span class="placeholder" />;
  const status = statusOf(row);
  const gone = emptied.has(row.path);
  const left = gone || !fits(filter, status);
  const marks = `${status.trashed ? "is-trashed" : ""} ${status.locked ? "is-locked" : ""} ${left ? "has-left" : ""}`;
  return (
    <span class={`tile ${marks}`}>
      <span class="picture">
        <Thumbnail key={row.path} row={row} size={size <= 224 ? 256 : 512} eager={eager} />
        <span class="badges">
          {status.locked ? (
            <span class="badge locked" title="Locked">
              <Icon name="lock" />
            </span>
          ) : null}
          {status.trashed ? (
            <span class="badge trashed" title="Trashed">
              <Icon name="trash" />
            </span>
          ) : null}
          {status.seen && !status.locked && !status.trashed ? (
            <span class="badge seen" title="Seen">
              <Icon name="tick" />
            </span>
          ) : null}
        </span>
        <StackBadge path={row.path} />
        {judged ? <span class={`judged ${judged}`}>{judged === "more" ? "+" : "−"}</span> : null}
        {row.video ? (
          <span class="kind">
            <Icon name="video" />
            {row.durationS === null ? null : duration(row.durationS)}
          </span>
        ) : null}
        {row.score === undefined ? null : <span class="score">{row.score.toFixed(2)}</span>}
      </span>
      <span class="name">{gone ? "deleted" : shown(nameOf(row.path))}</span>
    </span>
  );
}

/** How many takes there are, and on the suggested one a star. */
function StackBadge({ path }: { path: string }): JSX.Element | null {
  const stack = stackOf(path);
  if (!stack) return null;
  const suggested = stack.suggested === path && isOpen(stack);
  return (
    <span
      class={`stack-badge ${suggested ? "suggested" : ""} ${isOpen(stack) ? "" : "decided"}`}
      title={`Stack of ${stack.members.length}, nearly the same${suggested ? ": this one is suggested" : ""}`}
    >
      {suggested ? "★ " : ""}
      {stack.members.length}
    </span>
  );
}

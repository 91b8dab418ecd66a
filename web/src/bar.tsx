// What can be done with the selection, and what came of it.
import type { JSX } from "preact";
import { compare, useStackKeys } from "./comparing";
import { actionForAll, batchProgress, batchSheet, type Deed, doMany, doOne } from "./deeds";
import { count, items } from "./format";
import { useKeys } from "./keyboard";
import type { Rows } from "./listing";
import { PAST } from "./library";
import { marked, statusOf } from "./marks";
import { nameOf, shown } from "./paths";
import type { Selection } from "./selection";
import type { Action, Row } from "./types";
import { Button, Dialog, Progress } from "./ui";

export function selectedRows(rows: Rows, selection: Selection): Row[] {
  return [...selection.paths.value].flatMap((path) => rows.row(rows.indexOf(path)) ?? []);
}

interface BarProps {
  rows: Rows;
  selection: Selection;
  /** The item that the keys mean when nothing is selected. */
  current: () => Row | undefined;
  active: boolean;
  onSimilar: (row: Row) => void;
}

export function SelectionBar({ rows, selection, current, active, onSimilar }: BarProps): JSX.Element | null {
  void marked.value;
  const chosen = selection.paths.value;

  const deed = (name: Deed): void | false => {
    if (chosen.size) {
      const all = selectedRows(rows, selection);
      if (name === "clear") {
        void doMany([...chosen], "unlock").then(() => doMany([...chosen], "untrash"));
      } else {
        const action = actionForAll(all, name);
        // A locked file is never trashed by the way.
        const paths =
          action === "trash" ? all.filter((row) => !statusOf(row).locked).map((row) => row.path) : [...chosen];
        if (paths.length) void doMany(paths, action);
      }
      return;
    }
    // Without a selection a key means the item with the focus, and nothing when the focus is elsewhere.
    const row = document.activeElement?.closest(".grid") ? current() : undefined;
    if (!row) return false;
    doOne(row, name);
  };
  useKeys(
    {
      lock: () => deed("lock"),
      trash: () => deed("trash"),
      seen: () => deed("seen"),
      clear: () => deed("clear"),
      similar: () => {
        const row = current();
        if (!row) return false;
        onSimilar(row);
        return undefined;
      },
    },
    false,
    active,
  );

  useStackKeys(
    {
      current: () => (document.activeElement?.closest(".grid") ? current() : undefined),
      selected: () => selectedRows(rows, selection),
    },
    active,
  );

  if (!chosen.size) return null;
  const locked = selectedRows(rows, selection).filter((row) => statusOf(row).locked).length;
  const buttons: [Action, string][] = [
    ["lock", "Lock"],
    ["unlock", "Unlock"],
    ["trash", "Trash"],
    ["untrash", "Restore"],
    ["seen", "Seen"],
    ["unseen", "Unseen"],
  ];
  return (
    <div class="selection-bar" role="toolbar" aria-label="Selected items">
      <strong>
        Selected {count(chosen.size)}
        {locked ? ` · ${count(locked)} locked will not be trashed` : ""}
      </strong>
      {buttons.map(([action, label]) => (
        <Button
          key={action}
          onClick={() => {
            const all = selectedRows(rows, selection);
            const paths =
              action === "trash" ? all.filter((row) => !statusOf(row).locked).map((row) => row.path) : [...chosen];
            if (paths.length) void doMany(paths, action);
          }}
        >
          {label}
        </Button>
      ))}
      {chosen.size > 1 && chosen.size <= 4 ? (
        <Button action="compare" onClick={() => compare(undefined, selectedRows(rows, selection))}>
          Compare
        </Button>
      ) : null}
      <Button kind="quiet" icon="close" label="Clear the selection" onClick={() => selection.clear()} />
    </div>
  );
}

export function BatchSheet(): JSX.Element | null {
  const progress = batchProgress.value;
  const sheet = batchSheet.value;
  if (progress && progress.all > 500) {
    return (
      <div class="pill-bar" role="status">
        {progress.label}: {count(progress.sent)} of {count(progress.all)}
        <Progress value={progress.sent} most={progress.all} label={progress.label} />
      </div>
    );
  }
  if (!sheet) return null;
  const close = (): void => {
    batchSheet.value = null;
  };
  return (
    <Dialog title={`Not done for ${items(sheet.failures.length)}`} onClose={close}>
      <ul class="failures" tabIndex={0} aria-label="What was not done">
        {sheet.failures.slice(0, 200).map((one) => (
          <li key={one.path}>
            <strong>{shown(nameOf(one.path))}</strong> {one.error}
          </li>
        ))}
      </ul>
      {sheet.failures.length > 200 ? <p>and {count(sheet.failures.length - 200)} more</p> : null}
      <footer>
        <Button onClick={close} initialFocus>
          Close
        </Button>
        <Button
          kind="primary"
          onClick={() => {
            close();
            void doMany(
              sheet.failures.map((one) => one.path),
              sheet.action,
            );
          }}
        >
          Retry failed
        </Button>
      </footer>
      <p class="hint">{PAST[sheet.action]}: all others.</p>
    </Dialog>
  );
}

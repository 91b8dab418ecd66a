// The last look before deletion: what is marked as trash, a folder at a time.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { epoch, sentence, Unreachable } from "./api";
import { BatchSheet, SelectionBar } from "./bar";
import { emptyDialog } from "./emptydialog";
import { changes } from "./events";
import { count } from "./format";
import { Grid } from "./grid";
import { RootNotice, TileSizes } from "./gridscreen";
import { exportList, loadRoots, recountRoots, roots } from "./library";
import { nameOf, shown } from "./paths";
import { go, place, queryText, reviewAddress } from "./router";
import { EVERYTHING, open, recount, shelf, version } from "./shelf";
import { sameView } from "./timeline";
import { Button, Empty } from "./ui";

export function TrashScreen(): JSX.Element {
  const [error, setError] = useState<string | null>(null);
  const known = roots.value;
  const asked = place.value.query.root;
  const withTrash = (known ?? []).filter((root) => (root.counts?.trashed ?? 0) > 0);
  const isCounted = known !== null && known.every((root) => root.counts !== null);
  // What was chosen stays, though its last item be restored: nothing moves under the hand.
  const chosen = useRef<string | null>(null);
  const root = asked ?? chosen.current ?? withTrash[0]?.path ?? null;
  chosen.current = root;
  const opened = shelf.value;
  const isOpen =
    opened !== null && opened.root === root && opened.filter === "trashed" && sameView(opened.view, EVERYTHING);

  useEffect(() => {
    loadRoots().catch((problem: unknown) => setError(sentence(problem)));
  }, [epoch.value]);
  useEffect(() => {
    if (changes.value > 0) void recountRoots();
  }, [changes.value]);
  const openIt = (): void => {
    setError(null);
    if (root === null) return;
    open(root, "trashed").catch((problem: unknown) => {
      if (!(problem instanceof Unreachable)) setError(sentence(problem));
    });
  };
  useEffect(() => {
    if (!isOpen) openIt();
  }, [root, epoch.value]);
  useEffect(() => {
    if (root !== null && changes.value > 0) recount(root).catch(() => undefined);
  }, [changes.value, root]);

  return (
    <main class="screen" id="main">
      <div class="screen-head">
        <h1>Trash</h1>
        <div class="filters" role="group" aria-label="Folder">
          {(known ?? []).map((one) => (
            <button
              key={one.path}
              type="button"
              class="filter"
              aria-pressed={one.path === root}
              title={shown(one.path)}
              onClick={() => go(`#/t${queryText({ root: one.path })}`)}
            >
              {shown(nameOf(one.path))} <span class="number">{one.counts ? count(one.counts.trashed) : "…"}</span>
            </button>
          ))}
        </div>
        <TileSizes />
        {root === null ? null : <Button onClick={() => void exportList(root, "trashed")}>Export list</Button>}
        <Button onClick={openIt}>Refresh</Button>
        {root !== null && withTrash.length > 1 ? (
          <Button kind="danger" icon="trash" onClick={() => (emptyDialog.value = { root })}>
            Empty {shown(nameOf(root))}…
          </Button>
        ) : null}
        <Button
          kind="danger"
          icon="trash"
          disabled={!withTrash.length}
          onClick={() => (emptyDialog.value = { root: (withTrash.length === 1 && withTrash[0]?.path) || null })}
        >
          {withTrash.length > 1 ? "Empty all…" : "Empty…"}
        </Button>
      </div>
      {root === null ? null : <RootNotice root={root} onRetry={openIt} />}
      {error ? (
        <Empty action={<Button onClick={openIt}>Retry</Button>}>{error}</Empty>
      ) : root === null && isCounted ? (
        <Empty
          action={
            <a class="button plain" href="#/">
              To the folders
            </a>
          }
        >
          The trash is empty.
        </Empty>
      ) : !isOpen ? (
        <p class="loading">Loading…</p>
      ) : opened.rows.total === 0 ? (
        <Empty
          action={
            <a class="button plain" href="#/">
              To the folders
            </a>
          }
        >
          {withTrash.length ? `No trashed items in ${shown(nameOf(opened.root))}.` : "The trash is empty."}
        </Empty>
      ) : (
        <div class="screen-body">
          <Grid
            rows={opened.rows}
            version={version}
            label={`Trashed items of ${shown(nameOf(opened.root))}`}
            selection={opened.selection}
            focus={opened.focus}
            onOpen={(index) => {
              const row = opened.rows.row(index);
              if (row) go(reviewAddress(opened.root, row.path, { f: "trashed", n: index, back: "t" }));
            }}
          />
          <SelectionBar
            rows={opened.rows}
            selection={opened.selection}
            current={() => opened.rows.row(opened.focus.value)}
            active
            onSimilar={(row) => go(`#/s${queryText({ root: opened.root, like: row.path })}`)}
          />
        </div>
      )}
      <BatchSheet />
    </main>
  );
}

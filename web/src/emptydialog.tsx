// Permanent deletion: a plan, a confirmation that nobody gives by accident, progress, a receipt.
import { signal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { sentence } from "./api";
import { empty, isChanged, planOf, type Receipt, type Run, run, stop } from "./emptying";
import { bytes, count, items } from "./format";
import { download, pagesOf, thumbnailUrl } from "./library";
import { nameOf, shown } from "./paths";
import { queryText } from "./router";
import { settings } from "./settings";
import type { Row, TrashPlan } from "./types";
import { Button, Dialog, Icon, Progress } from "./ui";

/** From here on the number is typed. */
const TYPED_COUNT = 50;
const TYPED_BYTES = 1e9;
const FIRST = 12;

/** Which root's trash the dialog is about; null in it: all of them. */
export const emptyDialog = signal<{ root: string | null } | null>(null);

export function EmptyDialog(): JSX.Element | null {
  const about = emptyDialog.value;
  if (!about) return null;
  const close = (): void => {
    emptyDialog.value = null;
    if (run.value?.end) run.value = null;
  };
  const state = run.value;
  return (
    <Dialog title="Empty the trash" wide onClose={close}>
      {state ? <Running state={state} onClose={close} /> : <Plan root={about.root} onClose={close} />}
    </Dialog>
  );
}

function Plan({ root, onClose }: { root: string | null; onClose: () => void }): JSX.Element {
  const [plan, setPlan] = useState<TrashPlan | null>(null);
  const [first, setFirst] = useState<readonly Row[]>([]);
  const [typed, setTyped] = useState("");
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);

  const read = async (): Promise<void> => {
    const told = await planOf(root);
    setPlan(told);
    setTyped("");
    const found: Row[] = [];
    for (const one of told.roots) {
      if (found.length >= FIRST || !one.count || one.state !== "online") continue;
      const page = await pagesOf(one.path, "trashed")(
        { offset: 0 },
        FIRST - found.length,
        new AbortController().signal,
      );
      found.push(...page.rows.filter((row) => !row.status.locked));
    }
    setFirst(found);
  };
  useEffect(() => {
    read().catch((error: unknown) => setProblem(sentence(error) ?? ""));
  }, [root]);

  if (!plan) return <p class="loading">{problem || "Reading what is in the trash…"}</p>;
  const mustType = settings.value.alwaysType || plan.count >= TYPED_COUNT || plan.bytes >= TYPED_BYTES;
  const right = !mustType || typed.replace(/[^0-9]/g, "") === String(plan.count);
  const away = plan.roots.filter((one) => one.state !== "online");
  const facts = [
    items(plan.count, "file"),
    bytes(plan.bytes),
    items(plan.roots.filter((one) => one.count).length, "folder"),
    plan.locked ? `${count(plan.locked)} locked (kept)` : "",
    plan.changed ? `${count(plan.changed)} changed since trashed (kept)` : "",
    ...away.map((one) => `"${shown(nameOf(one.path))}" ${one.state} (skipped)`),
  ].filter(Boolean);
  const go = (): void => {
    setBusy(true);
    setProblem("");
    empty(root, plan).catch((error: unknown) => {
      setBusy(false);
      if (isChanged(error)) {
        setProblem("The trash has changed since you looked. This is how it is now.");
        void read();
      } else setProblem(sentence(error) ?? "");
    });
  };

  return (
    <>
      <p class="plan">{facts.join(" · ")}</p>
      {first.length ? (
        <div class="first-ones">
          {first.map((row) => (
            <img key={row.path} src={thumbnailUrl(row.path, 256)} alt={shown(nameOf(row.path))} decoding="async" />
          ))}
        </div>
      ) : null}
      {plan.count ? (
        <p>
          They are deleted from the disk for good.{" "}
          <a href={`#/t${queryText({ root: root ?? undefined })}`} onClick={onClose}>
            See all of them
          </a>
        </p>
      ) : (
        <p>There is nothing to delete.</p>
      )}
      {problem ? (
        <p class="problem" role="alert">
          {problem}
        </p>
      ) : null}
      {mustType && plan.count ? (
        <label class="typed">
          Type {count(plan.count)} to delete {items(plan.count, "file")}
          <input
            inputMode="numeric"
            autocomplete="off"
            value={typed}
            onInput={(event) => setTyped(event.currentTarget.value)}
          />
        </label>
      ) : null}
      <footer>
        <Button onClick={onClose} initialFocus>
          Cancel
        </Button>
        <Button kind="danger" icon="trash" disabled={!plan.count || !right || busy} onClick={go}>
          Delete {items(plan.count, "file")}
        </Button>
      </footer>
    </>
  );
}

function Running({ state, onClose }: { state: Run; onClose: () => void }): JSX.Element {
  const handled = state.deleted + state.skipped + state.errors;
  if (state.end !== null) return <End state={state} onClose={onClose} />;
  return (
    <>
      <Progress value={handled} most={state.expected} label="Deleting" />
      <p class="deleting-name" aria-hidden="true">
        {state.current ? `Deleting ${shown(nameOf(state.current))}` : "Beginning…"}
      </p>
      <p>
        {count(state.deleted)} deleted · {count(state.skipped)} skipped · {items(state.errors, "error")}
      </p>
      <Kept state={state} />
      <p class="hint">Stops after the current file; nothing already deleted comes back.</p>
      <footer>
        <Button onClick={onClose}>Go on in the background</Button>
        <Button kind="danger" onClick={stop} initialFocus>
          Stop
        </Button>
      </footer>
    </>
  );
}

function Kept({ state }: { state: Run }): JSX.Element | null {
  if (!state.kept.length) return null;
  return (
    <ul class="failures">
      {state.kept.slice(-100).map((one) => (
        <li key={one.path} class={one.kind}>
          <Icon name={one.kind === "error" ? "warning" : "lock"} />
          <strong>{shown(nameOf(one.path))}</strong> {one.why}
        </li>
      ))}
    </ul>
  );
}

const ENDS: Record<Receipt["end"], string> = {
  done: "The trash is empty.",
  stopped: "Stopped.",
  lost: "",
  failed: "The server gave up.",
};

function End({ state, onClose }: { state: Run; onClose: () => void }): JSX.Element {
  const handled = state.deleted + state.skipped + state.errors;
  const again = (): void => {
    run.value = null;
  };
  const left = state.skipped + state.errors;
  return (
    <>
      <p class="end" role="status">
        {state.end === "lost"
          ? `Connection lost after ${count(handled)} of ${count(state.expected)}.`
          : state.end === "done" && left
            ? `Done; ${items(left, "file")} ${left === 1 ? "was" : "were"} kept.`
            : ENDS[state.end ?? "done"]}
        {state.message ? ` ${state.message}` : ""}
      </p>
      <p>
        {count(state.deleted)} deleted{state.bytes ? `, ${bytes(state.bytes)} freed` : ""} · {count(state.skipped)}{" "}
        skipped · {items(state.errors, "error")}
      </p>
      <Kept state={state} />
      <footer>
        {state.receipt ? <ReceiptButton receipt={state.receipt} /> : null}
        {state.end === "done" ? null : <Button onClick={again}>Check state</Button>}
        <Button kind="primary" onClick={onClose} initialFocus>
          Close
        </Button>
      </footer>
    </>
  );
}

export function ReceiptButton({ receipt }: { receipt: Receipt }): JSX.Element {
  const name = `emptied-${receipt.at.replace(/[:.]/g, "-")}.json`;
  return <Button onClick={() => download(name, `${JSON.stringify(receipt, null, 2)}\n`)}>Receipt</Button>;
}

/** In the header while it runs behind a closed dialog. */
export function EmptyPill(): JSX.Element | null {
  const state = run.value;
  if (!state || emptyDialog.value) return null;
  const text = state.end ? "Trash: see what was done" : `Deleting ${count(state.deleted)} of ${count(state.expected)}`;
  return (
    <button type="button" class="pill" onClick={() => (emptyDialog.value = { root: state.root })}>
      {text}
    </button>
  );
}

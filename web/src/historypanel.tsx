// The journal: every step in words, its files, and each taken back by itself.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { address, epoch, get, json, sentence, tell } from "./api";
import { changes } from "./events";
import { count, when } from "./format";
import {
  deedOf,
  type EmptiedEntry,
  emptiedWords,
  type StepEntry,
  type UndoCounts,
  undoWords,
  verbOf,
  wordsOf,
} from "./historywords";
import { loadRoots, roots } from "./library";
import { tookBack } from "./marks";
import { nameOf, shown } from "./paths";
import { may } from "./session";
import { say, toast } from "./toasts";
import type { Status } from "./types";
import { Button, Icon } from "./ui";

type Entry = StepEntry | EmptiedEntry;

interface Page {
  entries: Entry[];
  next: string | null;
}

interface Undone {
  step: number | null;
  counts: UndoCounts;
  results: { path: string; result: keyof UndoCounts; error: string | null }[];
}

interface StepFile {
  path: string;
  before: Status;
  after: Status;
  standing: boolean;
  emptied: boolean;
}

const PAGE = 30;
/** Of one answer. */
const MOST = 200;

/** As many of the newest as were shown before. */
async function read(most: number): Promise<Page> {
  const entries: Entry[] = [];
  let next: string | null = null;
  do {
    const limit = Math.min(MOST, most - entries.length);
    const page: Page = await get(address("/api/history", { limit, ...(next === null ? {} : { cursor: next }) }));
    entries.push(...page.entries);
    next = page.next;
  } while (next !== null && entries.length < most);
  return { entries, next };
}

/** Take a step back, and tell what it came to; null when it was refused.
 *
 * `again`: it is an undo, so that what it took back (`label`) is done again.
 */
async function undoStep(id: number, label: string, again: boolean): Promise<Undone | null> {
  try {
    const told = await json<Undone>("POST", `/api/history/${id}/undo`);
    const { step } = told;
    const text = undoWords(told.counts, again);
    if (step === null) toast(`${label}: ${text}`, { kind: "error" });
    else {
      tookBack(again ? null : step, label);
      const back = { label: again ? "Undo" : "Redo", run: () => void undoStep(step, label, !again) };
      toast(`${again ? "Done again" : "Undone"}: ${label}. ${text}`, { group: "deed", action: back });
    }
    say(text);
    return told;
  } catch (error) {
    tell(error);
    return null;
  }
}

export function HistoryPanel({ onReceipt }: { onReceipt: (id: string) => void }): JSX.Element {
  const [page, setPage] = useState<Page | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const wanted = useRef(PAGE);
  const asked = useRef(0);

  const load = (): void => {
    // Two answers may overtake each other; the later question counts.
    const mine = ++asked.current;
    read(wanted.current).then(
      (told) => {
        if (mine !== asked.current) return;
        setPage(told);
        setProblem(null);
      },
      (error: unknown) => mine === asked.current && setProblem(sentence(error)),
    );
  };
  useEffect(load, [epoch.value, changes.value]);
  useEffect(() => {
    // Another window may have added one.
    loadRoots().catch(() => undefined);
  }, [epoch.value]);

  return (
    <section class="panel" aria-labelledby="history-title">
      <h2 id="history-title">History</h2>
      {problem ? <p role="alert">{problem}</p> : null}
      {page === null ? (
        <p class="loading">Loading…</p>
      ) : page.entries.length === 0 ? (
        <p>Nothing yet. Every mark is kept here, and can be taken back.</p>
      ) : (
        <ol class="history">
          {page.entries.map((entry) =>
            entry.type === "step" ? (
              <Step key={`s${entry.id}`} step={entry} onDone={load} />
            ) : (
              <li key={`r${entry.receipt.id}`} class="history-entry">
                <div class="history-line">
                  <Icon name="trash" />
                  <span class="history-words">{emptiedWords(entry)}</span>
                  <time dateTime={entry.at}>{when(entry.at)}</time>
                  <Button label={`Receipt: ${emptiedWords(entry)}`} onClick={() => onReceipt(entry.receipt.id)}>
                    Receipt
                  </Button>
                </div>
              </li>
            ),
          )}
        </ol>
      )}
      {page?.next ? (
        <Button
          onClick={() => {
            wanted.current += PAGE;
            load();
          }}
        >
          Older steps
        </Button>
      ) : null}
    </section>
  );
}

function Step({ step, onDone }: { step: StepEntry; onDone: () => void }): JSX.Element {
  const [isOpen, setOpen] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const [end, setEnd] = useState<Undone | null>(null);
  const known = (roots.value ?? []).map((root) => root.path);
  const words = wordsOf(step, known);
  const left = step.standing - step.emptied;
  const id = `step-${step.id}`;
  const undo = (): void => {
    setBusy(true);
    undoStep(step.id, deedOf(step), step.kind === "undo")
      .then((told) => told && setEnd(told))
      .finally(() => {
        setBusy(false);
        onDone();
      });
  };
  return (
    <li class={`history-entry ${step.standing ? "" : "is-undone"}`}>
      <div class="history-line">
        <button
          type="button"
          class="history-words"
          aria-expanded={isOpen}
          aria-controls={id}
          onClick={() => setOpen(!isOpen)}
        >
          {words}
        </button>
        {step.standing < step.files ? (
          <span class="state undone">
            {step.standing
              ? `${count(step.files - step.standing)} of ${count(step.files)} ${step.kind === "undo" ? "done again" : "undone"}`
              : step.kind === "undo"
                ? "done again"
                : "undone"}
          </span>
        ) : null}
        {step.emptied ? <span class="state">{count(step.emptied)} deleted since</span> : null}
        <time dateTime={step.at}>{when(step.at)}</time>
        {left > 0 && may("write") ? (
          <Button
            icon={step.kind === "undo" ? "redo" : "undo"}
            label={`${step.kind === "undo" ? "Do again" : "Undo"}: ${words}`}
            disabled={isBusy}
            onClick={undo}
          >
            {step.kind === "undo" ? "Redo" : "Undo"}
          </Button>
        ) : null}
      </div>
      {end ? <UndoEnd end={end} again={step.kind === "undo"} /> : null}
      {isOpen ? <Files step={step} id={id} /> : null}
    </li>
  );
}

function UndoEnd({ end, again }: { end: Undone; again: boolean }): JSX.Element {
  const left = end.results.filter((one) => one.result !== "done");
  return (
    <div class="undo-end">
      <p role="status">{undoWords(end.counts, again)}</p>
      {left.length ? (
        <ul class="failures" tabIndex={0} aria-label="Left alone">
          {left.map((one) => (
            <li key={one.path}>
              <strong>{shown(one.path)}</strong> {one.error}
            </li>
          ))}
        </ul>
      ) : null}
    </div>
  );
}

function Files({ step, id }: { step: StepEntry; id: string }): JSX.Element {
  const [files, setFiles] = useState<readonly StepFile[] | null>(null);
  const [next, setNext] = useState<string | null>(null);
  const more = (from: string | null, before: readonly StepFile[]): void => {
    get<{ files: StepFile[]; next: string | null }>(
      address(`/api/history/${step.id}`, { limit: 100, ...(from === null ? {} : { cursor: from }) }),
    ).then((told) => {
      setFiles([...before, ...told.files]);
      setNext(told.next);
    }, tell);
  };
  // What stands of it changes with every undo.
  useEffect(() => more(null, []), [step.id, step.standing, step.emptied]);
  return (
    <div id={id} class="history-files">
      {files === null ? (
        <p class="loading">Loading…</p>
      ) : (
        <ul class="failures" tabIndex={0} aria-label={`Files of the step of ${when(step.at)}`}>
          {files.map((file, index) => (
            <li key={`${file.path}${index}`} class={file.standing ? "" : "is-undone"} title={shown(file.path)}>
              <strong>{shown(nameOf(file.path))}</strong> {verbOf(file.before, file.after)}
              {file.emptied ? ", deleted since" : file.standing ? "" : ", taken back"}
            </li>
          ))}
        </ul>
      )}
      {next !== null && files !== null ? (
        <Button onClick={() => more(next, files)}>More files ({count(step.files - files.length)})</Button>
      ) : null}
    </div>
  );
}

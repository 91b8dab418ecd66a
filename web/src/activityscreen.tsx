// What is going on: queues and their dead jobs, the encoder, the parts of the server, what was emptied, the log.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { address, ask, epoch, get, json, tell } from "./api";
import { run } from "./emptying";
import { changes, queues, scans } from "./events";
import { bytes, count, duration, items, when } from "./format";
import { HistoryPanel } from "./historypanel";
import { download } from "./library";
import { canRedo, canUndo, redo, undo } from "./marks";
import { nameOf, shown } from "./paths";
import { may, session } from "./session";
import { toast } from "./toasts";
import type { Encoder, Jobs, Queue } from "./types";
import { Button, Progress } from "./ui";

interface ServersReceipt {
  id: string;
  startedAt: string;
  finishedAt: string | null;
  deleted: number;
  errors: number;
  skipped: number;
  bytes: number;
}

interface Part {
  state: string;
  reason?: string;
}

const QUEUES: [keyof Jobs["queues"], string][] = [
  ["index", "Indexing"],
  ["thumbnail", "Thumbnails"],
  ["embed", "Semantic index"],
];

const PAUSED: Record<keyof Jobs["queues"], string> = {
  index: "Files and marks are followed; what is inside new files is not read.",
  thumbnail: "Thumbnails that you look at are made all the same.",
  embed: "New files are not found by their content yet.",
};

const FAILED: Record<keyof Jobs["queues"], string> = {
  index: "could not be indexed",
  thumbnail: "has no thumbnail",
  embed: "cannot be found by its content",
};

/** What the parts of the server are for. */
const DOES: Readonly<Record<string, string>> = {
  fs: "files, marks and the trash",
  nats: "queues of jobs",
  thumbnail: "thumbnails",
  metadata: "the catalogue: ids, tags, dates",
  search: "search by content",
};

export function ActivityScreen(): JSX.Element {
  const [jobs, setJobs] = useState<Jobs | null>(null);
  const [parts, setParts] = useState<Readonly<Record<string, Part>>>({});
  const heard = queues.value;

  const load = (): void => {
    get<Jobs>("/api/jobs").then(setJobs, tell);
    // Not ready is an answer too.
    fetch("/health/ready")
      .then((answer) => answer.json())
      .then((told: { dependencies?: Record<string, Part> }) => setParts(told.dependencies ?? {}))
      .catch(() => undefined);
  };
  useEffect(load, [epoch.value, heard?.idle]);
  const [receipts, setReceipts] = useState<readonly ServersReceipt[]>([]);
  useEffect(() => {
    get<{ receipts: ServersReceipt[] }>("/api/trash/receipts").then((told) => setReceipts(told.receipts), tell);
  }, [epoch.value, changes.value]);

  // The events have the figures of now, the answer the names of what failed.
  const figures = (name: keyof Jobs["queues"]): Queue | undefined =>
    jobs ? { ...jobs.queues[name], ...heard?.queues[name] } : heard?.queues[name];
  const dead = QUEUES.flatMap(([name]) => (jobs?.queues[name].deadJobs ?? []).map((job) => ({ ...job, queue: name })));
  const deadCount = QUEUES.reduce((sum, [name]) => sum + (figures(name)?.dead ?? 0), 0);
  const retry = (): void => {
    json<{ retried: number }>("POST", "/api/jobs/dead/retry")
      .then(({ retried }) => toast(`${items(retried, "job")} put back.`))
      .then(load, tell);
  };
  const receipt = (id: string): void => {
    get<{ receipts: ServersReceipt[] }>(address("/api/trash/receipts", { id })).then((told) => {
      download(`emptied-${id}.json`, `${JSON.stringify(told.receipts[0], null, 2)}\n`);
    }, tell);
  };
  const pause = (queue: string, paused: boolean): void => {
    ask("POST", `/api/jobs/${queue}/pause`, { body: { paused } }).then(load, tell);
  };

  return (
    <main class="screen scrolls" id="main">
      <div class="screen-head">
        <h1>Activity</h1>
        <Button onClick={load}>Refresh</Button>
      </div>
      <section class="panel">
        <h2>Jobs</h2>
        <p role="status">{(heard ?? jobs)?.idle ? "Nothing is waiting." : "At work."}</p>
        {QUEUES.map(([name, label]) => {
          const queue = figures(name);
          if (!queue) return null;
          const waiting = queue.pending + queue.running;
          return (
            <div key={name} class="queue">
              <h3>{label}</h3>
              <Progress value={queue.done} most={queue.done + waiting} label={label} />
              <p>
                {count(queue.done)} done · {count(waiting)} to go
                {queue.dead ? ` · ${count(queue.dead)} failed` : ""}
                {queue.paused ? " · paused" : ""}
                {queue.remainingSeconds && waiting ? ` · about ${duration(queue.remainingSeconds)} left` : ""}
              </p>
              {may("admin") ? (
                <Button
                  label={`${queue.paused ? "Resume" : "Pause"} ${label.toLowerCase()}`}
                  onClick={() => pause(name, !queue.paused)}
                >
                  {queue.paused ? "Resume" : "Pause"}
                </Button>
              ) : null}
              {queue.paused ? <p class="paused">{PAUSED[name]}</p> : null}
            </div>
          );
        })}
        {Object.entries(scans.value)
          .filter(([, scan]) => !scan.done)
          .map(([path, scan]) => (
            <p key={path}>
              Scanning {shown(nameOf(path))}: {count(scan.found)} files so far.
            </p>
          ))}
        {jobs?.encoder ? <EncoderLine encoder={jobs.encoder} /> : null}
      </section>
      {deadCount ? (
        <section class="panel">
          <h2>Failed</h2>
          <ul class="failures" tabIndex={0} aria-label="Failed jobs">
            {dead.map((job) => (
              <li key={`${job.queue}${job.path}`}>
                <strong title={shown(job.path)}>{shown(nameOf(job.path))}</strong> {FAILED[job.queue]}: {job.reason}
              </li>
            ))}
          </ul>
          {may("admin") ? <Button onClick={retry}>Retry {items(deadCount, "failed job")}</Button> : null}
        </section>
      ) : null}
      <section class="panel">
        <h2>Marks</h2>
        <p>The latest step can be taken back from anywhere; any other one in the history below.</p>
        <div class="row-of-buttons">
          <Button action="undo" icon="undo" onClick={() => void undo()}>
            {canUndo.value ? "Undo the latest step" : "Undo the latest step of the journal"}
          </Button>
          <Button action="redo" icon="redo" disabled={!canRedo.value} onClick={() => void redo()}>
            Redo
          </Button>
        </div>
      </section>
      <HistoryPanel onReceipt={receipt} />
      <section class="panel">
        <h2>The trash was emptied</h2>
        {receipts.length ? (
          <ul class="receipts">
            {receipts.map((one) => (
              <li key={one.id}>
                <span>
                  {when(one.startedAt)}: {count(one.deleted)} deleted
                  {one.bytes ? ` (${bytes(one.bytes)})` : ""}, {count(one.skipped)} skipped,{" "}
                  {items(one.errors, "error")}
                  {one.finishedAt || !(run.value && !run.value.end) ? "" : " so far"}
                </span>
                <Button label={`Receipt of ${when(one.startedAt)}`} onClick={() => receipt(one.id)}>
                  Receipt
                </Button>
              </li>
            ))}
          </ul>
        ) : (
          <p>Not yet. What was deleted, and what was not, is listed here.</p>
        )}
      </section>
      <section class="panel">
        <h2>Parts of the server</h2>
        <table>
          <tbody>
            {Object.entries(parts).map(([name, part]) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td>{part.state}</td>
                <td>{part.reason ?? DOES[name] ?? ""}</td>
              </tr>
            ))}
          </tbody>
        </table>
        <p>
          <a href="/docs">API reference</a> · <a href="/metrics">figures</a>
        </p>
      </section>
      {session.value && may("admin") ? <Log /> : null}
    </main>
  );
}

function EncoderLine({ encoder }: { encoder: Encoder }): JSX.Element {
  return (
    <p>
      Search by content is by {encoder.model ?? encoder.name}, {encoder.state}
      {encoder.reason ? `. ${encoder.reason}` : ""}
    </p>
  );
}

function Log(): JSX.Element {
  const [lines, setLines] = useState<readonly string[] | null>(null);
  const load = (): void => {
    get<{ lines: string[] }>("/api/logs?lines=200").then((told) => setLines(told.lines), tell);
  };
  return (
    <details class="panel" onToggle={(event) => event.currentTarget.open && load()}>
      <summary>Log</summary>
      <pre tabIndex={0} aria-label="Log">
        {lines === null ? "Loading…" : lines.join("\n") || "Nothing yet."}
      </pre>
    </details>
  );
}

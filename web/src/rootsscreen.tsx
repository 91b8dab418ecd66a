// Where to work: the review paths, how they are, how much is left to do.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { epoch, sentence, tell, Unreachable } from "./api";
import { changes, queues, scans } from "./events";
import { bytes, count, moment } from "./format";
import {
  addRoot,
  type Folder,
  foldersIn,
  loadRoots,
  pickerStarts,
  recountRoots,
  removeRoot,
  type Root,
  roots,
} from "./library";
import { folderOf, nameOf, shown } from "./paths";
import { rootStatuses, type RootStatus } from "./rootstatus";
import { gridAddress, reviewAddress, queryText } from "./router";
import { toast } from "./toasts";
import type { Filter } from "./types";
import { Button, Dialog, Empty, Icon, Progress } from "./ui";

/** From the last letter until the folders that begin so are asked for. */
const TYPING_MS = 250;

const STATES: Record<RootStatus["state"], string> = {
  online: "online",
  "read-only": "read-only",
  offline: "can't be reached",
  swapped: "another folder stands here",
  unknown: "not looked at yet",
};

export function RootsScreen(): JSX.Element {
  const [picking, setPicking] = useState(false);
  const [removing, setRemoving] = useState<string | null>(null);
  const [error, setError] = useState<string | null>(null);
  const known = roots.value;

  const load = (): void => {
    setError(null);
    loadRoots().catch((problem: unknown) => {
      if (!(problem instanceof Unreachable)) setError(sentence(problem));
    });
  };
  useEffect(load, [epoch.value]);
  useEffect(() => {
    if (changes.value > 0) void recountRoots();
  }, [changes.value]);

  return (
    <main class="screen scrolls" id="main">
      <div class="screen-head">
        <h1>Folders</h1>
        <Button kind="primary" icon="plus" onClick={() => setPicking(true)}>
          Add folder
        </Button>
      </div>
      {error ? (
        <Empty action={<Button onClick={load}>Retry</Button>}>{error}</Empty>
      ) : known === null ? (
        <p class="loading">Loading…</p>
      ) : known.length === 0 ? (
        <Empty
          action={
            <Button kind="primary" icon="plus" onClick={() => setPicking(true)}>
              Add folder
            </Button>
          }
        >
          Add a folder to review. Files stay where they are.
        </Empty>
      ) : (
        <ul class="cards">
          {known.map((root) => (
            <Card key={root.path} root={root} onRemove={() => setRemoving(root.path)} />
          ))}
        </ul>
      )}
      {picking ? <FolderPicker onClose={() => setPicking(false)} onAdded={load} /> : null}
      {removing === null ? null : (
        <Dialog title={`Remove ${shown(nameOf(removing))}?`} onClose={() => setRemoving(null)}>
          <p>The folder is no longer listed. No file on disk is touched, and all marks stay beside the files.</p>
          <footer>
            <Button onClick={() => setRemoving(null)} initialFocus>
              Cancel
            </Button>
            <Button
              kind="danger"
              onClick={() => {
                removeRoot(removing)
                  .then(load, tell)
                  .finally(() => setRemoving(null));
              }}
            >
              Remove from the list
            </Button>
          </footer>
        </Dialog>
      )}
    </main>
  );
}

function Card({ root, onRemove }: { root: Root; onRemove: () => void }): JSX.Element {
  const { path, counts } = root;
  const status = rootStatuses.value[path];
  const state = status?.state;
  const scan = scans.value[path];
  const figures: [Filter, string][] = [
    ["unseen", "unseen"],
    ["seen", "seen"],
    ["locked", "locked"],
    ["trashed", "trashed"],
  ];
  return (
    <li class="card">
      <header>
        <Icon name="folder" />
        <h2>
          <a href={gridAddress(path)}>{shown(nameOf(path) || path)}</a>
        </h2>
        {state ? (
          <span class={`state ${state}`} title={status.reason ?? undefined}>
            {status.answers || state === "unknown" ? STATES[state] : "does not answer"}
          </span>
        ) : null}
        <Button kind="quiet" icon="close" label={`Remove ${shown(nameOf(path))} from the list`} onClick={onRemove} />
      </header>
      <p class="path" title={shown(path)}>
        {shown(path)}
      </p>
      {status && (state !== "online" || !status.answers) ? (
        <p class="root-status" role="status">
          {state === "offline" || state === "swapped" ? `Since ${moment(status.since)}. ` : ""}
          {status.reason}
        </p>
      ) : status?.freeBytes != null ? (
        <p class="root-status">{bytes(status.freeBytes)} free</p>
      ) : null}
      {counts ? (
        <>
          <Progress value={counts.seen} most={counts.all} label={`Reviewed of ${shown(nameOf(path))}`} />
          <dl class="figures">
            {figures.map(([filter, name]) => (
              <div key={filter}>
                <dt>{name}</dt>
                <dd>
                  <a href={gridAddress(path, { f: filter })}>{count(counts[filter])}</a>
                </dd>
              </div>
            ))}
          </dl>
        </>
      ) : (
        <p class="loading">Counting…</p>
      )}
      {scan && !scan.done ? (
        <p role="status">Scanning… {count(scan.found)} files. You can start now.</p>
      ) : counts?.all === 0 && queues.value?.idle === false ? (
        <p role="status">Scanning…</p>
      ) : null}
      <footer class="row-of-buttons">
        {counts?.unseen ? (
          <a class="button primary" href={reviewAddress(path, "", { f: "unseen" })}>
            {counts.seen ? "Continue reviewing" : "Start reviewing"}
          </a>
        ) : counts?.all ? (
          <a class="button plain" href={`#/t${queryText({ root: path })}`}>
            All reviewed: see the trash
          </a>
        ) : null}
        <a class="button plain" href={gridAddress(path)}>
          Browse
        </a>
      </footer>
    </li>
  );
}

function FolderPicker({ onClose, onAdded }: { onClose: () => void; onAdded: () => void }): JSX.Element {
  const [at, setAt] = useState<string | null>(null);
  const [inside, setInside] = useState<readonly Folder[]>([]);
  const [typed, setTyped] = useState("");
  const [problem, setProblem] = useState("");

  const open = (path: string): void => {
    setProblem("");
    foldersIn(path).then(
      (told) => {
        setAt(told.path);
        setTyped(told.path);
        setInside(told.folders);
      },
      (error: unknown) => setProblem(sentence(error) ?? ""),
    );
  };
  // What is typed is gone into as far as it stands: the folders that begin so are offered, and no error is shown for half
  // a name.
  useEffect(() => {
    const into = typed.slice(0, typed.lastIndexOf("/")) || "/";
    if (!typed.startsWith("/") || typed === at) return undefined;
    let mine = true;
    const timer = setTimeout(() => {
      foldersIn(into).then(
        (told) => {
          if (!mine) return;
          setAt(told.path);
          setInside(told.folders);
        },
        () => undefined,
      );
    }, TYPING_MS);
    return () => {
      mine = false;
      clearTimeout(timer);
    };
  }, [typed]);
  const begun = typed === at ? "" : typed.slice(typed.lastIndexOf("/") + 1).toLowerCase();
  const offered = inside.filter((folder) => shown(folder.name).toLowerCase().startsWith(begun));
  const add = (): void => {
    setProblem("");
    addRoot(typed).then(
      (path) => {
        toast(`Added ${shown(nameOf(path))}.`);
        onAdded();
        onClose();
      },
      (error: unknown) => setProblem(sentence(error) ?? ""),
    );
  };

  return (
    <Dialog title="Add a folder" wide onClose={onClose}>
      <label class="typed">
        Folder on the server
        <input
          value={typed}
          placeholder="/home/me/photos"
          spellcheck={false}
          data-focus=""
          aria-describedby="folder-hint"
          onInput={(event) => {
            setTyped(event.currentTarget.value);
            setProblem("");
          }}
          onKeyDown={(event) => event.key === "Enter" && typed && add()}
        />
      </label>
      <p class="hint" id="folder-hint">
        Type its whole path, beginning with /, or choose below. It is a folder of the machine that Framewell runs on.
        Its files stay where they are.
      </p>
      <ul class="folders" aria-label="Folders">
        {at === null ? null : (
          <li>
            <button type="button" onClick={() => (folderOf(at) ? open(folderOf(at)) : setAt(null))}>
              <Icon name="back" /> up
            </button>
          </li>
        )}
        {(at === null ? pickerStarts.value.map((path) => ({ path, name: path })) : offered).map((folder) => (
          <li key={folder.path}>
            <button type="button" onClick={() => open(folder.path)}>
              <Icon name="folder" /> {shown(folder.name)}
            </button>
          </li>
        ))}
      </ul>
      {problem ? (
        <p class="problem" role="alert">
          {problem}
        </p>
      ) : null}
      <footer>
        <Button onClick={onClose}>Cancel</Button>
        <Button kind="primary" disabled={!typed} onClick={add}>
          Add this folder
        </Button>
      </footer>
    </Dialog>
  );
}

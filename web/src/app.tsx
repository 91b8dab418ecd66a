// The shell: header, the screen that the address names, and what may lie over any of them.
import { effect } from "@preact/signals";
import { render } from "preact";
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import "./app.css";
import { epoch, needsKey, sentence, serverGone, Refused } from "./api";
import { ActivityScreen } from "./activityscreen";
import { EmptyDialog, EmptyPill } from "./emptydialog";
import { run } from "./emptying";
import { listen } from "./events";
import { Compare } from "./compare";
import { count } from "./format";
import { filterOf, folderIn, GridScreen } from "./gridscreen";
import { Help, helpOpen } from "./help";
import { useKeys } from "./keyboard";
import { act, lockedSheet, redo, sendLeft, undo, unsent } from "./marks";
import { nameOf, shown } from "./paths";
import { RootsScreen } from "./rootsscreen";
import { go, place, queryText } from "./router";
import { SearchScreen } from "./searchscreen";
import { session, signIn } from "./session";
import { expect } from "./shelf";
import { SettingsScreen } from "./settingsscreen";
import { viewOf } from "./timeline";
import { dismiss, toasts, voice } from "./toasts";
import { TrashScreen } from "./trashscreen";
import { Button, Dialog, Empty, Icon, type IconName } from "./ui";

const LINKS: [string, string, IconName, string][] = [
  ["roots", "#/", "folder", "Folders"],
  ["search", "#/s", "search", "Search"],
  ["trash", "#/t", "trash", "Trash"],
  ["activity", "#/a", "activity", "Activity"],
  ["settings", "#/settings", "settings", "Settings"],
];
const TITLES: Record<string, string> = {
  roots: "Folders",
  search: "Search",
  trash: "Trash",
  activity: "Activity",
  settings: "Settings",
};

function App(): JSX.Element {
  const here = place.value;
  useKeys({
    undo: () => void undo(),
    redo: () => void redo(),
    help: () => {
      helpOpen.value = !helpOpen.value;
    },
    search: () => {
      const box = document.querySelector<HTMLInputElement>(".search-box");
      if (box) box.focus();
      else {
        go(`#/s${queryText({ root: place.value.root })}`);
        requestAnimationFrame(() => document.querySelector<HTMLInputElement>(".search-box")?.focus());
      }
    },
  });
  const title = here.screen === "grid" ? shown(nameOf(here.root ?? "")) : (TITLES[here.screen] ?? "Not found");
  useEffect(() => {
    document.title = `${title} · Framewell`;
  }, [title]);
  // Words of another person's key are nobody else's business.
  const closed = needsKey.value && session.value === null;

  return (
    <>
      <a class="skip" href="#main" onClick={(event) => (event.preventDefault(), focusMain())}>
        Skip to the content
      </a>
      <header class="top" inert={here.item !== undefined}>
        <a class="brand" href="#/">
          Framewell
        </a>
        <nav aria-label="Screens">
          {LINKS.map(([screen, href, icon, label]) => (
            <a key={screen} href={href} aria-label={label} aria-current={here.screen === screen ? "page" : undefined}>
              <Icon name={icon} />
              <span>{label}</span>
            </a>
          ))}
        </nav>
        <span class="spring" />
        {unsent.value > 3 || (unsent.value && serverGone.value) ? (
          <span class="pill" role="status">
            {count(unsent.value)} not sent yet
          </span>
        ) : null}
        <EmptyPill />
        <Button kind="quiet" icon="help" action="help" label="Keys and marks" onClick={() => (helpOpen.value = true)} />
      </header>
      {serverGone.value ? (
        <div class="banner" role="alert">
          <Icon name="warning" />
          The server can't be reached. What you mark now is kept here and sent once when it is back.
        </div>
      ) : null}
      {closed ? <main class="screen" id="main" /> : <Screen />}
      {run.value && !run.value.end ? <LeaveWarning /> : null}
      <Compare />
      <LockedSheet />
      <EmptyDialog />
      <Help />
      {needsKey.value ? <SignIn /> : null}
      <Toasts />
      <div class="unseen" role="status" aria-live="polite">
        {voice.value}
      </div>
    </>
  );
}

function focusMain(): void {
  const main = document.getElementById("main");
  main?.setAttribute("tabindex", "-1");
  main?.focus();
}

function Screen(): JSX.Element {
  const here = place.value;
  switch (here.screen) {
    case "roots":
      return <RootsScreen />;
    case "grid":
      return <GridScreen root={here.root ?? ""} filter={filterOf(here.query)} folder={folderIn(here.query)} />;
    case "trash":
      return <TrashScreen />;
    case "search":
      return <SearchScreen />;
    case "activity":
      return <ActivityScreen />;
    case "settings":
      return <SettingsScreen />;
    default:
      return (
        <main class="screen" id="main">
          <h1 class="unseen">Not found</h1>
          <Empty
            action={
              <a class="button primary" href="#/">
                To the folders
              </a>
            }
          >
            There is no such page.
          </Empty>
        </main>
      );
  }
}

function LockedSheet(): JSX.Element | null {
  const about = lockedSheet.value;
  if (!about) return null;
  const name = shown(nameOf(about.path));
  const close = (): void => {
    lockedSheet.value = null;
  };
  return (
    <Dialog title="Locked. Unlock and trash?" onClose={close}>
      <p>{name} is locked, and a locked file is never trashed by the way.</p>
      <footer>
        <Button onClick={close} initialFocus>
          Cancel
        </Button>
        <Button
          onClick={() => {
            close();
            act(about.path, ["unlock"], `Unlocked ${name}`);
          }}
        >
          Unlock
        </Button>
        <Button
          kind="danger"
          onClick={() => {
            close();
            act(about.path, ["unlock", "trash"], `Unlocked and trashed ${name}`);
            about.then?.();
          }}
        >
          Unlock and trash
        </Button>
      </footer>
    </Dialog>
  );
}

function SignIn(): JSX.Element {
  const [key, setKey] = useState("");
  const [problem, setProblem] = useState("");
  const close = (): void => {
    if (session.value) needsKey.value = false;
  };
  const enter = (): void => {
    setProblem("");
    signIn(key.trim()).catch((error: unknown) => setProblem(sentence(error) ?? ""));
  };
  return (
    <Dialog title="A key is needed" onClose={close}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (key.trim()) enter();
        }}
      >
        <p>
          The admin key is in the file <code>admin.key</code> of the server's state directory; other keys are made in
          the settings.
        </p>
        <label class="typed">
          Key
          <input
            type="password"
            autocomplete="current-password"
            data-focus=""
            value={key}
            onInput={(event) => setKey(event.currentTarget.value)}
          />
        </label>
        {problem ? (
          <p class="problem" role="alert">
            {problem}
          </p>
        ) : null}
        <footer>
          <button type="submit" class="button primary" disabled={!key.trim()}>
            Sign in
          </button>
        </footer>
      </form>
    </Dialog>
  );
}

function Toasts(): JSX.Element {
  return (
    <div class="toasts">
      {toasts.value.map((one) => (
        <div
          key={one.id}
          class={one.kind === "error" ? "toast error" : "toast"}
          role={one.kind === "error" ? "alert" : undefined}
        >
          <span>{one.text}</span>
          {one.action ? (
            <button
              type="button"
              class="link"
              onClick={() => {
                dismiss(one.id);
                one.action?.run();
              }}
            >
              {one.action.label}
            </button>
          ) : null}
          <button type="button" class="link" aria-label="Dismiss" onClick={() => dismiss(one.id)}>
            <Icon name="close" />
          </button>
        </div>
      ))}
    </div>
  );
}

/** Closing the page in the middle of a deletion stops it: the browser asks first. */
function LeaveWarning(): null {
  useEffect(() => {
    const ask = (event: BeforeUnloadEvent): void => event.preventDefault();
    addEventListener("beforeunload", ask);
    return () => removeEventListener("beforeunload", ask);
  }, []);
  return null;
}

const mount = document.getElementById("app");
const first = place.value;
// On its way while the page is drawn; nothing of the session is needed for it.
if (first.screen === "grid" && first.root !== undefined)
  expect(first.root, filterOf(first.query), Number(first.query.n) || 0, viewOf(folderIn(first.query), first.query));
if (mount) {
  mount.replaceChildren();
  render(<App />, mount);
}
/** A part that is still starting may refuse for now: then it is asked again. */
const SIGN_IN_AGAIN_MS = 2000;
function begin(): void {
  signIn().then(
    () => {
      listen();
      sendLeft();
    },
    (error: unknown) => {
      // Without a key the sign-in asks for one; without a server the banner tells, and all begins when it is back.
      if (error instanceof Refused && error.status >= 429) setTimeout(begin, SIGN_IN_AGAIN_MS);
    },
  );
}
begin();
effect(() => {
  if (epoch.value === 0) return;
  if (session.peek() === null && !needsKey.peek()) void signIn().then(sendLeft, () => undefined);
  else sendLeft();
});

// The overlay of all keys as they are now.
import { signal } from "@preact/signals";
import type { JSX } from "preact";
import { ACTIONS, chordText, isCharacter, type KeyAction, type Place } from "./keys";
import { bindings, isMac, settings } from "./settings";
import type { Filter } from "./types";
import { Button, Dialog } from "./ui";

export const helpOpen = signal(false);

/** What the marks mean, for whoever meets the words for the first time. */
export const MEANINGS: Record<Filter, string> = {
  unseen: "not decided on yet",
  seen: "looked at",
  locked: "to keep: nothing can trash or delete it until it is unlocked",
  trashed: "to delete: the file stays where it is until the trash is emptied",
  all: "whatever its mark",
};
const MARKS = ["unseen", "seen", "locked", "trashed"] as const;

const GROUPS: [Place, string][] = [
  ["anywhere", "Everywhere"],
  ["items", "On an item"],
  ["grid", "Grid"],
  ["review", "Review"],
  ["video", "Video"],
];

export function Help(): JSX.Element | null {
  if (!helpOpen.value) return null;
  const close = (): void => {
    helpOpen.value = false;
  };
  const works = (chord: string): boolean => settings.value.characters || !isCharacter(chord);
  return (
    <Dialog title="Keys and marks" wide onClose={close}>
      <div class="help">
        {GROUPS.map(([place, label]) => (
          <section key={place}>
            <h3>{label}</h3>
            <dl>
              {(Object.keys(ACTIONS) as KeyAction[])
                .filter((action) => ACTIONS[action].place === place && bindings.value[action].some(works))
                .map((action) => (
                  <div key={action}>
                    <dt>
                      {bindings.value[action].filter(works).map((chord) => (
                        <kbd key={chord}>{chordText(chord, isMac)}</kbd>
                      ))}
                    </dt>
                    <dd>{ACTIONS[action].label}</dd>
                  </div>
                ))}
            </dl>
          </section>
        ))}
        <section>
          <h3>The marks</h3>
          <dl>
            {MARKS.map((mark) => (
              <div key={mark}>
                <dt>{mark}</dt>
                <dd>{MEANINGS[mark]}</dd>
              </div>
            ))}
            <div>
              <dt>★ 4</dt>
              <dd>one of a stack of 4 pictures that are nearly the same; the star is on the suggested one</dd>
            </div>
          </dl>
        </section>
        <section>
          <h3>Grid, by mouse and touch</h3>
          <p>
            Arrows, Home, End, Page up and down move; with Shift they select. Double click or tap opens; Ctrl and click,
            or a long press, selects; Shift and click selects a range. No key empties the trash.
          </p>
          <p>In review a swipe to the side goes on or back, up locks, down trashes.</p>
        </section>
      </div>
      <footer>
        <a class="button plain" href="#/settings" onClick={close}>
          Change keys
        </a>
        <Button kind="primary" onClick={close} initialFocus>
          Close
        </Button>
      </footer>
    </Dialog>
  );
}

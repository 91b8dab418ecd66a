// One listener for all keys, in the capture phase so that a <video> with the focus takes none of them.
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { chordOf, chordText, type KeyAction, meant } from "./keys";
import { bindings, isMac, settings } from "./settings";

/** Returning false leaves the key to the next layer, or to the browser. */
export type Handlers = Partial<Record<KeyAction, (event: KeyboardEvent) => void | false>>;

interface Layer {
  handlers: { current: Handlers };
  modal: boolean;
}

const layers: Layer[] = [];
let paused = 0;

/** Keys of this screen, above those of the screens around it; a modal one hides what is below. */
export function useKeys(handlers: Handlers, modal = false, on = true): void {
  const current = useRef(handlers);
  current.current = handlers;
  // With what is drawn, not after it: a key that follows at once is meant for what is seen.
  useLayoutEffect(() => {
    if (!on) return undefined;
    const layer = { handlers: current, modal };
    layers.push(layer);
    return () => void layers.splice(layers.indexOf(layer), 1);
  }, [modal, on]);
}

/** While a key is being chosen, keys mean nothing. */
export function usePausedKeys(on: boolean): void {
  useEffect(() => {
    if (!on) return undefined;
    paused += 1;
    return () => void (paused -= 1);
  }, [on]);
}

const TEXT = 'input:not([type="checkbox"],[type="radio"],[type="range"],[type="button"]),textarea,[contenteditable]';

addEventListener(
  "keydown",
  (event) => {
    if (paused || event.isComposing || event.defaultPrevented) return;
    const target = event.target instanceof Element ? event.target : null;
    const chord = chordOf(event);
    if (target?.closest(TEXT) && chord !== "Escape") return;
    // What has the focus is worked with the keys that it knows itself.
    if (target?.closest("button,a,summary,select,input,label") && (chord === "Space" || chord === "Enter")) return;
    if (target?.closest('select,input[type="range"],input[type="radio"]') && /^Arrow|^Home$|^End$|^Page/.test(chord)) {
      return;
    }
    const actions = meant(bindings.value, chord, settings.value.characters);
    if (!actions.length) return;
    for (const layer of [...layers].reverse()) {
      for (const action of actions) {
        const handler = layer.handlers.current[action];
        if (handler && handler(event) !== false) {
          event.preventDefault();
          event.stopPropagation();
          return;
        }
      }
      if (layer.modal) return;
    }
  },
  { capture: true },
);

/** The first key of an action as it is printed on a button; "" when there is none that works. */
export function keyText(action: KeyAction): string {
  const chord = bindings.value[action][0];
  return chord === undefined ? "" : chordText(chord, isMac);
}

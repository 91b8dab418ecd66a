// Small parts that every screen is made of.
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { useKeys } from "./keyboard";
import { type KeyAction } from "./keys";
import { keyText } from "./keyboard";

const PATHS = {
  lock: "M6 10V7a4 4 0 1 1 8 0v3h1v7H5v-7h1zm2 0h4V7a2 2 0 1 0-4 0v3z",
  trash: "M7 3h6l1 2h3v2H3V5h3l1-2zM5 8h10l-1 9H6L5 8z",
  tick: "M8 14.5 3.5 10 5 8.5l3 3 7-7L16.5 6z",
  video: "M4 4h12v12H4zm4 3v6l5-3z",
  warning: "M10 2l9 16H1L10 2zm-1 6v5h2V8H9zm0 6v2h2v-2H9z",
  back: "M12.5 3 14 4.5 8.5 10l5.5 5.5-1.5 1.5L5.5 10z",
  search:
    "M8.5 3a5.5 5.5 0 1 0 3.4 9.8l3.7 3.7 1.4-1.4-3.7-3.7A5.5 5.5 0 0 0 8.5 3zm0 2a3.5 3.5 0 1 1 0 7 3.5 3.5 0 0 1 0-7z",
  folder: "M2 4h6l2 2h8v11H2z",
  activity: "M2 11h4l2-6 4 11 2-5h4V9h-5l-1 2-4-10-3 8H2z",
  settings: "M3 5h8v2H3zm10-1h2v4h-2zm3 1h1v2h-1zM3 13h2v2H3zm3-1h2v4H6zm3 1h8v2H9z",
  help: "M10 2a8 8 0 1 0 0 16 8 8 0 0 0 0-16zm-1 11h2v2H9zm1-8a3 3 0 0 1 1.6 5.5c-.5.3-.6.6-.6 1.5H9c0-1.6.4-2.4 1.5-3.1A1 1 0 1 0 9 8H7a3 3 0 0 1 3-3z",
  close: "M5 3.6 10 8.6l5-5L16.4 5l-5 5 5 5-1.4 1.4-5-5-5 5L3.6 15l5-5-5-5z",
  undo: "M8 4v3h4a5 5 0 0 1 0 10H6v-2h6a3 3 0 0 0 0-6H8v3L3 8z",
  redo: "M12 4v3H8a5 5 0 0 0 0 10h6v-2H8a3 3 0 0 1 0-6h4v3l5-4z",
  plus: "M9 3h2v6h6v2h-6v6H9v-6H3V9h6z",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }): JSX.Element {
  return (
    <svg class="icon" viewBox="0 0 20 20" width="20" height="20" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} fill="currentColor" fill-rule="evenodd" />
    </svg>
  );
}

interface ButtonProps {
  children?: ComponentChildren;
  icon?: IconName;
  /** Its key is printed on it. */
  action?: KeyAction;
  kind?: "plain" | "primary" | "danger" | "quiet";
  label?: string;
  pressed?: boolean | undefined;
  disabled?: boolean;
  onClick: (event: MouseEvent) => void;
  class?: string;
  initialFocus?: boolean;
}

export function Button(props: ButtonProps): JSX.Element {
  const self = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    // What a dialog shows later takes the focus where nothing else has it.
    const at = document.activeElement;
    if (props.initialFocus && (!at || at === document.body || at.getAttribute("role") === "dialog"))
      self.current?.focus({ preventScroll: true });
  }, []);
  const key = props.action ? keyText(props.action) : "";
  return (
    <button
      ref={self}
      type="button"
      class={`button ${props.kind ?? "plain"} ${props.class ?? ""}`}
      aria-label={props.label}
      aria-pressed={props.pressed}
      title={props.label ? (key ? `${props.label} (${key})` : props.label) : undefined}
      disabled={props.disabled}
      data-focus={props.initialFocus ? "" : undefined}
      onClick={props.onClick}
    >
      {props.icon ? <Icon name={props.icon} /> : null}
      {props.children === undefined ? null : <span>{props.children}</span>}
      {key ? <kbd aria-hidden="true">{key}</kbd> : null}
    </button>
  );
}

const FOCUSABLE = "a[href],button:not(:disabled),input:not(:disabled),select,textarea,summary,video,[tabindex='0']";

/** Keeps Tab inside, puts the focus in and gives it back. */
export function useTrap(on = true, giveBack = true): { current: HTMLDivElement | null } {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = box.current;
    if (!on || !element) return undefined;
    const before = document.activeElement;
    (element.querySelector<HTMLElement>("[data-focus]") ?? element).focus({ preventScroll: true });
    const keep = (event: KeyboardEvent): void => {
      if (event.key !== "Tab") return;
      const parts = [...element.querySelectorAll<HTMLElement>(FOCUSABLE)].filter((one) => one.offsetParent !== null);
      const first = parts[0];
      const last = parts.at(-1);
      if (!first || !last) return;
      const at = document.activeElement;
      if (event.shiftKey && (at === first || at === element)) {
        last.focus();
        event.preventDefault();
      } else if (!event.shiftKey && at === last) {
        first.focus();
        event.preventDefault();
      }
    };
    element.addEventListener("keydown", keep);
    return () => {
      element.removeEventListener("keydown", keep);
      if (giveBack && before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, [on, giveBack]);
  return box;
}

interface DialogProps {
  title: string;
  children: ComponentChildren;
  onClose: () => void;
  wide?: boolean;
}

export function Dialog({ title, children, onClose, wide }: DialogProps): JSX.Element {
  const box = useTrap();
  const id = useId();
  useKeys({ close: onClose }, true);
  return (
    <div class="backdrop" onMouseDown={(event) => event.target === event.currentTarget && onClose()}>
      <div
        ref={box}
        class={`dialog ${wide ? "wide" : ""}`}
        role="dialog"
        aria-modal="true"
        aria-labelledby={id}
        tabIndex={-1}
      >
        <header>
          <h2 id={id}>{title}</h2>
          <Button kind="quiet" icon="close" label="Close" onClick={onClose} />
        </header>
        {children}
      </div>
    </div>
  );
}

export function Progress({ value, most, label }: { value: number; most: number; label: string }): JSX.Element {
  const share = most > 0 ? Math.min(100, Math.round((100 * value) / most)) : 0;
  return (
    <div
      class="progress"
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={share}
    >
      <div style={{ width: `${share}%` }} />
    </div>
  );
}

export function Empty({ children, action }: { children: ComponentChildren; action?: ComponentChildren }): JSX.Element {
  return (
    <div class="empty">
      <p>{children}</p>
      {action}
    </div>
  );
}

// Which key does what. Pure: chords are text ("Mod+Z"), and what an action does is for the screens to say.

export type Place = "anywhere" | "grid" | "items" | "review" | "video";

interface Known {
  label: string;
  place: Place;
}

/** Every action that can have a key, in the order in which help lists them. */
export const ACTIONS = {
  next: { label: "Next", place: "review" },
  previous: { label: "Previous", place: "review" },
  lock: { label: "Lock (keep), or unlock", place: "items" },
  trash: { label: "Trash, or take out of the trash", place: "items" },
  seen: { label: "Seen, or unseen", place: "items" },
  clear: { label: "Clear the decision", place: "items" },
  undo: { label: "Undo", place: "anywhere" },
  redo: { label: "Redo", place: "anywhere" },
  select: { label: "Select", place: "items" },
  selectAll: { label: "Select all", place: "grid" },
  addToSelection: { label: "Add the current item to the selection", place: "review" },
  open: { label: "Open review", place: "grid" },
  close: { label: "Close one layer", place: "anywhere" },
  play: { label: "Play or pause", place: "video" },
  back: { label: "Back 5 s; twice: to the start", place: "video" },
  forward: { label: "Forward 5 s", place: "video" },
  frameBack: { label: "One frame back", place: "video" },
  frameForward: { label: "One frame forward", place: "video" },
  slower: { label: "Slower", place: "video" },
  faster: { label: "Faster", place: "video" },
  speed1: { label: "Speed 1×", place: "video" },
  speed2: { label: "Speed 2×", place: "video" },
  speed3: { label: "Speed 3×", place: "video" },
  speed4: { label: "Speed 4×", place: "video" },
  speed5: { label: "Speed ½×", place: "video" },
  speed6: { label: "Speed ¼×", place: "video" },
  zoom: { label: "Zoom to 100 %, or fit", place: "review" },
  compare: { label: "Compare the stack, or the selection", place: "items" },
  keepBest: { label: "Keep the best of the stack, trash the rest", place: "items" },
  similar: { label: "Similar to this", place: "items" },
  more: { label: "More like this (search)", place: "items" },
  less: { label: "Less like this (search)", place: "items" },
  filterUnseen: { label: "Show unseen", place: "grid" },
  filterSeen: { label: "Show seen", place: "grid" },
  filterLocked: { label: "Show locked", place: "grid" },
  filterTrashed: { label: "Show trashed", place: "grid" },
  filterAll: { label: "Show all", place: "grid" },
  date: { label: "Go to date", place: "items" },
  search: { label: "Search", place: "anywhere" },
  info: { label: "Info", place: "review" },
  filmstrip: { label: "Filmstrip", place: "review" },
  fullscreen: { label: "Full screen", place: "review" },
  help: { label: "Keys", place: "anywhere" },
} as const satisfies Record<string, Known>;

export type KeyAction = keyof typeof ACTIONS;
export type Bindings = Record<KeyAction, readonly string[]>;
export type Preset = "mediareviewer" | "lightroom";

const COMMON = {
  undo: ["Mod+Z"],
  redo: ["Shift+Mod+Z", "Mod+Y"],
  select: ["Space"],
  selectAll: ["Mod+A"],
  addToSelection: ["V"],
  open: ["Enter"],
  close: ["Escape"],
  play: ["Space"],
  seen: ["S"],
  clear: ["U"],
  compare: ["C"],
  similar: ["M"],
  more: ["+"],
  less: ["-"],
  filterUnseen: ["Alt+1"],
  filterSeen: ["Alt+2"],
  filterLocked: ["Alt+3"],
  filterTrashed: ["Alt+4"],
  filterAll: ["Alt+5"],
  date: ["G"],
  search: ["/"],
  info: ["I"],
  filmstrip: ["Y"],
  fullscreen: ["Shift+F"],
  help: ["?"],
  frameBack: ["<"],
  frameForward: [">"],
} as const;

/** `Shift+Delete` and `Backspace` do nothing on purpose: on other systems they delete for good, or just delete. */
export const PRESETS: Record<Preset, Bindings> = {
  mediareviewer: {
    ...COMMON,
    next: ["ArrowRight", "R", "J"],
    previous: ["ArrowLeft", "E", "K"],
    lock: ["L", "F"],
    trash: ["D", "T", "Delete"],
    keepBest: ["B"],
    back: ["Z"],
    forward: ["X"],
    slower: ["Q", "["],
    faster: ["W", "]"],
    speed1: ["1"],
    speed2: ["2"],
    speed3: ["3"],
    speed4: ["4"],
    speed5: ["5"],
    speed6: ["6"],
    zoom: ["0"],
  },
  lightroom: {
    ...COMMON,
    next: ["ArrowRight"],
    previous: ["ArrowLeft"],
    lock: ["P"],
    trash: ["X", "Delete"],
    keepBest: ["Shift+P"],
    back: [","],
    forward: ["."],
    slower: ["["],
    faster: ["]"],
    speed1: [],
    speed2: [],
    speed3: [],
    speed4: [],
    speed5: [],
    speed6: [],
    zoom: ["Z"],
  },
};

export interface KeyPress {
  key: string;
  code: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
}

/** `Shift+Mod+Z`; "" for a modifier alone. Of a sign that Shift makes (`?`, `+`) the sign alone is the name. */
export function chordOf(press: KeyPress): string {
  let key = press.key;
  if (["Shift", "Control", "Alt", "Meta", "AltGraph", "Dead", "Process", "Unidentified"].includes(key)) return "";
  // Alt changes what a digit or letter types on some systems.
  const plain = /^(?:Digit|Key)(\w)$/.exec(press.code);
  if (press.altKey && plain?.[1]) key = plain[1];
  if (key === " ") key = "Space";
  const isLetter = /^\p{L}$/u.test(key);
  const isSign = key.length === 1 && !isLetter;
  if (isLetter) key = key.toUpperCase();
  const shift = press.shiftKey && !isSign ? "Shift+" : "";
  return `${shift}${press.altKey ? "Alt+" : ""}${press.ctrlKey || press.metaKey ? "Mod+" : ""}${key}`;
}

/** Whether it is a single character with nothing held: what WCAG 2.1.4 wants to be switched off. */
export function isCharacter(chord: string): boolean {
  return /^(?:Shift\+)?.$/u.test(chord);
}

export function bindingsOf(preset: Preset, changes: Partial<Bindings>): Bindings {
  return { ...PRESETS[preset], ...changes };
}

/** What a chord may mean; which of it, the screen in front decides. */
export function meant(bindings: Bindings, chord: string, characters: boolean): KeyAction[] {
  if (!chord || (!characters && isCharacter(chord))) return [];
  return (Object.keys(ACTIONS) as KeyAction[]).filter((action) => bindings[action].includes(chord));
}

function meet(one: KeyAction, other: KeyAction): boolean {
  // A playing video takes the space bar before the selection does.
  if ((one === "select" && other === "play") || (one === "play" && other === "select")) return false;
  const places = [ACTIONS[one].place, ACTIONS[other].place];
  if (places[0] === places[1] || places.includes("anywhere") || places.includes("items")) return true;
  return !places.includes("grid");
}

/** The bindings with this chord for the action, taken from any other action that could be meant in the same place. */
export function rebound(
  bindings: Bindings,
  action: KeyAction,
  chords: readonly string[],
): { changes: Partial<Bindings>; taken: KeyAction[] } {
  const changes: Partial<Record<KeyAction, readonly string[]>> = { [action]: [...new Set(chords)] };
  const taken: KeyAction[] = [];
  for (const other of Object.keys(ACTIONS) as KeyAction[]) {
    if (other === action || !meet(action, other)) continue;
    const kept = bindings[other].filter((chord) => !chords.includes(chord));
    if (kept.length < bindings[other].length) {
      changes[other] = kept;
      taken.push(other);
    }
  }
  return { changes: changes as Partial<Bindings>, taken };
}

const NAMES: Record<string, string> = {
  ArrowRight: "→",
  ArrowLeft: "←",
  ArrowUp: "↑",
  ArrowDown: "↓",
  Escape: "Esc",
  Delete: "Del",
};

export function chordText(chord: string, mac: boolean): string {
  const parts = chord.split(/\+(?=.)/);
  return parts.map((part) => (part === "Mod" ? (mac ? "⌘" : "Ctrl") : (NAMES[part] ?? part))).join("+");
}

// What this browser remembers: looks, keys, habits. Kept in local storage.
import { computed, effect, signal } from "@preact/signals";
import { bindingsOf, type Bindings, type Preset } from "./keys";

export type Theme = "auto" | "light" | "dark";
export const TILE_SIZES = [160, 224, 320] as const;
export const TILE_NAMES: Record<TileSize, string> = { 160: "small", 224: "medium", 320: "large" };
export type TileSize = (typeof TILE_SIZES)[number];

export interface Settings {
  theme: Theme;
  preset: Preset;
  bindings: Partial<Bindings>;
  /** Keys of one character; off for those who speak to their computer. */
  characters: boolean;
  autoAdvance: boolean;
  tile: TileSize;
  filmstrip: boolean;
  /** The folders beside the grid. */
  tree: boolean;
  info: boolean;
  /** Type the number before anything is deleted, however little it is. */
  alwaysType: boolean;
}

const NAME = "framewell.settings";
const DEFAULTS: Settings = {
  theme: "auto",
  preset: "mediareviewer",
  bindings: {},
  characters: true,
  autoAdvance: true,
  tile: 224,
  filmstrip: true,
  tree: false,
  info: false,
  alwaysType: false,
};

function stored(): Settings {
  try {
    return { ...DEFAULTS, ...(JSON.parse(localStorage.getItem(NAME) ?? "{}") as Partial<Settings>) };
  } catch {
    return DEFAULTS;
  }
}

export const settings = signal<Settings>(stored());
export const bindings = computed(() => bindingsOf(settings.value.preset, settings.value.bindings));
export const isMac = /Mac|iPhone|iPad/.test(navigator.platform);

export function change(changes: Partial<Settings>): void {
  settings.value = { ...settings.value, ...changes };
  try {
    localStorage.setItem(NAME, JSON.stringify(settings.value));
  } catch {
    // A browser that keeps nothing still works until it is closed.
  }
}

addEventListener("storage", (event) => {
  if (event.key === NAME) settings.value = stored();
});

effect(() => {
  document.documentElement.dataset.theme = settings.value.theme;
});

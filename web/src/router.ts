// Addresses behind the hash: `#/`, `#/r/<root>`, `#/r/<root>/i/<item>`, `#/t`, `#/s`, `#/a`, `#/settings`.
import { computed, signal } from "@preact/signals";
import { quoted, unquoted } from "./paths";

export interface Place {
  screen: "roots" | "grid" | "trash" | "search" | "activity" | "settings" | "unknown";
  root?: string;
  /** Of the item in review, relative to the root; "" is the first one. */
  item?: string;
  query: Readonly<Record<string, string>>;
}

export function placeOf(hash: string): Place {
  const [path = "", tail = ""] = hash.replace(/^#/, "").split("?", 2);
  const query = Object.fromEntries(
    tail
      .split("&")
      .filter(Boolean)
      .map((pair) => {
        const [name = "", value = ""] = pair.split("=", 2);
        return [name, unquoted(value.replaceAll("+", " "))];
      }),
  );
  const parts = path.split("/").filter(Boolean);
  const [screen, root, mark] = parts;
  switch (screen) {
    case undefined:
      return { screen: "roots", query };
    case "r":
      if (root === undefined) return { screen: "unknown", query };
      return mark === "i"
        ? { screen: "grid", root: unquoted(root), item: unquoted(parts.slice(3).join("/")), query }
        : { screen: "grid", root: unquoted(root), query };
    case "t":
      return { screen: "trash", query };
    case "s":
      return { screen: "search", query };
    case "a":
      return { screen: "activity", query };
    case "settings":
      return { screen: "settings", query };
    default:
      return { screen: "unknown", query };
  }
}

const part = (path: string): string => quoted(path).replaceAll("/", "%2F");

export function queryText(query: Record<string, string | number | undefined>): string {
  const parts = Object.entries(query).flatMap(([name, value]) =>
    value === undefined || value === "" ? [] : [`${name}=${part(String(value))}`],
  );
  return parts.length ? `?${parts.join("&")}` : "";
}

export function gridAddress(root: string, query: Record<string, string | number | undefined> = {}): string {
  return `#/r/${part(root)}${queryText(query)}`;
}

export function reviewAddress(root: string, path: string, query: Record<string, string | number | undefined>): string {
  const relative = path.startsWith(`${root}/`) ? path.slice(root.length + 1) : path === "" ? "" : path;
  return `#/r/${part(root)}/i/${quoted(relative)}${queryText(query)}`;
}

const hash = signal(location.hash);
addEventListener("hashchange", () => {
  hash.value = location.hash;
});

export const place = computed(() => placeOf(hash.value));

/** Another screen, or with `replace` the same one under another name. */
export function go(address: string, replace = false): void {
  if (replace) history.replaceState(history.state, "", address);
  else if (location.hash !== address) history.pushState({ ours: true }, "", address);
  hash.value = location.hash;
}

addEventListener("popstate", () => {
  hash.value = location.hash;
});

// Keys, looks and habits of this browser; what the server keeps; keys of callers.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ask, epoch, get, json, needsKey, tell } from "./api";
import { when } from "./format";
import { usePausedKeys } from "./keyboard";
import { ACTIONS, bindingsOf, chordOf, chordText, type KeyAction, PRESETS, rebound, type Preset } from "./keys";
import { may, session, signOut } from "./session";
import { bindings, change, isMac, settings, TILE_NAMES, TILE_SIZES, type Theme, type TileSize } from "./settings";
import { toast } from "./toasts";
import { Button } from "./ui";
import { setBudget } from "./videos";

export function SettingsScreen(): JSX.Element {
  const now = settings.value;
  return (
    <main class="screen scrolls" id="main">
      <div class="screen-head">
        <h1>Settings</h1>
      </div>
      <section class="panel">
        <h2>Looks</h2>
        <label>
          Theme
          <select value={now.theme} onChange={(event) => change({ theme: event.currentTarget.value as Theme })}>
            <option value="auto">as the system</option>
            <option value="light">light</option>
            <option value="dark">dark</option>
          </select>
        </label>
        <label>
          Tiles
          <select
            value={now.tile}
            onChange={(event) => change({ tile: Number(event.currentTarget.value) as TileSize })}
          >
            {TILE_SIZES.map((size) => (
              <option key={size} value={size}>
                {TILE_NAMES[size]}
              </option>
            ))}
          </select>
        </label>
      </section>
      <section class="panel">
        <h2>Review</h2>
        <Check
          label="Go on to the next item after lock, trash and seen"
          on={now.autoAdvance}
          set={(autoAdvance) => change({ autoAdvance })}
        />
        <Check label="Filmstrip" on={now.filmstrip} set={(filmstrip) => change({ filmstrip })} />
        <Check label="Info" on={now.info} set={(info) => change({ info })} />
        <Check
          label="Always type the number before the trash is emptied"
          on={now.alwaysType}
          set={(alwaysType) => change({ alwaysType })}
        />
        {may("admin") ? <Preload /> : null}
      </section>
      <Keys />
      {may("admin") ? <ApiKeys /> : null}
      <section class="panel">
        <h2>This browser</h2>
        <p>{session.value ? `Signed in as ${session.value.name}.` : "Not signed in."}</p>
        <div class="row-of-buttons">
          <Button onClick={() => (needsKey.value = true)}>Sign in with a key</Button>
          {session.value && session.value.name !== "local" ? (
            <Button onClick={() => void signOut()}>Sign out</Button>
          ) : null}
        </div>
      </section>
    </main>
  );
}

function Check({ label, on, set }: { label: string; on: boolean; set: (on: boolean) => void }): JSX.Element {
  return (
    <label class="check">
      <input type="checkbox" checked={on} onChange={(event) => set(event.currentTarget.checked)} />
      {label}
    </label>
  );
}

function Preload(): JSX.Element {
  const [megabytes, setMegabytes] = useState<number | null>(null);
  useEffect(() => {
    get<{ videoPreloadMb: number }>("/api/settings").then((told) => setMegabytes(told.videoPreloadMb), tell);
  }, [epoch.value]);
  const save = (value: number): void => {
    json<{ videoPreloadMb: number }>("PATCH", "/api/settings", { body: { videoPreloadMb: value } }).then((told) => {
      setMegabytes(told.videoPreloadMb);
      setBudget(told.videoPreloadMb);
      toast("Kept.");
    }, tell);
  };
  return (
    <label>
      Video that may be loaded ahead, MB (for all browsers)
      <input
        type="number"
        min={1}
        max={10_000}
        value={megabytes ?? ""}
        onChange={(event) => save(Number(event.currentTarget.value))}
      />
    </label>
  );
}

function Keys(): JSX.Element {
  const now = settings.value;
  const [choosing, setChoosing] = useState<KeyAction | null>(null);
  usePausedKeys(choosing !== null);

  useEffect(() => {
    if (choosing === null) return undefined;
    const chosen = (event: KeyboardEvent): void => {
      const chord = chordOf(event);
      if (!chord || chord === "Tab") return;
      event.preventDefault();
      event.stopPropagation();
      setChoosing(null);
      if (chord === "Escape" && choosing !== "close") return;
      const { changes, taken } = rebound(bindings.value, choosing, [chord]);
      change({ bindings: { ...settings.value.bindings, ...changes } });
      if (taken.length) toast(`Taken from: ${taken.map((one) => ACTIONS[one].label).join("; ")}`);
    };
    addEventListener("keydown", chosen, true);
    return () => removeEventListener("keydown", chosen, true);
  }, [choosing]);

  return (
    <section class="panel">
      <h2>Keys</h2>
      <label>
        Preset
        <select
          value={now.preset}
          onChange={(event) => change({ preset: event.currentTarget.value as Preset, bindings: {} })}
        >
          <option value="mediareviewer">MediaReviewer</option>
          <option value="lightroom">Lightroom</option>
        </select>
      </label>
      <Check
        label="Keys of a single character (off: only those with Ctrl, Alt or of the arrows work)"
        on={now.characters}
        set={(characters) => change({ characters })}
      />
      <table class="keys">
        <tbody>
          {(Object.keys(ACTIONS) as KeyAction[]).map((action) => (
            <tr key={action}>
              <th scope="row">{ACTIONS[action].label}</th>
              <td>
                {bindings.value[action].map((chord) => (
                  <kbd key={chord}>{chordText(chord, isMac)}</kbd>
                ))}
              </td>
              <td>
                <Button
                  kind="quiet"
                  pressed={choosing === action}
                  label={`Change the key of: ${ACTIONS[action].label}`}
                  onClick={() => setChoosing(choosing === action ? null : action)}
                >
                  {choosing === action ? "Press a key… (Esc: leave it)" : "Change"}
                </Button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <Button disabled={bindings.value === bindingsOf(now.preset, {})} onClick={() => change({ bindings: {} })}>
        As in the preset {PRESETS[now.preset] === PRESETS.lightroom ? "Lightroom" : "MediaReviewer"}
      </Button>
    </section>
  );
}

interface ApiKey {
  id: string;
  name: string;
  scopes: string[];
  collections: string[] | null;
  createdAt: string;
  expiresAt: string | null;
}

const SCOPES = ["read", "write", "trash", "empty-trash", "admin"] as const;

function ApiKeys(): JSX.Element {
  const [keys, setKeys] = useState<readonly ApiKey[]>([]);
  const [name, setName] = useState("");
  const [scopes, setScopes] = useState<readonly string[]>(["read"]);
  const [fresh, setFresh] = useState<string | null>(null);
  const load = (): void => {
    get<{ keys: ApiKey[] }>("/api/keys").then((told) => setKeys(told.keys), tell);
  };
  useEffect(load, [epoch.value]);
  const make = (): void => {
    json<{ key: string }>("POST", "/api/keys", { body: { name, scopes } })
      .then(({ key }) => {
        setFresh(key);
        setName("");
      })
      .then(load, tell);
  };
  return (
    <section class="panel">
      <h2>API keys</h2>
      {keys.length ? (
        <table>
          <tbody>
            {keys.map((key) => (
              <tr key={key.id}>
                <th scope="row">{key.name}</th>
                <td>{key.scopes.join(", ")}</td>
                <td>{key.expiresAt ? `until ${when(key.expiresAt)}` : ""}</td>
                <td>
                  <Button
                    kind="quiet"
                    label={`Revoke ${key.name}`}
                    onClick={() => void ask("DELETE", `/api/keys/${key.id}`).then(load, tell)}
                  >
                    Revoke
                  </Button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      ) : (
        <p>None besides the admin key.</p>
      )}
      <form
        class="row-of-buttons"
        onSubmit={(event) => {
          event.preventDefault();
          make();
        }}
      >
        <label>
          Name
          <input value={name} maxLength={200} onInput={(event) => setName(event.currentTarget.value)} />
        </label>
        {SCOPES.map((scope) => (
          <label key={scope} class="check">
            <input
              type="checkbox"
              checked={scopes.includes(scope)}
              onChange={(event) =>
                setScopes(event.currentTarget.checked ? [...scopes, scope] : scopes.filter((one) => one !== scope))
              }
            />
            {scope}
          </label>
        ))}
        <button type="submit" class="button plain" disabled={!name || !scopes.length}>
          Make a key
        </button>
      </form>
      {fresh === null ? null : (
        <p class="notice" role="status">
          <span>
            The key, shown this once: <code>{fresh}</code>
          </span>
        </p>
      )}
    </section>
  );
}

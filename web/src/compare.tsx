// Two to four pictures side by side, looked at through one glass: zoom and place are the same in all of them.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { type Compared, compared, MOST_PANES } from "./comparing";
import { type Deed, doOne } from "./deeds";
import { count, items } from "./format";
import { useKeys } from "./keyboard";
import { marked, redo, statusOf, undo } from "./marks";
import { nameOf, shown } from "./paths";
import { pictureUrl } from "./picture";
import { decide, keepOnly, stackOf } from "./stacks";
import { described, stateText } from "./tile";
import { say } from "./toasts";
import type { Row } from "./types";
import { Button, Icon, useTrap } from "./ui";

/** Of the picture: how much larger than it fits, and what of it is in the middle (0..1). */
interface Glass {
  zoom: number;
  x: number;
  y: number;
}

const FIT: Glass = { zoom: 1, x: 0.5, y: 0.5 };
const MOST_ZOOM = 16;

function within({ zoom, x, y }: Glass): Glass {
  const near = Math.max(1, Math.min(MOST_ZOOM, zoom));
  const edge = 0.5 / near;
  const held = (at: number): number => Math.max(edge, Math.min(1 - edge, at));
  return { zoom: near, x: held(x), y: held(y) };
}

export function Compare(): JSX.Element | null {
  const about = compared.value;
  return about ? <Panes key={about.rows.map((row) => row.path).join("\n")} about={about} /> : null;
}

function Panes({ about }: { about: Compared }): JSX.Element {
  void marked.value;
  const { rows } = about;
  const stack = about.stack && (stackOf(about.stack.members[0]?.path ?? "") ?? about.stack);
  const [chosen, setChosen] = useState(about.chosen);
  const [glass, setGlass] = useState(FIT);
  const box = useTrap();
  const panes = useRef<HTMLDivElement>(null);
  const close = (): void => {
    compared.value = null;
  };
  const row = rows[chosen];
  // Of a larger stack four are in sight, the chosen one among them.
  const first = Math.max(0, Math.min(chosen - 1, rows.length - MOST_PANES));
  const inSight = rows.slice(first, first + MOST_PANES);

  const choose = (at: number): void => {
    const to = Math.max(0, Math.min(rows.length - 1, at));
    setChosen(to);
    const other = rows[to];
    if (other) say(`${shown(nameOf(other.path))}, ${reasonsOf(other).join(", ")}, ${stateText(statusOf(other))}`);
  };
  const member = (one: Row) => stack?.members.find((other) => other.path === one.path);
  const reasonsOf = (one: Row): string[] => member(one)?.reasons ?? [];
  const deed = (name: Deed): void => {
    if (row) doOne(row, name);
  };
  const keep = (): void => {
    if (!row) return;
    const rest = rows.filter((one) => one.path !== row.path).map((one) => one.path);
    void keepOnly(row.path, rest).then((done) => done && close());
  };
  /** One pixel of the chosen picture is one of the screen. */
  const toFull = (x: number, y: number): void => {
    const image = panes.current?.querySelector<HTMLImageElement>(".pane.chosen img");
    if (glass.zoom > 1 || !image?.naturalWidth) return setGlass(FIT);
    const fits = Math.min(image.clientWidth / image.naturalWidth, image.clientHeight / image.naturalHeight);
    setGlass(within({ zoom: Math.max(2, 1 / (fits * devicePixelRatio)), x, y }));
  };
  useKeys(
    {
      next: () => choose(chosen + 1),
      previous: () => choose(chosen - 1),
      lock: () => deed("lock"),
      trash: () => deed("trash"),
      seen: () => deed("seen"),
      clear: () => deed("clear"),
      keepBest: keep,
      zoom: () => toFull(glass.x, glass.y),
      undo: () => void undo(),
      redo: () => void redo(),
      compare: close,
      close,
    },
    true,
  );

  const drag = useRef<{ x: number; y: number; glass: Glass; moved: boolean } | null>(null);
  const onWheel = (event: WheelEvent): void => {
    event.preventDefault();
    const at = placeIn(event);
    setGlass((was) => {
      const now = within({ ...was, zoom: was.zoom * Math.exp(-event.deltaY / 300) });
      // What is under the pointer stays there.
      return within({
        zoom: now.zoom,
        x: was.x + at.x * (1 / was.zoom - 1 / now.zoom),
        y: was.y + at.y * (1 / was.zoom - 1 / now.zoom),
      });
    });
  };
  const view = useRef(onWheel);
  view.current = onWheel;
  useEffect(() => {
    const element = panes.current;
    const listener = (event: WheelEvent): void => view.current(event);
    element?.addEventListener("wheel", listener, { passive: false });
    return () => element?.removeEventListener("wheel", listener);
  }, []);
  const onPointerDown = (event: PointerEvent): void => {
    if (event.isPrimary) drag.current = { x: event.clientX, y: event.clientY, glass, moved: false };
  };
  const onPointerMove = (event: PointerEvent): void => {
    const from = drag.current;
    const pane = (event.currentTarget as HTMLElement).querySelector(".pane-view");
    if (!from || !pane || glass.zoom <= 1) return;
    const { width, height } = pane.getBoundingClientRect();
    const [x, y] = [event.clientX - from.x, event.clientY - from.y];
    if (Math.abs(x) + Math.abs(y) > 3) from.moved = true;
    setGlass(
      within({ zoom: glass.zoom, x: from.glass.x - x / width / glass.zoom, y: from.glass.y - y / height / glass.zoom }),
    );
  };
  const letGo = (): void => {
    setTimeout(() => (drag.current = null));
  };

  return (
    <div ref={box} class="compare" role="dialog" aria-modal="true" aria-label="Compare" tabIndex={-1}>
      <header class="review-head">
        <Button kind="quiet" icon="back" action="close" label="Close Compare" onClick={close} />
        <span class="review-name">
          <strong>{stack ? `Stack of ${count(rows.length)}` : `${items(rows.length, "picture")}`}</strong>
          {stack?.decision ? <span class="state">done</span> : null}
        </span>
        <span class="review-progress" aria-live="off">
          {count(chosen + 1)} of {count(rows.length)} · {glass.zoom > 1 ? `${glass.zoom.toFixed(1)}×` : "fits"}
        </span>
      </header>
      <div
        ref={panes}
        class="panes"
        role="listbox"
        aria-label="Pictures side by side"
        aria-orientation="horizontal"
        tabIndex={0}
        aria-activedescendant={`pane${chosen}`}
        data-focus=""
        data-count={inSight.length}
        onPointerDown={onPointerDown}
        onPointerMove={onPointerMove}
        onPointerUp={letGo}
        onPointerCancel={letGo}
      >
        {inSight.map((one, number) => {
          const at = first + number;
          const status = statusOf(one);
          const isSuggested = stack?.suggested === one.path;
          const facts = member(one);
          return (
            <div
              key={one.path}
              id={`pane${at}`}
              role="option"
              aria-selected={at === chosen}
              aria-label={`${described(one)}${reasonsOf(one).length ? `: ${reasonsOf(one).join(", ")}` : ""}`}
              class={`pane ${at === chosen ? "chosen" : ""} ${status.trashed ? "is-trashed" : ""}`}
              onClick={() => drag.current?.moved || choose(at)}
              onDblClick={(event) => {
                const place = placeIn(event);
                toFull(glass.x + place.x / glass.zoom, glass.y + place.y / glass.zoom);
              }}
            >
              <div class="pane-view">
                <img
                  src={pictureUrl(one.path)}
                  alt=""
                  draggable={false}
                  style={{
                    transform: `scale(${glass.zoom}) translate(${(0.5 - glass.x) * 100}%, ${(0.5 - glass.y) * 100}%)`,
                  }}
                />
              </div>
              <div class="pane-facts">
                <strong>
                  {status.locked ? <Icon name="lock" /> : status.trashed ? <Icon name="trash" /> : null}
                  {shown(nameOf(one.path))}
                </strong>
                <span class="pane-reasons">
                  {isSuggested ? <span class="reason suggested">Suggested</span> : null}
                  {reasonsOf(one).map((reason) => (
                    <span key={reason} class="reason">
                      {reason}
                    </span>
                  ))}
                </span>
                <span class="pane-numbers">
                  {one.width && one.height ? `${one.width} × ${one.height}` : ""}
                  {facts ? ` · sharpness ${Math.round(facts.sharpness * 100)} %` : ""}
                  {facts && Math.abs(facts.exposureEv) >= 0.1 ? ` · ${facts.exposureEv.toFixed(1)} EV` : ""}
                  {` · ${stateText(status)}`}
                </span>
              </div>
            </div>
          );
        })}
      </div>
      <div class="review-foot" role="toolbar" aria-label="Decide in Compare">
        <Button action="previous" label="Previous picture" icon="back" onClick={() => choose(chosen - 1)} />
        <Button kind="primary" action="keepBest" onClick={keep}>
          {row ? `Keep ${shown(nameOf(row.path))}, trash ${items(rows.length - 1, "other")}` : "Keep"}
        </Button>
        <Button action="lock" icon="lock" pressed={row && statusOf(row).locked} onClick={() => deed("lock")}>
          Lock
        </Button>
        <Button action="trash" icon="trash" pressed={row && statusOf(row).trashed} onClick={() => deed("trash")}>
          Trash
        </Button>
        <Button action="zoom" class="wide-only" onClick={() => toFull(glass.x, glass.y)}>
          {glass.zoom > 1 ? "Fit" : "100 %"}
        </Button>
        {stack ? (
          <>
            <Button onClick={() => void decide(stack, "not_a_stack").then(close)}>Not a stack</Button>
            <Button onClick={() => void decide(stack, stack.decision ? "none" : "done").then(close)}>
              {stack.decision ? "Open again" : "Done"}
            </Button>
          </>
        ) : null}
        <Button action="next" label="Next picture" icon="back" class="mirrored" onClick={() => choose(chosen + 1)} />
      </div>
    </div>
  );
}

/** Where in its pane, from the middle, in parts of the pane: -0.5..0.5. */
function placeIn(event: MouseEvent): { x: number; y: number } {
  const pane = (event.target as Element).closest(".pane")?.querySelector(".pane-view");
  if (!pane) return { x: 0, y: 0 };
  const seen = pane.getBoundingClientRect();
  return { x: (event.clientX - seen.left) / seen.width - 0.5, y: (event.clientY - seen.top) / seen.height - 0.5 };
}

// The days as a slim strip of bars: how much there is, how much of it is unseen; the same for the grid and for search.
import type { JSX } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { type Day, barsOf, type Range, within } from "./days";
import { count, dayText, items } from "./format";
import type { Filter } from "./types";

/** Narrower bars cannot be told apart. */
const BAR_PX = 4;
const HIGH_PX = 30;

interface BarsProps {
  days: readonly Day[];
  filter: Filter;
  range?: Range;
}

/** Only a picture: whoever shows it says it in words, too. */
export function Bars({ days, filter, range }: BarsProps): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const watch = new ResizeObserver(() => setWidth(element.clientWidth));
    watch.observe(element);
    setWidth(element.clientWidth);
    return () => watch.disconnect();
  }, []);
  const bars = width ? barsOf(days, filter, Math.floor(width / BAR_PX)) : [];
  const most = bars.reduce((top, bar) => Math.max(top, bar.all), 1);
  // By the root: a day of ten is seen beside one of a thousand.
  const height = (share: number): number => (share > 0 ? Math.max(2, Math.round(HIGH_PX * Math.sqrt(share))) : 0);
  return (
    <div ref={box} class="bars" aria-hidden="true">
      {bars.map((bar) => {
        const high = height(bar.all / most);
        const inside =
          range === undefined || days.slice(bar.first, bar.last + 1).some((day) => within(range, day.date));
        return (
          <div key={bar.first} class={`bar ${inside ? "" : "outside"}`} style={{ flexGrow: bar.last - bar.first + 1 }}>
            <div style={{ height: `${high}px` }}>
              <div style={{ height: `${Math.round((high * bar.unseen) / Math.max(1, bar.all))}px` }} />
            </div>
          </div>
        );
      })}
    </div>
  );
}

export function rangeText({ from, to }: Range): string {
  if (from === to && from !== undefined) return dayText(from);
  return `${from === undefined ? "" : `from ${dayText(from)} `}${to === undefined ? "" : `to ${dayText(to)}`}`.trim();
}

export function dayWords(day: Day, filter: Filter): string {
  const unseen = Math.min(day.unseen, day[filter]);
  const left = filter === "unseen" ? "" : unseen ? `, ${count(unseen)} unseen` : ", all seen";
  return `${dayText(day.date)}: ${items(day[filter])}${left}`;
}

interface ScrubberProps {
  days: readonly Day[];
  filter: Filter;
  /** Place of the day in sight; -1: none. */
  at: number;
  onGo: (day: Day) => void;
}

export function Scrubber({ days, filter, at, onGo }: ScrubberProps): JSX.Element | null {
  const [held, setHeld] = useState<number | null>(null);
  const place = held ?? at;
  const day = days[place];
  const [first, last] = [days[0], days.at(-1)];
  if (!first || !last) return null;
  return (
    <div class="scrubber" style={{ "--slots": days.length }}>
      <Bars days={days} filter={filter} />
      <input
        type="range"
        aria-label="Days"
        aria-valuetext={day ? dayWords(day, filter) : "no day chosen"}
        class={place < 0 ? "nowhere" : ""}
        min={0}
        max={days.length - 1}
        value={Math.max(0, place)}
        onInput={(event) => {
          const to = Number(event.currentTarget.value);
          const meant = days[to];
          setHeld(to);
          if (meant) onGo(meant);
        }}
        onBlur={() => setHeld(null)}
        onPointerUp={() => setHeld(null)}
        onKeyUp={() => setHeld(null)}
      />
      <div class="scrubber-words" aria-hidden="true">
        <span>{dayText(first.date)}</span>
        <strong>{day ? dayWords(day, filter) : ""}</strong>
        <span>{first === last ? "" : dayText(last.date)}</span>
      </div>
    </div>
  );
}

interface RangeProps {
  days: readonly Day[];
  range: Range;
  onRange: (range: Range) => void;
}

/** Two dates to type, and bars to draw over. */
export function DateBrush({ days, range, onRange }: RangeProps): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const [drawn, setDrawn] = useState<{ from: number; to: number } | null>(null);
  const placeOf = (event: PointerEvent): number => {
    const { left, width } = box.current?.getBoundingClientRect() ?? { left: 0, width: 1 };
    return Math.max(0, Math.min(days.length - 1, Math.floor(((event.clientX - left) / width) * days.length)));
  };
  const rangeOf = (of: { from: number; to: number }): Range => {
    const [from, to] = [days[Math.min(of.from, of.to)], days[Math.max(of.from, of.to)]];
    return from && to ? { from: from.date, to: to.date } : {};
  };
  const shown = drawn ? rangeOf(drawn) : range;
  const type = (side: "from" | "to", value: string): void => {
    const { [side]: _, ...other } = range;
    onRange(value ? { ...other, [side]: value } : other);
  };
  return (
    <fieldset class="brush">
      <legend>Dates</legend>
      <label>
        from
        <input
          type="date"
          value={shown.from ?? ""}
          max={shown.to}
          onChange={(event) => type("from", event.currentTarget.value)}
        />
      </label>
      <label>
        to
        <input
          type="date"
          value={shown.to ?? ""}
          min={shown.from}
          onChange={(event) => type("to", event.currentTarget.value)}
        />
      </label>
      {days.length ? (
        <div
          ref={box}
          class="brush-bars"
          onPointerDown={(event) => {
            if (event.button) return;
            box.current?.setPointerCapture(event.pointerId);
            setDrawn({ from: placeOf(event), to: placeOf(event) });
          }}
          onPointerMove={(event) => drawn && setDrawn({ ...drawn, to: placeOf(event) })}
          onPointerUp={() => {
            if (drawn) onRange(rangeOf(drawn));
            setDrawn(null);
          }}
          onPointerCancel={() => setDrawn(null)}
        >
          <Bars days={days} filter="all" range={shown} />
        </div>
      ) : null}
    </fieldset>
  );
}

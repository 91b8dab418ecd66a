// The grid: fixed cells, only those near the eye exist; the WAI-ARIA grid pattern; selection.
import type { JSX } from "preact";
import { Cell } from "./cell";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Signal } from "@preact/signals";
import { items } from "./format";
import { useKeys } from "./keyboard";
import type { Rows } from "./listing";
import { marked } from "./marks";
import type { Selection } from "./selection";
import { settings } from "./settings";
import { lookForStacks, stacked } from "./stacks";
import { say } from "./toasts";
import { tell } from "./api";
import { GAP, layoutOf, moved, visibleRows } from "./window";

/** Height of the name below a picture. */
const LABEL_PX = 22;
/** While a grid is flung, no picture is asked for that will be gone before it comes. */
const FLING_MS = 120;
const LONG_PRESS_MS = 400;

interface GridProps {
  rows: Rows;
  /** Counts up when there are more rows. */
  version: Signal<number>;
  label: string;
  selection: Selection;
  /** The cell that can be reached by Tab. */
  focus: Signal<number>;
  onOpen: (index: number) => void;
  judged?: (path: string) => "more" | "less" | undefined;
  /** Where it is asked to go; taken when it is there. */
  jump?: Signal<{ index: number } | null>;
  /** Told the first item in sight. */
  sight?: Signal<number>;
  /** Keys of the grid are off while something lies over it. */
  active?: boolean;
}

export function Grid(props: GridProps): JSX.Element {
  const { rows, selection, focus, onOpen } = props;
  void props.version.value;
  void marked.value;
  void stacked.value;
  const chosen = selection.paths.value;
  const box = useRef<HTMLDivElement>(null);
  const [size, setSize] = useState({ width: 0, height: 0 });
  const top = useRef(0);
  const [, setInSight] = useState("");
  const [flung, setFlung] = useState(false);
  const moves = useRef(false);
  const layout = layoutOf(size.width, settings.value.tile, LABEL_PX, rows.total);
  const { first, last } = visibleRows(layout, top.current, size.height);
  const drawn = useRef({ layout, height: size.height });
  drawn.current = { layout, height: size.height };
  /** Drawn again when another row comes into sight, not with every pixel. */
  const scrollTo = (to: number): void => {
    top.current = to;
    const { first: from, last: until } = visibleRows(drawn.current.layout, to, drawn.current.height);
    setInSight(`${from}-${until}`);
    const { columns, cellHeight } = drawn.current.layout;
    if (props.sight) props.sight.value = Math.max(0, Math.ceil(to / cellHeight - 0.5)) * columns;
  };

  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const measure = (): void => {
      const style = getComputedStyle(element);
      const width = element.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
      setSize({ width, height: element.clientHeight });
    };
    const watch = new ResizeObserver(measure);
    watch.observe(element);
    measure();
    return () => watch.disconnect();
  }, []);

  // Before anything is painted: what comes from the server takes longest.
  useLayoutEffect(() => {
    if (!size.height || !rows.total) return;
    // What has the focus is there for the keys, however far it is.
    rows.ensure(focus.value, focus.value);
    rows.ensure(first * layout.columns, (last + 1) * layout.columns - 1);
    const inSight = (last + 1 - first) * layout.columns;
    lookForStacks(Array.from({ length: Math.max(0, inSight) }, (_, at) => rows.row(first * layout.columns + at)));
  });

  // What is looked at stays in sight when cells get another size.
  useLayoutEffect(() => {
    if (size.width) show(focus.value, false);
  }, [layout.columns, layout.cellHeight]);

  // Another listing begins at its top.
  useLayoutEffect(() => {
    if (box.current) box.current.scrollTop = 0;
    scrollTo(0);
    if (focus.value > 0) show(focus.value, false);
  }, [rows]);

  const asked = props.jump?.value ?? null;
  useLayoutEffect(() => {
    if (!asked || !box.current || !size.width || !props.jump) return;
    props.jump.value = null;
    focus.value = Math.max(0, Math.min(rows.total - 1, asked.index));
    box.current.scrollTop = Math.floor(focus.value / layout.columns) * layout.cellHeight;
    scrollTo(box.current.scrollTop);
  }, [asked, size.width > 0]);
  useLayoutEffect(() => scrollTo(top.current), [layout.columns, layout.cellHeight, rows]);

  useLayoutEffect(() => {
    if (!moves.current) return;
    moves.current = false;
    cell(focus.value)?.focus({ preventScroll: true });
  });

  const scrolled = useRef({ frame: 0, at: 0, timer: 0, top: 0 });
  const onScroll = (): void => {
    const state = scrolled.current;
    if (state.frame) return;
    state.frame = requestAnimationFrame((now) => {
      state.frame = 0;
      const element = box.current;
      if (!element) return;
      const far = Math.abs(element.scrollTop - state.top) > 0.7 * element.clientHeight && now - state.at < 200;
      state.at = now;
      state.top = element.scrollTop;
      scrollTo(element.scrollTop);
      if (far) setFlung(true);
      clearTimeout(state.timer);
      state.timer = window.setTimeout(() => setFlung(false), FLING_MS);
    });
  };

  function cell(index: number): HTMLElement | null {
    return box.current?.querySelector<HTMLElement>(`[data-index="${index}"]`) ?? null;
  }

  function show(index: number, smooth: boolean): void {
    const element = box.current;
    if (!element) return;
    const from = Math.floor(index / layout.columns) * layout.cellHeight;
    const to = from + layout.cellHeight;
    if (from < element.scrollTop) element.scrollTo({ top: from, behavior: smooth ? "smooth" : "auto" });
    else if (to > element.scrollTop + element.clientHeight) element.scrollTo({ top: to - element.clientHeight + GAP });
    scrollTo(element.scrollTop);
  }

  function focusOn(index: number): void {
    moves.current = true;
    focus.value = index;
    show(index, false);
    rows.ensure(index, index);
  }

  function openAt(index: number): void {
    selection.goOn();
    onOpen(index);
  }

  function range(to: number): void {
    const from = selection.anchor < 0 ? focus.value : selection.anchor;
    selection.anchor = from;
    const [low, high] = [Math.min(from, to), Math.max(from, to)];
    const paths: string[] = [];
    for (let index = low; index <= high; index += 1) {
      const row = rows.row(index);
      if (row) paths.push(row.path);
    }
    selection.add(paths);
    if (paths.length === high - low + 1) return;
    // Rows between that were never looked at, or let go since.
    rows
      .between(low, high)
      .then((all) => {
        selection.add(all.map((row) => row.path));
        selection.anchor = from;
      })
      .catch(tell);
  }

  const step = (by: number) => (event: KeyboardEvent) => {
    if (!inside(event)) return false;
    selection.goOn();
    focusOn(Math.max(0, Math.min(rows.total - 1, focus.value + by)));
    return undefined;
  };
  const inside = (event: Event): boolean =>
    event.target === document.body || (box.current?.contains(event.target as Node) ?? false);

  useKeys(
    {
      next: step(1),
      previous: step(-1),
      open: (event) => {
        if (!inside(event) || !rows.row(focus.value)) return false;
        openAt(focus.value);
        return undefined;
      },
      select: (event) => {
        const row = rows.row(focus.value);
        if (!inside(event) || !row) return false;
        selection.toggle(row.path, focus.value);
        say(items(selection.size) + " selected");
        return undefined;
      },
      selectAll: () => {
        rows
          .everything()
          .then((all) => {
            selection.add(all.map((row) => row.path));
            say(items(selection.size) + " selected");
          })
          .catch(tell);
      },
      close: () => {
        if (!selection.size) return false;
        selection.clear();
        return undefined;
      },
    },
    false,
    props.active ?? true,
  );

  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.altKey) return;
    const page = Math.max(1, Math.floor(size.height / layout.cellHeight));
    const to = moved(event.key, event.ctrlKey || event.metaKey, focus.value, rows.total, layout.columns, page);
    if (to === null) return;
    event.preventDefault();
    if (event.shiftKey) {
      if (selection.anchor < 0) selection.anchor = focus.value;
      range(to);
    } else selection.goOn();
    focusOn(to);
  };

  const pressed = useRef({ timer: 0, long: false, touch: false });
  const indexAt = (event: Event): number => {
    const found = event.target instanceof Element ? event.target.closest<HTMLElement>("[data-index]") : null;
    return found ? Number(found.dataset.index) : -1;
  };
  const onPointerDown = (event: PointerEvent): void => {
    const index = indexAt(event);
    const state = pressed.current;
    state.touch = event.pointerType === "touch";
    state.long = false;
    clearTimeout(state.timer);
    if (!state.touch || index < 0) return;
    state.timer = window.setTimeout(() => {
      const row = rows.row(index);
      if (!row) return;
      state.long = true;
      selection.toggle(row.path, index);
      navigator.vibrate?.(10);
    }, LONG_PRESS_MS);
  };
  const stopPress = (): void => clearTimeout(pressed.current.timer);
  const onClick = (event: MouseEvent): void => {
    const index = indexAt(event);
    const row = rows.row(index);
    if (!row || pressed.current.long) return;
    focusOn(index);
    const onTick = event.target instanceof Element && event.target.closest(".choose");
    if (event.shiftKey) range(index);
    else if (onTick || event.ctrlKey || event.metaKey) selection.toggle(row.path, index);
    else if (pressed.current.touch) {
      if (selection.size) selection.toggle(row.path, index);
      else openAt(index);
    } else selection.only(row.path, index);
  };

  const onDblClick = (event: MouseEvent): void => {
    const index = indexAt(event);
    if (rows.row(index)) openAt(index);
  };
  const onFocusIn = (event: FocusEvent): void => {
    const index = indexAt(event);
    if (index >= 0 && focus.value !== index) focus.value = index;
  };

  const shownRows: number[] = [];
  for (let row = first; row <= last; row += 1) shownRows.push(row);
  // The cell that has the focus exists wherever it is.
  const focusRow = Math.floor(focus.value / layout.columns);
  if (rows.total && (focusRow < first || focusRow > last) && focusRow < layout.rows) shownRows.push(focusRow);

  return (
    <div
      ref={box}
      class="grid"
      role="grid"
      aria-label={props.label}
      aria-rowcount={layout.rows}
      aria-colcount={layout.columns}
      aria-multiselectable="true"
      onScroll={onScroll}
      onKeyDown={onKeyDown}
    >
      <div
        class="sizer"
        role="presentation"
        style={{ height: `${layout.height}px` }}
        onFocusIn={onFocusIn}
        onClick={onClick}
        onDblClick={onDblClick}
        onPointerDown={onPointerDown}
        onPointerUp={stopPress}
        onPointerMove={(event) => (Math.abs(event.movementY) > 3 ? stopPress() : undefined)}
        onPointerCancel={stopPress}
        onContextMenu={(event) => pressed.current.touch && event.preventDefault()}
      >
        {shownRows.map((number) => (
          <div
            key={number}
            class="row"
            role="row"
            aria-rowindex={number + 1}
            style={{ transform: `translateY(${number * layout.cellHeight}px)`, height: `${layout.cellHeight}px` }}
          >
            {Array.from({ length: Math.min(layout.columns, rows.total - number * layout.columns) }, (_, column) => {
              const index = number * layout.columns + column;
              const row = rows.row(index);
              return (
                <Cell
                  key={index}
                  row={row}
                  index={index}
                  column={column}
                  width={layout.cellWidth - GAP}
                  size={settings.value.tile}
                  filter={rows.filter}
                  chosen={row !== undefined && chosen.has(row.path)}
                  tabbable={index === focus.value}
                  eager={!flung}
                  judged={row && props.judged?.(row.path)}
                />
              );
            })}
          </div>
        ))}
      </div>
    </div>
  );
}

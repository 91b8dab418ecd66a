// Which cells of a grid of fixed cells are in sight. Pure.

export interface Layout {
  columns: number;
  cellWidth: number;
  cellHeight: number;
  rows: number;
  height: number;
}

export const GAP = 8;
const LARGE = 320;
const NARROW = 280;
/** Beyond this no browser places things exactly. */
const MOST_PX = 30_000_000;

export function layoutOf(width: number, tile: number, labels: number, total: number): Layout {
  const fitting = Math.max(1, Math.floor((width + GAP) / (tile + GAP)));
  // On a phone two smaller ones show more than one large one, unless large ones are asked for.
  const columns = fitting === 1 && tile < width && tile < LARGE && width >= NARROW ? 2 : fitting;
  const cellWidth = Math.floor((width + GAP) / columns);
  // Of one or two columns the tiles fill the width; a tile is never larger than it is wide.
  const cellHeight = Math.min(cellWidth, tile + GAP) + labels;
  const rows = Math.ceil(total / columns);
  return { columns, cellWidth, cellHeight, rows, height: Math.min(rows * cellHeight, MOST_PX) };
}

/** Rows to render: those in sight and a screen on each side, so at most three screens. */
export function visibleRows(layout: Layout, scrollTop: number, height: number): { first: number; last: number } {
  const first = Math.max(0, Math.floor((scrollTop - height) / layout.cellHeight));
  const last = Math.min(layout.rows - 1, Math.ceil((scrollTop + 2 * height) / layout.cellHeight) - 1);
  return { first, last };
}

/** Where the focus goes by a key of the ARIA grid pattern; null when it is none of those. */
export function moved(
  key: string,
  ctrl: boolean,
  index: number,
  total: number,
  columns: number,
  page: number,
): number | null {
  const rowStart = index - (index % columns);
  const within = (at: number): number => Math.max(0, Math.min(total - 1, at));
  switch (key) {
    case "ArrowRight":
      return within(index + 1);
    case "ArrowLeft":
      return within(index - 1);
    case "ArrowDown":
      return index + columns < total ? index + columns : index;
    case "ArrowUp":
      return index >= columns ? index - columns : index;
    case "Home":
      return ctrl ? 0 : rowStart;
    case "End":
      return ctrl ? total - 1 : within(rowStart + columns - 1);
    case "PageDown":
      return within(Math.min(index + page * columns, total - 1));
    case "PageUp":
      return within(Math.max(index - page * columns, index % columns));
    default:
      return null;
  }
}

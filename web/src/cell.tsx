// One cell of the grid. It is drawn again only when something of it changed: a grid of sixty of them is drawn again with
// every mark, every step of the focus and every row that is scrolled by.
import { Component, type JSX } from "preact";
import { emptied, statusOf } from "./marks";
import { isOpen, type Stack, stackOf } from "./stacks";
import { described, Tile } from "./tile";
import { type Filter, type Row, same, type Status } from "./types";

interface CellProps {
  row: Row | undefined;
  index: number;
  column: number;
  width: number;
  size: number;
  filter: Filter;
  chosen: boolean;
  /** It is the one that can be reached by Tab. */
  tabbable: boolean;
  eager: boolean;
  judged: "more" | "less" | undefined;
}

/** What the marks and the stacks make of a cell; they are no part of its row. */
interface Seen {
  status: Status | null;
  gone: boolean;
  stack: Stack | null;
  /** Its stack is still to be decided. */
  open: boolean;
}

const NOTHING: Seen = { status: null, gone: false, stack: null, open: false };

function seenOf(row: Row | undefined): Seen {
  if (!row) return NOTHING;
  const stack = stackOf(row.path);
  return { status: statusOf(row), gone: emptied.has(row.path), stack, open: stack !== null && isOpen(stack) };
}

export class Cell extends Component<CellProps> {
  private drawn = NOTHING;

  override shouldComponentUpdate(next: CellProps): boolean {
    const before = this.props;
    for (const name of Object.keys(next) as (keyof CellProps)[]) if (before[name] !== next[name]) return true;
    const now = seenOf(next.row);
    if (now.gone !== this.drawn.gone || now.stack !== this.drawn.stack || now.open !== this.drawn.open) return true;
    return now.status !== null && (this.drawn.status === null || !same(now.status, this.drawn.status));
  }

  /** Its events are handled by the grid: sixty cells with ten closures each are work for every frame. */
  override render({
    row,
    index,
    column,
    width,
    size,
    filter,
    chosen,
    tabbable,
    eager,
    judged,
  }: CellProps): JSX.Element {
    this.drawn = seenOf(row);
    return (
      <div
        role="gridcell"
        class={chosen ? "cell chosen" : "cell"}
        aria-colindex={column + 1}
        aria-selected={chosen}
        aria-label={row ? described(row) : "loading"}
        tabIndex={tabbable ? 0 : -1}
        data-index={index}
        data-path={row?.path}
        style={{ width: `${width}px` }}
      >
        <Tile row={row} filter={filter} size={size} eager={eager} judged={judged} />
        <span class="choose" aria-hidden="true" />
      </div>
    );
  }
}

// What Compare is open on, and what its keys mean from the grid and from review.
import { signal } from "@preact/signals";
import { useKeys } from "./keyboard";
import { isOpen, keepOnly, rowOfMember, type Stack, stackOf } from "./stacks";
import { say, toast } from "./toasts";
import type { Row } from "./types";

export const MOST_PANES = 4;

export interface Compared {
  rows: readonly Row[];
  stack: Stack | null;
  /** Place of the one that begins as chosen. */
  chosen: number;
}

export const compared = signal<Compared | null>(null);

export function compareStack(stack: Stack): void {
  const chosen = stack.members.findIndex((one) => one.path === stack.suggested);
  compared.value = { rows: stack.members.map(rowOfMember), stack, chosen: Math.max(0, chosen) };
}

function tellNone(text: string): void {
  say(text);
  toast(text);
}

/** The stack of the item, or the selection when it is in none. */
export function compare(row: Row | undefined, selected: readonly Row[]): void {
  const stack = row ? stackOf(row.path) : null;
  const pictures = selected.filter((one) => !one.video);
  if (stack) compareStack(stack);
  else if (pictures.length >= 2 && pictures.length <= MOST_PANES)
    compared.value = { rows: pictures, stack: null, chosen: 0 };
  else if (pictures.length > MOST_PANES) tellNone(`At most ${MOST_PANES} pictures can be compared`);
  else tellNone("No stack here: select 2 to 4 pictures to compare them");
}

/** Keep the suggested one of the item's stack. */
export async function keepBestOf(row: Row, then?: (stack: Stack) => void): Promise<void> {
  const stack = stackOf(row.path);
  if (!stack) return tellNone("This picture is in no stack");
  if (!isOpen(stack)) return tellNone("This stack is decided already");
  const rest = stack.members.filter((one) => one.path !== stack.suggested).map((one) => one.path);
  if (await keepOnly(stack.suggested, rest)) then?.(stack);
}

interface StackKeys {
  /** The item that is meant; none: the keys are not for here. */
  current: () => Row | undefined;
  selected: () => readonly Row[];
  then?: (stack: Stack) => void;
}

export function useStackKeys({ current, selected, then }: StackKeys, active = true): void {
  useKeys(
    {
      compare: () => {
        const row = current();
        if (!row && !selected().length) return false;
        compare(row, selected());
        return undefined;
      },
      keepBest: () => {
        const row = current();
        if (!row) return false;
        void keepBestOf(row, then);
        return undefined;
      },
    },
    false,
    active,
  );
}

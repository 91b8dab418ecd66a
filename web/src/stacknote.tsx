// In review: that the item is one of several takes, which one is suggested, and what can be done about it.
import type { JSX } from "preact";
import { compareStack, keepBestOf } from "./comparing";
import { count } from "./format";
import { marked } from "./marks";
import { nameOf, shown } from "./paths";
import { decide, isOpen, type Stack, stackOf } from "./stacks";
import type { Row } from "./types";
import { Button } from "./ui";

export function StackNote({ row, onKept }: { row: Row; onKept: (stack: Stack) => void }): JSX.Element | null {
  void marked.value;
  const stack = stackOf(row.path);
  if (!stack) return null;
  const at = stack.members.findIndex((one) => one.path === row.path);
  const best = stack.members.find((one) => one.path === stack.suggested);
  const mine = stack.members[at];
  const said =
    row.path === stack.suggested
      ? `suggested: ${best?.reasons.join(", ").toLowerCase()}`
      : `${mine?.reasons.join(", ").toLowerCase()}; suggested is ${shown(nameOf(stack.suggested))}`;
  return (
    <div class="stack-note" role="group" aria-label="Stack">
      <span>
        <strong>
          {count(at + 1)} of a stack of {count(stack.members.length)}
        </strong>{" "}
        {stack.decision ? "done" : said}
      </span>
      <Button action="compare" onClick={() => compareStack(stack)}>
        Compare
      </Button>
      {isOpen(stack) ? (
        <Button action="keepBest" onClick={() => void keepBestOf(row, onKept)}>
          Keep best
        </Button>
      ) : null}
      <Button class="wide-only" onClick={() => void decide(stack, "not_a_stack")}>
        Not a stack
      </Button>
      <Button class="wide-only" onClick={() => void decide(stack, stack.decision ? "none" : "done")}>
        {stack.decision ? "Open again" : "Done"}
      </Button>
    </div>
  );
}

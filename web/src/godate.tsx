// "Go to date": a date to type, the months and days to choose from, and the listing narrowed to some days.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { type Day, type Histogram, isRange, monthsOf, nearest, type Range } from "./days";
import { Bars, DateBrush, dayWords } from "./daystrip";
import { count, items, monthText } from "./format";
import type { Filter } from "./types";
import { Button, Dialog } from "./ui";

interface GoToDateProps {
  told: Histogram;
  /** Those of the listing. */
  days: readonly Day[];
  filter: Filter;
  range: Range;
  onGo: (day: Day) => void;
  onRange: (range: Range) => void;
  onClose: () => void;
}

export function GoToDate(props: GoToDateProps): JSX.Element {
  const { told, days, filter, range, onGo, onRange, onClose } = props;
  const [typed, setTyped] = useState("");
  const months = monthsOf(days, filter);
  const meant = typed ? nearest(days, typed) : undefined;
  return (
    <Dialog title="Go to date" onClose={onClose}>
      <div class="go-date">
        <form
          onSubmit={(event) => {
            event.preventDefault();
            if (meant) onGo(meant);
          }}
        >
          <label>
            Date
            <input
              type="date"
              data-focus
              value={typed}
              min={days[0]?.date}
              max={days.at(-1)?.date}
              onInput={(event) => setTyped(event.currentTarget.value)}
            />
          </label>
          <button type="submit" class="button primary" disabled={!meant}>
            Go
          </button>
        </form>
        <p class="hint" role="status">
          {typed && meant && meant.date !== typed ? `Nothing of that day. The next is ${dayWords(meant, filter)}.` : ""}
          {meant && meant.date === typed ? dayWords(meant, filter) : ""}
        </p>
        <Bars days={days} filter={filter} />
        {days.length ? (
          <ul class="months" aria-label="Months">
            {months.map((month, place) => (
              <li key={month.month}>
                <details open={months.length === 1 || (place === months.length - 1 && months.length < 4)}>
                  <summary>
                    {monthText(month.month)} <span class="number">{items(month.all)}</span>
                    {month.unseen && filter !== "unseen" ? ` · ${count(month.unseen)} unseen` : ""}
                  </summary>
                  <ul>
                    {month.days.map((day) => (
                      <li key={day.date}>
                        <button type="button" class="link" onClick={() => onGo(day)}>
                          {dayWords(day, filter)}
                        </button>
                      </li>
                    ))}
                  </ul>
                </details>
              </li>
            ))}
          </ul>
        ) : (
          <p>Nothing here has a date yet.</p>
        )}
        {told.undated.all ? <p class="hint">{items(told.undated.all)} not dated yet; they come last.</p> : null}
        <DateBrush days={told.days} range={range} onRange={onRange} />
      </div>
      <footer>
        {isRange(range) ? <Button onClick={() => onRange({})}>All dates</Button> : null}
        <Button onClick={onClose}>Close</Button>
      </footer>
    </Dialog>
  );
}

import assert from "node:assert/strict";
import { test } from "node:test";
import { barsOf, dayIn, daysOf, monthsOf, nearest, placeAt, rowsBefore, totalOf } from "../src/days";

const day = (date, all, unseen = all) => ({ date, all, unseen, seen: all - unseen, locked: 0, trashed: 0 });
const DAYS = [day("2025-12-31", 3, 0), day("2026-01-01", 2, 1), day("2026-01-09", 10), day("2026-02-01", 1)];
const TOLD = {
  path: "/r",
  days: DAYS,
  undated: { all: 4, unseen: 4, seen: 0, locked: 0, trashed: 0 },
  ignoredCount: 0,
  nextFolder: null,
};

test("a day is a date that there is, written in full", () => {
  assert.equal(dayIn("2026-02-28"), "2026-02-28");
  for (const text of ["2026-02-30", "2026-2-3", "", "12 April", "2026-13-01", undefined])
    assert.equal(dayIn(text), undefined);
});

test("rows of a listing by date are found by counting, and back", () => {
  for (const filter of ["all", "unseen"]) {
    const days = daysOf(DAYS, filter);
    for (const [place, one] of days.entries()) {
      const first = rowsBefore(days, filter, one.date);
      assert.equal(placeAt(days, filter, first), place);
      assert.equal(placeAt(days, filter, first + one[filter] - 1), place);
    }
    assert.equal(placeAt(days, filter, totalOf({ ...TOLD, undated: { ...TOLD.undated, [filter]: 0 } }, filter)), -1);
  }
});

test("what has no date is in no range, and in every listing without one", () => {
  assert.equal(totalOf(TOLD, "all"), 20);
  assert.equal(totalOf(TOLD, "all", { from: "2026-01-01", to: "2026-01-31" }), 12);
  assert.equal(totalOf(TOLD, "unseen", { to: "2026-01-01" }), 1);
});

test("a date without items leads to the next with some, and behind the last to the last", () => {
  assert.equal(nearest(DAYS, "2026-01-02").date, "2026-01-09");
  assert.equal(nearest(DAYS, "2030-01-01").date, "2026-02-01");
  assert.equal(nearest([], "2026-01-01"), undefined);
});

test("bars hold every day once and are no more than fit", () => {
  for (const most of [1, 2, 3, 4, 100]) {
    const bars = barsOf(DAYS, "all", most);
    assert.ok(bars.length <= most);
    assert.equal(
      bars.reduce((sum, bar) => sum + bar.all, 0),
      16,
    );
    assert.deepEqual(
      bars.flatMap((bar) => Array.from({ length: bar.last - bar.first + 1 }, (_, step) => bar.first + step)),
      [0, 1, 2, 3],
    );
  }
});

test("months are in order with what is unseen of them", () => {
  assert.deepEqual(
    monthsOf(DAYS, "all").map(({ month, all, unseen }) => [month, all, unseen]),
    [
      ["2025-12", 3, 0],
      ["2026-01", 12, 11],
      ["2026-02", 1, 1],
    ],
  );
});

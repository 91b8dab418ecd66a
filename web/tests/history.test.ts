import assert from "node:assert/strict";
import { test } from "node:test";
import { deedOf, emptiedWords, placeOf, type StepEntry, undoWords, wordsOf } from "../src/historywords";
import { UNMARKED } from "../src/types";

const SEEN = { ...UNMARKED, seen: true };
const TRASHED = { ...SEEN, trashed: true };
const LOCKED = { ...SEEN, locked: true };
const NONE = { done: 0, changed: 0, locked: 0, emptied: 0, gone: 0, offline: 0, failed: 0 };

function step(changes: StepEntry["changes"], more: Partial<StepEntry> = {}): StepEntry {
  const files = changes.reduce((sum, one) => sum + one.count, 0);
  return {
    type: "step",
    id: 1,
    kind: "batch",
    at: "",
    files,
    standing: files,
    emptied: 0,
    changes,
    folder: "/photos/DCIM/100MEDIA",
    first: "/photos/DCIM/100MEDIA/IMG_0042.JPG",
    reverts: [],
    revertsCount: 0,
    ...more,
  };
}

test("a step is told by what it did, and where", () => {
  const trashed = step([
    { before: UNMARKED, after: TRASHED, count: 300 },
    { before: SEEN, after: TRASHED, count: 12 },
  ]);
  assert.equal(wordsOf(trashed, ["/photos"]), "Trashed 312 items in photos/DCIM/100MEDIA");
  assert.equal(wordsOf(step([{ before: UNMARKED, after: LOCKED, count: 1 }]), ["/photos"]), "Locked IMG_0042.JPG");
  assert.equal(deedOf(step([{ before: UNMARKED, after: SEEN, count: 2 }])), "Marked seen 2 items");
});

test("mixed changes are told in one sentence, locks first", () => {
  const best = step([
    { before: SEEN, after: TRASHED, count: 4 },
    { before: SEEN, after: LOCKED, count: 1 },
  ]);
  assert.equal(deedOf(best), "Locked 1 and trashed 4 items");
  const more = [...best.changes, { before: TRASHED, after: LOCKED, count: 2 }];
  assert.equal(deedOf(step(more)), "Locked 1, trashed 4 and locked and restored 2 items");
});

test("an undo is called by what it took back, a redo by what it did", () => {
  const back = [{ before: TRASHED, after: UNMARKED, count: 3 }];
  assert.equal(wordsOf(step(back, { kind: "undo", revertsCount: 1 }), []), "Undone: Trashed 3 items");
  assert.equal(wordsOf(step(back, { kind: "undo", revertsCount: 2 }), []), "Undone, 2 steps: Trashed 3 items");
  const again = [{ before: UNMARKED, after: TRASHED, count: 3 }];
  assert.equal(wordsOf(step(again, { kind: "redo", revertsCount: 1 }), []), "Done again: Trashed 3 items");
});

test("a folder is named from its deepest review path on", () => {
  assert.equal(placeOf("/a/b/c", ["/a", "/a/b", "/a/bc"]), "b/c");
  assert.equal(placeOf("/a/b", ["/a/b"]), "b");
  assert.equal(placeOf("/a", ["/a/b"]), "");
});

test("what was left alone is said", () => {
  assert.equal(undoWords({ ...NONE, done: 309, changed: 3 }), "309 put back; 3 were changed since and are left alone.");
  assert.equal(undoWords({ ...NONE, offline: 1 }), "Nothing was put back; 1 can't be reached now.");
  assert.equal(undoWords({ ...NONE, done: 2 }, true), "2 done again.");
  const receipt = { id: "r", deleted: 40, errors: 0, skipped: 0, bytes: 1.2e9, finishedAt: "2026-04-12T21:50:19Z" };
  assert.equal(emptiedWords({ type: "emptied", at: "", receipt }), "Emptied the trash: 40 files, 1.2 GB");
});

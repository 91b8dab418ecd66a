import assert from "node:assert/strict";
import { test } from "node:test";
import { bytes, duration } from "../src/format";
import { LineCutter } from "../src/lines";
import { quoted, shown, unquoted } from "../src/paths";
import { after, fits, UNMARKED } from "../src/types";
import { layoutOf, moved, visibleRows } from "../src/window";

test("lines are whole however the text is cut", () => {
  const text = '{"a":1}\n{"b":"x\\ny"}\n{"c":3}\n';
  for (let size = 1; size < text.length; size += 1) {
    const cutter = new LineCutter();
    const found = [];
    for (let at = 0; at < text.length; at += size) found.push(...cutter.push(text.slice(at, at + size)));
    assert.deepEqual(found, [{ a: 1 }, { b: "x\ny" }, { c: 3 }]);
  }
});

test("any path survives an address, bytes that are no UTF-8 too", () => {
  for (const path of [
    "/a b/c.jpg",
    "/été/旅/😀.png",
    "/odd\udcff\udc80name.jpg",
    "/100%/a?b#c&d=e+f.jpg",
    "/x\udcc3y",
  ]) {
    assert.equal(unquoted(quoted(path)), path);
  }
  assert.equal(quoted("/a\udcff.jpg"), "/a%FF.jpg");
  assert.equal(shown("a\udcff😀"), "a\uFFFD😀");
});

test("a lock is stronger than trash, and both are seeing", () => {
  assert.equal(after({ ...UNMARKED, locked: true }, "trash"), null);
  assert.deepEqual(after(UNMARKED, "trash"), { locked: false, trashed: true, seen: true });
  assert.deepEqual(after({ locked: false, trashed: true, seen: true }, "lock"), {
    locked: true,
    trashed: true,
    seen: true,
  });
  assert.ok(fits("unseen", UNMARKED) && !fits("seen", UNMARKED) && fits("all", UNMARKED) && !fits("locked", UNMARKED));
});

test("rendered rows are three screens at most, and the height is of all of them", () => {
  const layout = layoutOf(1200, 224, 22, 100_000);
  assert.equal(layout.columns, 5);
  assert.equal(layout.rows, 20_000);
  assert.equal(layout.height, layout.rows * layout.cellHeight);
  const { first, last } = visibleRows(layout, 1_000_000, 900);
  assert.ok((last - first + 1) * layout.cellHeight <= 3 * 900 + 2 * layout.cellHeight);
  assert.ok(first * layout.cellHeight <= 1_000_000 - 900 + layout.cellHeight);
  assert.deepEqual(visibleRows(layoutOf(300, 224, 22, 3), 0, 900), { first: 0, last: 1 });
});

test("the keys of the grid pattern stay within the grid", () => {
  const at = (key, index, ctrl = false) => moved(key, ctrl, index, 23, 5, 2);
  assert.equal(at("ArrowRight", 22), 22);
  assert.equal(at("ArrowDown", 20), 20);
  assert.equal(at("ArrowDown", 12), 17);
  assert.equal(at("ArrowUp", 3), 3);
  assert.equal(at("Home", 13), 10);
  assert.equal(at("End", 13), 14);
  assert.equal(at("End", 21), 22);
  assert.equal(at("Home", 13, true), 0);
  assert.equal(at("End", 13, true), 22);
  assert.equal(at("PageDown", 1), 11);
  assert.equal(at("PageUp", 6), 1);
  assert.equal(at("x", 6), null);
});

test("figures are for people", () => {
  assert.equal(bytes(999), "999 B");
  assert.equal(bytes(38_200_000_000), "38.2 GB");
  assert.equal(duration(65), "1:05");
  assert.equal(duration(3661), "1:01:01");
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { Listing } from "../src/listing";
import { fits, UNMARKED } from "../src/types";

const named = (number) => `/r/${String(number).padStart(5, "0")}.jpg`;

/** A server with so many files, some of which have marks by now. */
function world(count, filter = "all", chunk = 10, most = Infinity) {
  const states = new Map();
  const asked = [];
  const statusOf = (row) => states.get(row.path) ?? row.status;
  const fetch = async (from, limit) => {
    asked.push(from.after ?? from.offset);
    let all = Array.from({ length: count }, (_, number) => named(number)).filter((path) =>
      fits(filter, states.get(path) ?? UNMARKED),
    );
    if (from.after !== undefined) all = all.filter((path) => path > from.after);
    else all = all.slice(from.offset);
    const rows = all.slice(0, limit).map((path) => ({ path, status: states.get(path) ?? UNMARKED }));
    return { rows, last: rows.length < limit };
  };
  const errors = [];
  const held = new Set();
  const dropped = [];
  const around = {
    statusOf,
    changed: () => undefined,
    failed: (error) => errors.push(error),
    isHeld: (row) => held.has(row.path),
    dropped: (rows) => dropped.push(...rows.map((row) => row.path)),
  };
  const listing = new Listing(filter, count, fetch, around, chunk, most);
  return { listing, states, asked, errors, held, dropped };
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 5));

test("only what is looked at is asked for, and once", async () => {
  const { listing, asked } = world(1000);
  listing.ensure(0, 15);
  listing.ensure(0, 15);
  await settle();
  assert.deepEqual(asked.length, 2);
  assert.equal(listing.row(0).path, named(0));
  assert.equal(listing.row(19).path, named(19));
  assert.equal(listing.row(20), undefined);
  assert.equal(listing.indexOf(named(7)), 7);
});

test("behind rows that are there the cursor is used, elsewhere the offset", async () => {
  const { listing, asked } = world(1000);
  listing.ensure(500, 505);
  await settle();
  listing.ensure(510, 511);
  await settle();
  assert.deepEqual(asked, [500, named(509)]);
  assert.equal(listing.row(510).path, named(510));
});

test("items that were marked and left the filter are not skipped over", async () => {
  const { listing, states } = world(100, "unseen");
  listing.ensure(0, 9);
  await settle();
  for (let number = 0; number < 5; number += 1) states.set(named(number), { ...UNMARKED, seen: true });
  listing.ensure(10, 19);
  await settle();
  assert.equal(listing.row(10).path, named(10), "by the cursor");
  listing.ensure(50, 59);
  await settle();
  assert.equal(listing.row(50).path, named(50), "by the offset, less those that have left");
  assert.equal(listing.row(0).path, named(0), "what has left stays where it is");
});

test("the end of the listing is the end, whatever was counted", async () => {
  const { listing } = world(25);
  listing.total = 40;
  await listing.everything();
  assert.equal(listing.total, 25);
});

test("everything is all of it, once each", async () => {
  const { listing } = world(95);
  listing.ensure(40, 45);
  const rows = await listing.everything();
  assert.deepEqual(
    rows.map((row) => row.path),
    Array.from({ length: 95 }, (_, number) => named(number)),
  );
});

test("a chunk that failed is asked for again after a retry", async () => {
  const { listing, errors } = world(50);
  const real = listing.fetch;
  listing.fetch = () => Promise.reject(new Error("away"));
  listing.ensure(0, 5);
  await settle();
  assert.equal(errors.length, 1);
  listing.fetch = real;
  listing.ensure(0, 5);
  await settle();
  assert.equal(listing.row(0), undefined, "not by itself");
  listing.retry();
  listing.ensure(0, 5);
  await settle();
  assert.equal(listing.row(0).path, named(0));
});

test("after an abort nothing comes any more and nothing is said", async () => {
  const { listing, errors } = world(50);
  listing.ensure(0, 5);
  listing.abort();
  await settle();
  assert.equal(listing.row(0), undefined);
  assert.deepEqual(errors, []);
});

test("rows that are kept are bounded, however far is scrolled; what comes back is the same", async () => {
  const { listing, asked, dropped } = world(2000, "all", 10, 5);
  for (let index = 0; index < 2000; index += 10) {
    listing.ensure(index, index + 9);
    await settle();
    assert.ok(listing.loaded <= 50, `${listing.loaded} rows at ${index}`);
    assert.equal(listing.row(index + 9).path, named(index + 9));
  }
  assert.equal(listing.loaded + new Set(dropped).size, 2000, "who kept something of a dropped row is told");
  assert.equal(listing.row(0), undefined);
  assert.equal(listing.indexOf(named(0)), -1);
  listing.ensure(500, 505);
  await settle();
  assert.equal(listing.row(505).path, named(505));
  assert.equal(asked.at(-1), named(499), "by the cursor, which outlives the rows before it");
});

test("what is looked at again is not the next to go", async () => {
  const { listing } = world(2000, "all", 10, 3);
  for (const index of [0, 10, 20]) {
    listing.ensure(index, index);
    await settle();
  }
  listing.ensure(0, 0);
  listing.ensure(30, 30);
  await settle();
  assert.equal(listing.row(0).path, named(0));
  assert.equal(listing.row(10), undefined);
});

test("what is held and what has left the filter stays, and the places behind it are right", async () => {
  const { listing, states, held } = world(2000, "unseen", 10, 3);
  listing.ensure(0, 9);
  await settle();
  for (let number = 0; number < 5; number += 1) states.set(named(number), { ...UNMARKED, seen: true });
  listing.ensure(10, 19);
  await settle();
  held.add(named(15));
  for (let index = 100; index < 300; index += 10) {
    listing.ensure(index, index + 9);
    await settle();
    assert.equal(listing.row(index).path, named(index));
  }
  assert.equal(listing.row(0).path, named(0), "has left the filter here: it keeps its place");
  assert.equal(listing.row(15).path, named(15), "held");
  assert.ok(listing.loaded <= 50);
});

test("all rows, and all between two, come whole from a listing that keeps few", async () => {
  const { listing } = world(195, "all", 10, 2);
  listing.ensure(40, 45);
  await settle();
  const every = await listing.everything();
  assert.deepEqual(
    every.map((row) => row.path),
    Array.from({ length: 195 }, (_, number) => named(number)),
  );
  const some = await listing.between(17, 62);
  assert.deepEqual(
    some.map((row) => row.path),
    Array.from({ length: 46 }, (_, number) => named(17 + number)),
  );
  assert.equal((await listing.between(190, 500)).at(-1).path, named(194));
});

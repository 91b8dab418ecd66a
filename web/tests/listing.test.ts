import assert from "node:assert/strict";
import { test } from "node:test";
import { Listing } from "../src/listing";
import { fits, UNMARKED } from "../src/types";

const named = (number) => `/r/${String(number).padStart(5, "0")}.jpg`;

/** A server with so many files, some of which have marks by now. */
function world(count, filter = "all", chunk = 10) {
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
  const listing = new Listing(
    filter,
    count,
    fetch,
    statusOf,
    () => undefined,
    (error) => errors.push(error),
    chunk,
  );
  return { listing, states, asked, errors };
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

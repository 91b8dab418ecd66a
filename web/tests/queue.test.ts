import assert from "node:assert/strict";
import { test } from "node:test";
import { MarkQueue } from "../src/queue";
import { after, UNMARKED } from "../src/types";

class Gone extends Error {}

/** A server that applies actions, one by one, when it is told to. */
function world() {
  const states = new Map();
  const sent = [];
  const kept = [];
  const refused = [];
  const confirmed = [];
  let away = false;
  const gates = [];
  const queue = new MarkQueue({
    send: async (mark) => {
      await new Promise((resolve) => gates.push(resolve));
      if (away) throw new Gone();
      sent.push(`${mark.path} ${mark.action}`);
      const now = after(states.get(mark.path) ?? UNMARKED, mark.action);
      if (now === null) throw new Error("locked");
      states.set(mark.path, now);
      return now;
    },
    isGone: (error) => error instanceof Gone,
    keep: (waiting) => kept.push(waiting.map((mark) => `${mark.path} ${mark.action}`)),
    confirmed: (mark, before, now) => confirmed.push({ mark, before, now }),
    refused: (mark, error) => refused.push({ mark, error }),
  });
  const turn = () => new Promise((resolve) => setTimeout(resolve, 0));
  const answerAll = async () => {
    while (gates.length) {
      gates.shift()();
      await turn();
    }
  };
  return { queue, sent, kept, refused, confirmed, states, answerAll, turn, leave: (on) => (away = on) };
}

test("a mark is wanted at once and sent once", async () => {
  const { queue, sent, answerAll } = world();
  queue.learn("a", UNMARKED);
  queue.add("a", "trash");
  assert.deepEqual(queue.wanted("a"), { locked: false, trashed: true, seen: true });
  assert.deepEqual(queue.real("a"), UNMARKED);
  await answerAll();
  assert.deepEqual(sent, ["a trash"]);
  assert.equal(queue.size, 0);
  assert.deepEqual(queue.real("a"), { locked: false, trashed: true, seen: true });
});

test("marks of one file go one after the other, in order", async () => {
  const { queue, sent, answerAll } = world();
  queue.learn("a", UNMARKED);
  queue.add("a", "lock");
  queue.add("a", "unlock");
  queue.add("a", "trash");
  await answerAll();
  assert.deepEqual(sent, ["a lock", "a unlock", "a trash"]);
});

test("what takes back a mark that was not sent is dropped with it", async () => {
  const { queue, sent, answerAll } = world();
  queue.learn("a", { ...UNMARKED, seen: true });
  queue.add("a", "seen"); // under way
  const first = queue.add("a", "trash");
  assert.ok("added" in first);
  assert.deepEqual(queue.add("a", "untrash"), { dropped: first.added });
  await answerAll();
  assert.deepEqual(sent, ["a seen"]);
});

test("what does not wholly take it back is sent: trashing has also been seeing", async () => {
  const { queue, sent, answerAll } = world();
  queue.learn("a", UNMARKED);
  queue.hold();
  queue.add("a", "trash");
  queue.add("a", "untrash");
  queue.resume();
  await answerAll();
  assert.deepEqual(sent, ["a trash", "a untrash"]);
});

test("a refusal rolls that file back and no other", async () => {
  const { queue, refused, states, answerAll } = world();
  states.set("a", { locked: true, trashed: false, seen: true });
  queue.learn("a", UNMARKED); // it was locked elsewhere
  queue.learn("b", UNMARKED);
  queue.add("a", "trash");
  queue.add("b", "trash");
  await answerAll();
  assert.equal(refused.length, 1);
  assert.deepEqual(queue.wanted("a"), UNMARKED);
  assert.equal(queue.wanted("b").trashed, true);
});

test("while nobody answers marks are kept, and then they are sent once and in order", async () => {
  const { queue, sent, kept, answerAll, leave } = world();
  for (const path of ["a", "b"]) queue.learn(path, UNMARKED);
  leave(true);
  queue.add("a", "lock");
  await answerAll();
  queue.add("b", "trash");
  queue.add("a", "unlock");
  await answerAll();
  assert.deepEqual(sent, []);
  assert.deepEqual(kept.at(-1), ["a lock", "b trash", "a unlock"]);
  assert.equal(queue.wanted("b").trashed, true);
  leave(false);
  queue.resume();
  await answerAll();
  assert.deepEqual([...sent].sort(), ["a lock", "a unlock", "b trash"]);
  assert.ok(sent.indexOf("a lock") < sent.indexOf("a unlock"));
  assert.deepEqual(kept.at(-1), []);
});

test("a mark that was not sent can be withdrawn, one that was not", async () => {
  const { queue, answerAll, leave } = world();
  queue.learn("a", UNMARKED);
  leave(true);
  const { added } = queue.add("a", "trash");
  await answerAll();
  assert.ok(queue.withdraw(new Set([added])));
  assert.deepEqual(queue.wanted("a"), UNMARKED);
  assert.ok(!queue.withdraw(new Set([added])));
});

test("settled waits for what is under way, and not for what is held", async () => {
  const { queue, answerAll, turn } = world();
  queue.learn("a", UNMARKED);
  queue.add("a", "seen");
  let settled = false;
  void queue.settled().then(() => (settled = true));
  await turn();
  assert.equal(settled, false);
  await answerAll();
  await turn();
  assert.equal(settled, true);
  queue.hold();
  queue.add("a", "unseen");
  await queue.settled();
});

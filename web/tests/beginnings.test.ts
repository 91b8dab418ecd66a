import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesAhead, indexBehind } from "../src/beginnings";

const MB = 1_000_000;

test("five seconds of a video are fetched ahead, and never more than the budget or the file", () => {
  assert.equal(bytesAhead(600 * MB, 600, 50 * MB), 5 * MB);
  for (const size of [0, 1, 1000, 3 * MB, 900 * MB]) {
    for (const duration of [null, 0, 0.1, 7, 3600]) {
      for (const budget of [0, 1, 100, MB, 50 * MB]) {
        const ahead = bytesAhead(size, duration, budget);
        assert.ok(ahead >= 0 && ahead <= budget, `${ahead} of a budget of ${budget}`);
        if (size > 0) assert.ok(ahead <= size);
        if (size > 0 && budget > 0) assert.ok(ahead > 0);
      }
    }
  }
});

const box = (name, size, large = false) => {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, large ? 1 : size);
  [...name].forEach((letter, at) => view.setUint8(4 + at, letter.charCodeAt(0)));
  if (large) view.setBigUint64(8, BigInt(size));
  return [...bytes, ...Array(Math.min(2000, Math.max(0, size - 16))).fill(0)];
};

test("the description of an MP4 is found behind its pictures", () => {
  const first = [...box("ftyp", 32), ...box("free", 16)];
  assert.equal(indexBehind(Uint8Array.from([...first, ...box("mdat", 700_000)])), 48 + 700_000);
  assert.equal(indexBehind(Uint8Array.from([...first, ...box("mdat", 5_000_000_000, true)])), 48 + 5_000_000_000);
  assert.equal(indexBehind(Uint8Array.from([...first, ...box("moov", 900), ...box("mdat", 10_000)])), null);
  assert.equal(indexBehind(Uint8Array.from([...first, ...box("mdat", 0)])), null, "to the end");
});

test("what is no MP4 has no such place, whatever it holds", () => {
  for (let seed = 1; seed < 300; seed += 1) {
    const bytes = Uint8Array.from({ length: seed }, (_, at) => (at * 7919 * seed) % 251);
    assert.equal(indexBehind(bytes), null);
  }
  assert.equal(indexBehind(new Uint8Array()), null);
});

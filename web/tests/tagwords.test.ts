import assert from "node:assert/strict";
import { test } from "node:test";
import { valueText } from "../src/tagwords";

test("months and hours are said in words, and no two alike", () => {
  const months = Array.from({ length: 12 }, (_, at) => valueText("Month", String(at + 1)));
  assert.equal(months[2], "March");
  assert.equal(new Set(months).size, 12);
  const hours = Array.from({ length: 24 }, (_, at) => valueText("Hour", String(at)));
  assert.equal(hours[6], "06:00–06:59");
  assert.equal(new Set(hours).size, 24);
});

test("what is no month and no hour is said as it stands", () => {
  for (const value of ["0", "13", "March", "24", "-1", "1.5"]) {
    assert.equal(valueText("Month", value), value);
  }
  assert.equal(valueText("Hour", "24"), "24");
  assert.equal(valueText("Year", "3"), "3");
  assert.equal(valueText("Folder", "."), "(top)");
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { ACTIONS, bindingsOf, chordOf, chordText, isCharacter, meant, PRESETS, rebound } from "../src/keys";

const press = (key, more = {}) =>
  chordOf({ key, code: "", ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...more });

test("a chord has one name, whatever the system calls the modifier", () => {
  assert.equal(press("z", { ctrlKey: true }), "Mod+Z");
  assert.equal(press("z", { metaKey: true }), "Mod+Z");
  assert.equal(press("Z", { ctrlKey: true, shiftKey: true }), "Shift+Mod+Z");
  assert.equal(press(" "), "Space");
  assert.equal(press("?", { shiftKey: true }), "?");
  assert.equal(press("¡", { altKey: true, code: "Digit1" }), "Alt+1");
  assert.equal(press("Shift", { shiftKey: true }), "");
});

test("no key of any preset leads to the deletion of files, nor do Shift+Delete and Backspace do anything", () => {
  for (const preset of Object.values(PRESETS)) {
    for (const chords of Object.values(preset)) {
      for (const chord of chords) assert.ok(!/Backspace|Shift\+Delete/.test(chord), chord);
    }
  }
  assert.ok(!Object.keys(ACTIONS).some((action) => /empty/i.test(action)));
});

test("within a place a key of a preset means one thing", () => {
  for (const [name, preset] of Object.entries(PRESETS)) {
    for (const action of Object.keys(ACTIONS)) {
      const { taken } = rebound(preset, action, preset[action]);
      assert.deepEqual(taken, [], `${name}: ${action}`);
    }
  }
});

test("a key that is given to an action is taken from another that could be meant", () => {
  const bindings = bindingsOf("mediareviewer", {});
  const { changes, taken } = rebound(bindings, "info", ["S"]);
  assert.deepEqual(taken, ["seen"]);
  assert.deepEqual(changes, { info: ["S"], seen: [] });
  assert.deepEqual(meant(bindingsOf("mediareviewer", changes), "S", true), ["info"]);
});

test("single characters can be switched off", () => {
  const bindings = PRESETS.mediareviewer;
  assert.deepEqual(meant(bindings, "L", true), ["lock"]);
  assert.deepEqual(meant(bindings, "L", false), []);
  assert.deepEqual(meant(bindings, "ArrowRight", false), ["next"]);
  assert.deepEqual(meant(bindings, "Mod+Z", false), ["undo"]);
  assert.ok(isCharacter("?") && isCharacter("Shift+F") && !isCharacter("Delete") && !isCharacter("Space"));
});

test("X skips in one preset and rejects in the other", () => {
  assert.deepEqual(meant(PRESETS.mediareviewer, "X", true), ["forward"]);
  assert.deepEqual(meant(PRESETS.lightroom, "X", true), ["trash"]);
});

test("a chord is printed as it is on the keyboard", () => {
  assert.equal(chordText("Shift+Mod+Z", false), "Shift+Ctrl+Z");
  assert.equal(chordText("Mod+Z", true), "⌘+Z");
  assert.equal(chordText("ArrowRight", false), "→");
  assert.equal(chordText("+", false), "+");
});

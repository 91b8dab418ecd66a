"""A cull of hundreds: what is decided, carried out by a hand on the page, and what must be on the disk in the end."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import chaos
import scenes
from api import Api, eventually, text
from chaos import FRESH, State
from media import picture
from playwright.sync_api import Locator, Page, expect

#: Of one burst, the third of which is sharp.
TAKES = 4
#: Two stacks are not made of pictures that are so far apart.
_APART_S = 60


class Roll:
    """A review path of single pictures with bursts between them, in the order of their names; stacks are known."""

    def __init__(self, api: Api, path: Path, count: int, bursts: int = 0) -> None:
        self.api = api
        self.path = path
        path.mkdir()
        singles = count - bursts * TAKES
        picture(path / "drawn.jpg")
        drawn = (path / "drawn.jpg").read_bytes()
        (path / "drawn.jpg").unlink()
        self.files: list[Path] = []
        self.bursts: list[list[Path]] = []
        for number in range(singles):
            file = path / f"shot{number:04d}.jpg"
            file.write_bytes(drawn + b"%d" % number)
            when = scenes.BEGIN.timestamp() + number * _APART_S
            os.utime(file, (when, when))
            self.files.append(file)
            if bursts and number % (singles // bursts) == singles // bursts // 2:
                takes = scenes.burst(
                    path, seed=number, count=TAKES, name=f"shot{number:04d}x", begin_s=(singles + number) * _APART_S
                )
                self.bursts.append(takes)
                self.files += takes
        assert len(self.files) == count
        assert len(self.bursts) == bursts
        api.add_root(path)
        eventually(lambda: api.summary(path)["all"], lambda listed: listed == count, 60)
        for takes in self.bursts:
            asked = {"paths": [text(takes[0])]}
            eventually(lambda asked=asked: api.ok(api.send("POST", "/api/stacks/of", asked)), _is_known, 90)  # type: ignore[misc]
        assert [Path(one) for one in api.stream(path, limit=count).paths] == self.files

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def grid(self) -> str:
        return f"/#/r/{str(self.path).replace('/', '%2F')}"

    def on_disk(self) -> dict[str, State]:
        """Of each file that has a mark: locked, trashed, seen."""
        return {file.name: state for file in self.files if (state := chaos.on_disk(file)) != FRESH}

    def steps(self) -> list[dict[str, Any]]:
        """Of this folder in the journal, the oldest first."""
        found: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            told = self.api.ok(self.api.get("/api/history", limit=200, **cursor))
            found += [one for one in told["entries"] if one["type"] == "step" and one["folder"] == str(self.path)]
            if told["next"] is None:
                return found[::-1]
            cursor = {"cursor": told["next"]}


def _is_known(told: dict[str, Any]) -> bool:
    return bool(told["stacks"]) and not told["pending"]


class Model:
    """What was pressed comes to this: marks of files, a pile of steps, and where the review stands."""

    def __init__(self, roll: Roll) -> None:
        self._paths = roll.files
        self._stacks = {take: takes for takes in roll.bursts for take in takes}
        self.marks = dict.fromkeys(roll.files, FRESH)
        self.at = 0
        self.steps = 0
        self.undos = 0
        self._pile: list[dict[Path, State]] = []

    @property
    def marked(self) -> dict[str, State]:
        return {path.name: state for path, state in self.marks.items() if state != FRESH}

    def count(self, mark: int) -> int:
        """Of those that are locked (0), trashed (1), seen (2)."""
        return sum(state[mark] for state in self.marks.values())

    def decide(self, action: str) -> None:
        """On the item in sight, which has no mark; review goes on, after the last one back."""
        self._step({self._paths[self.at]: action})
        self.at += 1 if self.at + 1 < len(self._paths) else -1

    def go(self, by: int) -> None:
        self.at += by

    def undo(self) -> None:
        before = self._pile.pop()
        self.marks |= before
        self.undos += 1
        if len(before) == 1:
            (path,) = before
            self.at = self._paths.index(path)

    def keep(self, best: Path, passes: bool) -> None:
        """Lock one of its stack, trash the others; from review it goes on behind the stack, from Compare it stays."""
        takes = self._stacks[best]
        self._step({take: "lock" if take == best else "trash" for take in takes})
        while passes and self._paths[self.at] in takes:
            self.at += 1

    def _step(self, actions: dict[Path, str]) -> None:
        self._pile.append({path: self.marks[path] for path in actions})
        for path, action in actions.items():
            self.marks[path] = chaos.after(self.marks[path], action)
        self.steps += 1


class Hand(ABC):
    """How a person does what there is to do in Review: by keys, with a mouse, with a finger."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @abstractmethod
    def decide(self, action: str) -> None: ...

    @abstractmethod
    def go(self, by: int) -> None: ...

    @abstractmethod
    def undo(self) -> None: ...

    @abstractmethod
    def keep_best(self) -> None: ...

    @abstractmethod
    def keep_in_compare(self, place: int) -> None:
        """Open Compare, choose the one at the place, keep it."""

    @property
    def compare(self) -> Locator:
        return self.page.get_by_role("dialog", name="Compare")


class Keys(Hand):
    def decide(self, action: str) -> None:
        self.page.keyboard.press({"lock": "l", "trash": "d", "seen": "s"}[action])

    def go(self, by: int) -> None:
        self.page.keyboard.press("ArrowRight" if by > 0 else "ArrowLeft")

    def undo(self) -> None:
        self.page.keyboard.press("Control+z")

    def keep_best(self) -> None:
        self.page.keyboard.press("b")

    def keep_in_compare(self, place: int) -> None:
        self.page.keyboard.press("c")
        chosen = self.compare.locator('[aria-selected="true"]')
        expect(chosen).to_have_attribute("id", "pane2")  # the sharp one is suggested
        for _ in range(abs(place - 2)):
            self.page.keyboard.press("ArrowRight" if place > 2 else "ArrowLeft")
        expect(chosen).to_have_attribute("id", f"pane{place}")
        self.page.keyboard.press("b")
        expect(self.compare).to_be_hidden()


class Mouse(Hand):
    """Presses buttons."""

    def decide(self, action: str) -> None:
        self._press("Decide", action.capitalize())

    def go(self, by: int) -> None:
        self._press("Decide", "Next" if by > 0 else "Previous")

    def undo(self) -> None:
        self._press("Decide", "Undo")

    def keep_best(self) -> None:
        self.page.get_by_role("group", name="Stack").get_by_role("button", name="Keep best").click()

    def keep_in_compare(self, place: int) -> None:
        self.page.get_by_role("group", name="Stack").get_by_role("button", name="Compare").click()
        self.compare.get_by_role("option").nth(place).click()
        self.compare.get_by_role("button", name=re.compile("^Keep ")).click()
        expect(self.compare).to_be_hidden()

    def _press(self, bar: str, name: str) -> None:
        self.page.get_by_role("toolbar", name=bar, exact=True).get_by_role("button", name=name, exact=True).click()


class Finger(Mouse):
    """Swipes where there is a swipe, and presses the rest."""

    def decide(self, action: str) -> None:
        if action == "seen":
            super().decide(action)
        else:
            self._swipe(0, -130 if action == "lock" else 130)

    def go(self, by: int) -> None:
        self._swipe(-130 * by, 0)

    def _swipe(self, x: int, y: int) -> None:
        self.page.evaluate(
            """([x, y]) => {
                const stage = document.querySelector('.stage');
                const send = (type, dx, dy) => stage.dispatchEvent(new PointerEvent(type, {
                    bubbles: true, isPrimary: true, pointerType: 'touch', clientX: 180 + dx, clientY: 300 + dy }));
                send('pointerdown', 0, 0); send('pointermove', x / 2, y / 2); send('pointerup', x, y);
            }""",
            [x, y],
        )


def stands_at(page: Page, model: Model, of: int) -> None:
    expect(page.locator(".review-progress")).to_contain_text(re.compile(rf"^{model.at + 1} of {of}\b"))


def plan(seed: int) -> Iterator[str]:
    """What comes to somebody's mind, without end: most are decided, some passed by, now and then one is taken back."""
    rng = Random(seed)
    while True:
        yield rng.choices(("trash", "lock", "seen", "pass", "undo"), (8, 6, 6, 2, 1))[0]


def cull(page: Page, hand: Hand, model: Model, roll: Roll, seed: int) -> None:
    """From the first to the last; the first burst is kept, taken back and compared, the others are kept as suggested.

    The review stands at the last item when it is over, and all of them have been in sight.
    """
    last = len(roll.files) - 1
    first_of = {takes[0]: takes for takes in roll.bursts}
    can_undo = False  # what was decided just now
    for thought in plan(seed):
        stands_at(page, model, len(roll.files))
        here = roll.files[model.at]
        if here in first_of:
            keep(page, hand, model, roll, first_of.pop(here), compares=len(first_of) == len(roll.bursts) - 1)
            can_undo = False
        elif thought == "undo" and can_undo:
            hand.undo()
            model.undo()
            can_undo = False
        elif model.at == last:
            hand.decide("trash")
            model.decide("trash")
            stands_at(page, model, len(roll.files))  # after the last one: the one before it
            hand.go(1)
            model.go(1)
            stands_at(page, model, len(roll.files))
            return
        elif thought in ("pass", "undo"):
            hand.go(1)
            model.go(1)
            can_undo = False
        else:
            hand.decide(thought)
            model.decide(thought)
            can_undo = True


def keep(page: Page, hand: Hand, model: Model, roll: Roll, takes: list[Path], compares: bool) -> None:
    of = len(roll.files)
    group = page.get_by_role("group", name="Stack")
    expect(group).to_contain_text(f"1 of a stack of {TAKES}")
    hand.keep_best()
    model.keep(takes[2], passes=True)
    stands_at(page, model, of)
    if not compares:
        return
    hand.undo()
    model.undo()
    expect(page.locator(".toast", has_text="Undone")).to_be_visible()
    hand.go(-1)
    model.go(-1)
    stands_at(page, model, of)
    hand.keep_in_compare(3)
    model.keep(takes[3], passes=False)
    stands_at(page, model, of)
    hand.go(1)
    model.go(1)

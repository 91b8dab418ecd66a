"""Two hundred in one go, by keys and by mouse; culls in which the server goes away.

What must be on the disk is what a model says of what was pressed, and the journal has a step for each, once.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from api import Api, eventually
from culling import Hand, Keys, Model, Mouse, Roll, cull, stands_at
from playwright.sync_api import Page, expect
from shots import Visit
from stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@pytest.fixture
def roll(api: Api, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Roll]:
    """Of so many files, with so many bursts among them."""
    count, bursts = request.param
    name = "".join(letter for letter in request.node.name if letter.isalnum() or letter == "_")[:40]
    made = Roll(api, tmp_path / name, count, bursts)
    yield made
    api.remove_root(made.path)


def reach_by_tab(page: Page, text: str) -> None:
    """Press Tab until the thing with that text has the focus."""
    for _ in range(200):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.innerText ?? ''").strip().startswith(text):
            return
    raise AssertionError(f"no {text!r} can be reached with Tab")


def came_to(model: Model, roll: Roll) -> None:
    """The disk and the journal are what the model says."""
    eventually(roll.on_disk, lambda marks: marks == model.marked)
    locked, trashed, seen = (model.count(mark) for mark in range(3))
    every = len(roll.files)
    told = {"all": every, "unseen": every - seen, "seen": seen, "locked": locked, "trashed": trashed}
    eventually(lambda: roll.api.summary(roll.path), lambda counts: counts == told)
    steps = roll.steps()
    assert [step["kind"] for step in steps].count("undo") == model.undos
    assert len(steps) == model.steps + model.undos


def summary_of(page: Page, model: Model, roll: Roll) -> None:
    """Behind the last one the page says what was done."""
    locked, trashed, seen = (model.count(mark) for mark in range(3))
    end = page.get_by_role("dialog", name="That was the last one")
    expect(end).to_contain_text(f"Done: {seen} reviewed, {trashed} trashed, {locked} locked.")
    left = len(roll.files) - seen
    expect(end).to_contain_text(f"{left} item{'' if left == 1 else 's'} not decided yet.")


@pytest.mark.parametrize("roll", [(200, 2)], indirect=True)
def test_two_hundred_by_keys_alone(page: Page, roll: Roll) -> None:
    model = Model(roll)
    expect(page.get_by_text(roll.name, exact=True)).to_be_visible()
    page.evaluate(  # other tests' folders have such a link too: the Tab key begins at this one's card
        "name => [...document.querySelectorAll('.card h2 a')].find(a => a.innerText === name).focus()",
        roll.name,
    )
    reach_by_tab(page, "Start reviewing")
    page.keyboard.press("Enter")
    expect(page.locator(".stage img")).to_be_visible()

    cull(page, Keys(page), model, roll, seed=1)
    page.keyboard.press("ArrowRight")
    summary_of(page, model, roll)
    came_to(model, roll)
    assert model.undos > 1, "the plan takes something back"
    assert min(model.count(mark) for mark in range(3)) > 20, "the plan has some of each"

    reach_by_tab(page, "Back to the grid")
    page.keyboard.press("Enter")
    expect(page.get_by_role("grid")).to_be_visible()
    page.wait_for_function("document.activeElement.getAttribute('role') === 'gridcell'")
    page.keyboard.press("Control+z")
    model.undo()
    eventually(roll.on_disk, lambda marks: marks == model.marked)
    page.keyboard.press("Control+Shift+z")
    eventually(lambda: len(roll.on_disk()), lambda count: count == len(model.marked) + 1)


@pytest.mark.parametrize("roll", [(200, 2)], indirect=True)
def test_two_hundred_by_mouse(page: Page, roll: Roll) -> None:
    model = Model(roll)
    page.locator(".card", has_text=str(roll.path)).get_by_role("link", name="Start reviewing").click()
    cull(page, Mouse(page), model, roll, seed=2)
    page.get_by_role("button", name="Next", exact=True).click()
    summary_of(page, model, roll)
    came_to(model, roll)
    page.get_by_role("dialog", name="That was the last one").get_by_role("button", name="Back to the grid").click()
    expect(page.get_by_role("grid")).to_be_visible()


def decides(page: Page, hand: Hand, model: Model, roll: Roll, *actions: str) -> None:
    for action in actions:
        stands_at(page, model, len(roll.files))
        hand.decide(action)
        model.decide(action)
    stands_at(page, model, len(roll.files))


def test_the_server_stops_in_the_middle_and_each_mark_is_made_once(
    visit: Visit, own_stack: Stack, tmp_path: Path
) -> None:
    api = Api(own_stack.url)
    roll = Roll(api, tmp_path / "middle", 40)
    model = Model(roll)
    page = visit(own_stack.url, f"{roll.grid}/i/{roll.files[0].name}?f=all")
    hand = Keys(page)
    decides(page, hand, model, roll, "lock", "trash", "seen", "trash")
    came_to(model, roll)

    own_stack.stop()
    decides(page, hand, model, roll, "trash", "lock")
    expect(page.get_by_role("alert").filter(has_text="can't be reached")).to_be_visible()
    decides(page, hand, model, roll, "seen", "trash", "lock", "trash")
    hand.undo()  # of what nobody was told yet: it is never sent
    model.undo()
    model.steps, model.undos = model.steps - 1, model.undos - 1
    model.go(1)
    expect(page.get_by_text("5 not sent yet")).to_be_visible()
    own_stack.start()
    expect(page.locator(".banner")).to_be_hidden(timeout=30_000)
    expect(page.get_by_text("not sent yet")).to_be_hidden()
    came_to(model, roll)
    decides(page, hand, model, roll, "seen", "lock")
    came_to(model, roll)
    api.close()


def test_a_gateway_that_is_killed_under_the_keys_loses_no_mark_and_makes_none_twice(
    visit: Visit, own_stack: Stack, tmp_path: Path
) -> None:
    api = Api(own_stack.url)
    roll = Roll(api, tmp_path / "killed", 60)
    model = Model(roll)
    page = visit(own_stack.url, f"{roll.grid}/i/{roll.files[0].name}?f=all")
    hand = Keys(page)
    decides(page, hand, model, roll, "seen")
    for number in range(45):
        # Nothing is waited for: marks are on their way in whatever state the kill finds them.
        action = ("lock", "trash", "seen")[number % 3]
        hand.decide(action)
        model.decide(action)
        if number in (10, 30):
            own_stack.wait_restarted("gateway", own_stack.kill("gateway"))
    stands_at(page, model, len(roll.files))
    expect(page.locator(".banner")).to_be_hidden(timeout=30_000)
    expect(page.get_by_text("not sent yet")).to_be_hidden()
    eventually(api.is_ready, bool, 30)
    came_to(model, roll)
    api.close()

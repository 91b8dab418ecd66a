"""Stacks in the page: keeping the best, comparing by keys and by mouse, what was said of one, and a narrow window."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import scenes
from api import Api, eventually, text
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect
from shots import Visit
from stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

BURST = 4


class Burst:
    """A review path with a burst of four, the third one sharp, and a picture beside it; its stack is known."""

    def __init__(self, api: Api, path: Path) -> None:
        self.api = api
        self.path = path
        self.files = scenes.burst(path, count=BURST, sharp=2)
        self.other = scenes.save(scenes.take(scenes.scene(60)), path / "other.jpg", 300)
        api.add_root(path)
        eventually(lambda: self.counts["all"], lambda listed: listed == BURST + 1, 60)
        asked = {"paths": [text(self.files[0])]}
        eventually(lambda: api.ok(api.send("POST", "/api/stacks/of", asked)), lambda told: told["stacks"], 60)

    @property
    def counts(self) -> dict[str, int]:
        return self.api.summary(self.path)

    @property
    def grid(self) -> str:
        return f"/#/r/{str(self.path).replace('/', '%2F')}"

    def marks(self) -> dict[str, int]:
        return {name: count for name, count in self.counts.items() if name in ("locked", "trashed")}


@pytest.fixture
def burst(api: Api, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Burst]:
    name = "".join(letter for letter in request.node.name if letter.isalnum() or letter == "_")[:40]
    made = Burst(api, tmp_path / name)
    yield made
    api.remove_root(made.path)


def cell(page: Page, name: str) -> Locator:
    return page.locator(f'[role="gridcell"][aria-label^="{name}"]')


def kept(burst: Burst) -> None:
    eventually(burst.marks, lambda marks: marks == {"locked": 1, "trashed": 3})
    assert burst.api.item(burst.path, burst.files[2])["status"]["locked"]
    assert not any(burst.api.item(burst.path, burst.other)["status"].values())


def test_tiles_say_how_many_takes_there_are_and_b_keeps_the_best_until_it_is_undone(
    visit: Visit, stack: Stack, burst: Burst
) -> None:
    page = visit(stack.url, burst.grid)
    badges = page.locator(".stack-badge")
    expect(badges).to_have_count(BURST)
    expect(cell(page, "burst02.jpg").locator(".stack-badge")).to_have_text("★ 4")
    expect(cell(page, "burst00.jpg").locator(".stack-badge")).to_have_text("4")
    expect(cell(page, "burst02.jpg")).to_have_attribute("aria-label", re.compile("in a stack of 4, suggested$"))

    cell(page, "burst00.jpg").focus()
    page.keyboard.press("b")
    kept(burst)
    expect(page.locator(".toast", has_text="Kept burst02.jpg, trashed 3 others")).to_be_visible()
    expect(page.locator(".stack-badge.decided")).to_have_count(BURST)
    page.keyboard.press("Control+z")
    eventually(lambda: burst.counts, lambda counts: counts["unseen"] == BURST + 1 and not counts["locked"])
    assert burst.marks() == {"locked": 0, "trashed": 0}
    expect(page.locator(".stack-badge.decided")).to_have_count(0)
    page.keyboard.press("Control+Shift+z")
    kept(burst)


def test_b_leaves_a_locked_one_and_says_which(visit: Visit, stack: Stack, burst: Burst) -> None:
    burst.api.act(burst.files[1], "lock")
    page = visit(stack.url, burst.grid)
    expect(page.locator(".stack-badge")).to_have_count(BURST)
    cell(page, "burst00.jpg").focus()
    page.keyboard.press("b")
    toast = page.locator(".toast", has_text="trashed 2 others; left: burst01.jpg (the file is locked)")
    expect(toast).to_be_visible()
    assert burst.marks() == {"locked": 2, "trashed": 2}
    toast.get_by_role("button", name="Undo").click()
    eventually(burst.marks, lambda marks: marks == {"locked": 1, "trashed": 0})


def test_b_on_a_picture_that_is_in_no_stack_does_nothing(visit: Visit, stack: Stack, burst: Burst) -> None:
    page = visit(stack.url, burst.grid)
    expect(page.locator(".stack-badge")).to_have_count(BURST)
    cell(page, "other.jpg").focus()
    page.keyboard.press("b")
    expect(page.locator(".toast", has_text="This picture is in no stack")).to_be_visible()
    assert burst.marks() == {"locked": 0, "trashed": 0}


def test_compare_by_keys(visit: Visit, stack: Stack, burst: Burst) -> None:
    page = visit(stack.url, burst.grid)
    expect(page.locator(".stack-badge")).to_have_count(BURST)
    cell(page, "burst00.jpg").focus()
    page.keyboard.press("c")
    compare = page.get_by_role("dialog", name="Compare")
    panes = compare.get_by_role("option")
    expect(panes).to_have_count(BURST)
    expect(compare.locator('[aria-selected="true"]')).to_contain_text("burst02.jpg")
    expect(compare.locator('[aria-selected="true"] .reason')).to_have_text(["Suggested", "Sharpest of 4"])

    page.keyboard.press("ArrowLeft")
    expect(compare.locator('[aria-selected="true"]')).to_contain_text("burst01.jpg")
    page.keyboard.press("d")
    eventually(burst.marks, lambda marks: marks == {"locked": 0, "trashed": 1})
    expect(panes.nth(1)).to_have_class(re.compile("is-trashed"))
    page.keyboard.press("Control+z")
    eventually(burst.marks, lambda marks: marks == {"locked": 0, "trashed": 0})

    page.wait_for_function("[...document.querySelectorAll('.pane img')].every(image => image.naturalWidth)")
    before = compare.locator("img").first.get_attribute("style")
    page.keyboard.press("0")
    styles = [one.get_attribute("style") for one in compare.locator("img").all()]
    assert len(set(styles)) == 1, "all are seen through one glass"
    assert styles[0] != before
    page.keyboard.press("0")
    expect(compare.locator("img").first).to_have_attribute("style", before or "")

    page.keyboard.press("ArrowRight")
    page.keyboard.press("b")
    expect(compare).to_be_hidden()
    kept(burst)
    expect(cell(page, "burst00.jpg")).to_be_focused()


def test_compare_by_mouse(visit: Visit, stack: Stack, burst: Burst) -> None:
    page = visit(stack.url, f"{burst.grid}/i/{burst.files[1].name}?f=all&n=1")
    note = page.get_by_role("group", name="Stack")
    expect(note).to_contain_text("2 of a stack of 4")
    expect(note).to_contain_text("suggested is burst02.jpg")
    note.get_by_role("button", name="Compare").click()
    compare = page.get_by_role("dialog", name="Compare")
    page.wait_for_function("[...document.querySelectorAll('.pane img')].every(image => image.naturalWidth)")

    compare.get_by_role("option").nth(0).hover()
    page.mouse.wheel(0, -400)
    zoomed = compare.locator("img").first.get_attribute("style") or ""
    assert "scale(1)" not in zoomed
    box = compare.locator(".pane-view").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 - 60, box["y"] + box["height"] / 2 - 30, steps=4)
    page.mouse.up()
    styles = {one.get_attribute("style") for one in compare.locator("img").all()}
    assert len(styles) == 1
    assert styles != {zoomed}

    compare.get_by_role("option").nth(3).click()
    expect(compare.locator('[aria-selected="true"]')).to_contain_text("burst03.jpg")
    compare.get_by_role("button", name="Keep burst03.jpg, trash 3 others").click()
    expect(compare).to_be_hidden()
    eventually(burst.marks, lambda marks: marks == {"locked": 1, "trashed": 3})
    assert burst.api.item(burst.path, burst.files[3])["status"]["locked"]


def test_the_selection_is_compared_when_there_is_no_stack(visit: Visit, stack: Stack, burst: Burst) -> None:
    page = visit(stack.url, burst.grid)
    expect(page.locator(".stack-badge")).to_have_count(BURST)
    cell(page, "burst00.jpg").click()
    cell(page, "other.jpg").click(modifiers=["Control"])
    page.keyboard.press("c")
    compare = page.get_by_role("dialog", name="Compare")
    expect(compare.get_by_role("option")).to_have_count(2)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("l")
    eventually(burst.marks, lambda marks: marks == {"locked": 1, "trashed": 0})
    page.keyboard.press("Escape")
    expect(compare).to_be_hidden()
    assert burst.api.item(burst.path, burst.other)["status"]["locked"]


def test_what_is_said_of_a_stack_is_remembered_and_can_be_taken_back(visit: Visit, stack: Stack, burst: Burst) -> None:
    page = visit(stack.url, f"{burst.grid}/i/{burst.files[0].name}?f=all&n=0")
    note = page.get_by_role("group", name="Stack")
    note.get_by_role("button", name="Done").click()
    expect(note).to_contain_text("done")
    expect(note.get_by_role("button", name="Keep best")).to_be_hidden()
    note.get_by_role("button", name="Open again").click()
    note.get_by_role("button", name="Not a stack").click()
    expect(note).to_be_hidden()

    page.reload()
    expect(page.locator(".stage img")).to_be_visible()
    page.keyboard.press("Escape")
    asked = {"paths": [text(one) for one in burst.files]}
    assert burst.api.ok(burst.api.send("POST", "/api/stacks/of", asked)) == {"stacks": [], "pending": 0}
    expect(page.locator(".stack-badge")).to_have_count(0)
    page.keyboard.press("b")
    assert burst.marks() == {"locked": 0, "trashed": 0}


def test_the_other_preset_has_its_own_key(visit: Visit, stack: Stack, burst: Burst) -> None:
    page = visit(stack.url, "/#/settings")
    page.locator("select", has_text="Lightroom").select_option(label="Lightroom")
    page.goto(stack.url + burst.grid)
    expect(page.locator(".stack-badge")).to_have_count(BURST)
    cell(page, "burst00.jpg").focus()
    page.keyboard.press("Shift+P")
    kept(burst)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_of_it_has_a_serious_fault(visit: Visit, stack: Stack, burst: Burst, scheme: str) -> None:
    page = visit(stack.url, burst.grid, color_scheme=scheme)
    expect(page.locator(".stack-badge")).to_have_count(BURST)
    faults = {"grid": serious(page)}
    cell(page, "burst00.jpg").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("group", name="Stack")).to_be_visible()
    faults["review"] = serious(page)
    page.keyboard.press("c")
    expect(page.get_by_role("dialog", name="Compare").get_by_role("option")).to_have_count(BURST)
    faults["compare"] = serious(page)
    assert faults == {"grid": [], "review": [], "compare": []}


def serious(page: Page) -> list[tuple[str, list[str]]]:
    found = Axe().run(page).response["violations"]
    return [
        (one["id"], [node["html"][:200] for node in one["nodes"]][:3])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


def test_a_window_of_360_pixels_has_room_for_all_of_it(visit: Visit, stack: Stack, burst: Burst) -> None:
    page = visit(
        stack.url,
        f"{burst.grid}/i/{burst.files[0].name}?f=all&n=0",
        viewport={"width": 360, "height": 640},
        has_touch=True,
    )
    expect(page.get_by_role("group", name="Stack")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.get_by_role("group", name="Stack").get_by_role("button", name="Compare").click()
    compare = page.get_by_role("dialog", name="Compare")
    expect(compare.get_by_role("option")).to_have_count(BURST)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for one in (*compare.get_by_role("option").all(), *compare.get_by_role("button").all()):
        box = one.bounding_box()
        if box is not None:
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 361
            assert box["y"] + box["height"] <= 641
    compare.get_by_role("option").nth(1).tap()
    expect(compare.locator('[aria-selected="true"]')).to_contain_text("burst01.jpg")

"""Finding: in words, by likeness, by tags, by more and less; with the tiny model over pictures of shapes."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from api import Api, eventually
from playwright.sync_api import Page, expect
from search_service.shapes import COLOURS, SHAPES, caption, drawn
from shots import Visit
from stack import REPOSITORY, Stack, running_stack

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

ENCODER = f"open_clip:tiny-shapes/{REPOSITORY}/search-service/tests/tiny/tiny-shapes.pt"
EACH = 3


class Shapes:
    """A review path of shapes; the names of the files say nothing of what is shown."""

    def __init__(self, stack: Stack, root: Path) -> None:
        self.stack = stack
        self.root = root
        self.api = Api(stack.url)
        self.shown: dict[str, str] = {}
        chance = random.Random(5)
        kinds = [(colour, shape) for colour in COLOURS for shape in SHAPES] * EACH
        chance.shuffle(kinds)
        for number, (colour, shape) in enumerate(kinds):
            folder = root / "one" if number % 2 else root
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"{number:03}.png"
            drawn(colour, shape, chance, 128).save(path, "PNG")
            self.shown[str(path)] = caption(colour, shape)
        self.api.add_root(root)
        self.api.wait_idle(180)


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shapes]:
    base = tmp_path_factory.mktemp("shapes")
    with running_stack(base / "state", environment={"FRAMEWELL_ENCODER": ENCODER}) as stack:
        made = Shapes(stack, base / "pictures")
        yield made
        made.api.close()


def total(page: Page) -> int:
    text = page.locator(".found").inner_text()
    return int(re.sub(r"[^0-9]", "", text) or -1)


def path_at(page: Page, index: int) -> str:
    found = page.locator(f'[data-index="{index}"][data-path]')
    expect(found).to_be_visible()
    return found.get_attribute("data-path") or ""


def test_words_likeness_and_the_score(visit: Visit, shapes: Shapes) -> None:
    page = visit(shapes.stack.url)
    expect(page.locator(".card")).to_be_visible()
    page.keyboard.press("/")
    box = page.get_by_label("Search in words")
    expect(box).to_be_focused()
    colour, shape = next(iter(COLOURS)), next(iter(SHAPES))
    wanted = caption(colour, shape)
    box.fill(wanted)
    expect(page.locator(".found")).to_contain_text("found")
    assert shapes.shown[path_at(page, 0)] == wanted
    expect(page.locator(".answering")).to_contain_text("Answered by")
    expect(page.locator('[data-index="0"] img.there')).to_be_visible()

    before = total(page)
    page.get_by_label("Least score").fill("0.9")
    expect(page.locator(".found")).not_to_contain_text(f"{before} ")
    page.get_by_label("Least score").fill("0.05")
    expect(page.locator(".found")).to_contain_text(f"{before} ")

    page.locator('[data-index="0"][data-path]').focus()
    page.keyboard.press("m")
    expect(page.locator(".chip")).to_contain_text("like")
    expect(page.locator(".found")).to_contain_text("found")
    assert wanted.split()[-1] in shapes.shown[path_at(page, 0)]


def test_more_and_less_teach_the_search(visit: Visit, shapes: Shapes) -> None:
    page = visit(shapes.stack.url, "/#/s?q=red")
    path_at(page, 0)
    kind = next(iter(SHAPES))
    cells = page.locator("[role=gridcell][data-path]")
    paths = [cell.get_attribute("data-path") or "" for cell in cells.all()]
    right = next(path for path in paths if kind in shapes.shown[path])
    wrong = next(path for path in paths if kind not in shapes.shown[path])
    page.locator(f'[data-path="{right}"]').focus()
    page.keyboard.press("+")
    expect(page.locator(".chip.more")).to_be_visible()
    page.locator("[role=gridcell][data-path]").first.wait_for()
    other = page.locator(f'[data-path="{wrong}"]')
    other.scroll_into_view_if_needed()
    other.focus()
    page.keyboard.press("-")
    expect(page.locator(".chip.less")).to_be_visible()
    expect(page.locator(f'[data-path="{right}"]')).to_have_count(0)  # judged already
    page.get_by_role("button", name="Forget all + and −").click()
    expect(page.locator(".chip")).to_have_count(0)


def test_tags_narrow_and_a_find_can_be_trashed(visit: Visit, shapes: Shapes) -> None:
    page = visit(shapes.stack.url, "/#/s")
    page.get_by_role("group", name="Folder").get_by_label("one", exact=True).check()
    inside = sum("/one/" in path for path in shapes.shown)
    expect(page.locator(".found")).to_have_text(f"{inside} items found")
    first = path_at(page, 0)
    page.locator('[data-index="0"]').dblclick()
    expect(page.locator(".stage img")).to_be_visible()
    page.keyboard.press("d")
    page.keyboard.press("Escape")
    expect(page.locator('[data-index="0"] .is-trashed')).to_be_visible()
    # Painted at once, sent behind.
    eventually(Path(first + ".trash").exists, bool)
    page.keyboard.press("Control+z")
    expect(page.locator('[data-index="0"] .is-trashed')).to_have_count(0)

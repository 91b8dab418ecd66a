"""What makes the page quick and keeps it small, as facts and not as times: requests, sizes, rows that are kept."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from api import Api, eventually
from media import noise
from playwright.sync_api import Page, expect
from shots import Shots, Visit
from stack import Stack

#: What the browser notes of the page's own files.
_OF_OURS = """
performance.getEntriesByType('resource').filter(one => one.name.includes('/page/')).map(one => one.FIELD)
"""
#: Counts what the page's worker has made.
_COUNT_MADE = """
window.made = 0;
window.Worker = class extends Worker {
  constructor(address) {
    super(address);
    this.addEventListener('message', ({ data }) => { if (data.blob) window.made += 1; });
  }
};
"""

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


def test_the_first_rows_are_asked_for_before_anything_else(visit: Visit, stack: Stack, shots: Shots) -> None:
    page = visit(stack.url)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.removeprefix(stack.url)))
    page.goto(stack.url + shots.grid)
    page.locator('[data-index="11"] img.there').wait_for()
    asked.clear()
    page.reload()
    page.locator('[data-index="11"] img.there').wait_for()
    calls = [url.split("?")[0] for url in asked if url.startswith("/api/")]

    assert set(calls[:3]) == {"/api/media-items/stream", "/api/media-items/summary", "/api/session"}
    assert calls.count("/api/media-items/stream") == 1, "once, though it was asked for early"
    pictures = [at for at, url in enumerate(calls) if url == "/api/media-thumbnail"]
    assert len(pictures) == 12
    behind = calls.index("/api/trash/plan") if "/api/trash/plan" in calls else len(calls)
    assert behind > pictures[0], "what is said beside the pictures comes behind them"


def test_what_the_start_page_names_is_not_asked_for_again(visit: Visit, stack: Stack) -> None:
    page = visit(stack.url)
    kept = page.evaluate(_OF_OURS.replace("FIELD", "name"))
    assert len(kept) == 2
    assert all(re.search(r"\?v=[0-9a-f]{32}$", name) for name in kept)
    page.reload()
    page.get_by_role("heading", name="Folders").wait_for()
    sent = page.evaluate(_OF_OURS.replace("FIELD", "transferSize"))
    assert sent == [0, 0]


def test_a_large_photograph_is_as_small_as_the_screen_until_it_is_looked_at_closely(
    visit: Visit, stack: Stack, api: Api, tmp_path: Path
) -> None:
    folder = tmp_path / "large"
    folder.mkdir()
    for number in range(3):
        noise(folder / f"photo{number}.jpg", (4000, 3000), number)
    api.add_root(folder)
    try:
        eventually(lambda: api.summary(folder)["all"], lambda count: count == 3)
        page = visit(stack.url)
        page.add_init_script(_COUNT_MADE)
        page.goto(stack.url + f"/#/r/{str(folder).replace('/', '%2F')}/i/photo0.jpg?f=all")
        page.reload()
        image = page.locator(".stage img")
        expect(image).to_have_attribute("src", re.compile("^/api/media-file"))  # nobody could know of it before
        eventually(lambda: page.evaluate("window.made"), lambda made: made == 2)
        page.keyboard.press("ArrowRight")
        expect(image).to_have_attribute("src", re.compile("^blob:"))
        size = image.evaluate("async one => { await one.decode(); return [one.naturalWidth, one.naturalHeight]; }")
        side = page.evaluate("[screen.width * devicePixelRatio, screen.height * devicePixelRatio]")
        assert size[0] <= side[0]
        assert size[1] <= side[1]
        assert abs(size[0] * 3 - size[1] * 4) <= 4
        expect(image).to_have_attribute("alt", re.compile("^photo1.jpg, image"))

        page.keyboard.press("0")
        expect(image).to_have_attribute("src", re.compile("^/api/media-file"))
        assert image.evaluate("one => [one.naturalWidth, one.width]") == [4000, 4000]
        page.keyboard.press("0")
        expect(image).to_have_attribute("src", re.compile("^blob:"))
        assert image.evaluate("one => one.width") <= 1280
    finally:
        api.remove_root(folder)


@pytest.mark.parametrize("shots", [60], indirect=True)
def test_a_range_over_rows_that_were_never_shown_is_all_of_it(page: Page, shots: Shots) -> None:
    page.goto(page.url.split("#")[0] + shots.grid[1:])
    page.locator('[data-index="0"][data-path]').click()
    page.locator('[data-index="0"]').press("Control+Shift+End")
    expect(page.get_by_text("Selected 60")).to_be_visible()

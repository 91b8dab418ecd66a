"""Time in the page: the strip of days, Go to date, listings by date, the next folder, and dates in Search."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from api import Api, eventually
from axe_playwright_python.sync_playwright import Axe
from media import picture
from playwright.sync_api import Page, expect
from shots import Visit
from stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

FIRST = datetime(2026, 3, 30, 12, tzinfo=UTC)
DAYS = 6
EACH = 20


class Season:
    """Some days of twenty pictures each, one day left out; the later the day, the earlier the name."""

    def __init__(self, api: Api, path: Path) -> None:
        self.api = api
        self.path = path
        path.mkdir()
        picture(path / "shot.jpg")
        drawn = (path / "shot.jpg").read_bytes()
        (path / "shot.jpg").unlink()
        self.days: dict[str, list[Path]] = {}
        for number in range(DAYS):
            when = FIRST + timedelta(days=number if number < 3 else number + 1)
            folder = path / f"{100 + number}MEDIA"
            folder.mkdir()
            files = [folder / f"{DAYS - number}-{one:03}.jpg" for one in range(EACH)]
            for file in files:
                file.write_bytes(drawn + file.name.encode())
                os.utime(file, (when.timestamp(), when.timestamp()))
            self.days[when.date().isoformat()] = files
        (path / "100MEDIA/notes.txt").write_text("no picture")
        api.add_root(path)
        eventually(lambda: self.undated, lambda left: left == 0, 90)

    @property
    def undated(self) -> int:
        told = self.api.get("/api/histogram", path=self.path).json()
        return int(told["undated"]["all"]) + (not told["days"])

    @property
    def grid(self) -> str:
        return f"/#/r/{str(self.path).replace('/', '%2F')}"


@pytest.fixture
def season(api: Api, tmp_path: Path) -> Iterator[Season]:
    made = Season(api, tmp_path / "season")
    yield made
    api.remove_root(made.path)


def opened(visit: Visit, stack: Stack, address: str, **how: object) -> Page:
    page = visit(stack.url, address, **how)
    expect(page.locator("[data-index][data-path]").first).to_be_visible()
    return page


def in_sight(page: Page, name: str) -> None:
    """That the first row of the grid begins with this file."""
    cell = page.locator(f'[data-path$="/{name}"]')
    expect(cell).to_be_in_viewport()
    page.wait_for_function(
        """name => { const cell = document.querySelector(`[data-path$="/${name}"]`);
            const gap = cell.getBoundingClientRect().top - document.querySelector('.grid').getBoundingClientRect().top;
            const grid = document.querySelector('.grid');
            return gap < 60 || grid.scrollTop + grid.clientHeight >= grid.scrollHeight - 2; }""",
        arg=name,
    )


def test_g_goes_to_a_typed_date_with_the_keyboard_alone(visit: Visit, stack: Stack, season: Season) -> None:
    page = opened(visit, stack, season.grid)
    page.keyboard.press("g")
    dialog = page.get_by_role("dialog", name="Go to date")
    box = dialog.get_by_label("Date", exact=True)
    expect(box).to_be_focused()
    box.fill("2026-04-02")  # the day without pictures
    expect(dialog.get_by_role("status")).to_contain_text("Nothing of that day")
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(page).to_have_url(re.compile("s=date"))
    in_sight(page, "3-000.jpg")
    expect(page.get_by_label("Order")).to_have_value("date")
    page.keyboard.press("g")
    months = dialog.get_by_role("list", name="Months")
    expect(months.locator("summary").first).to_contain_text("March 2026")
    months.locator("summary").first.press("Enter")
    months.get_by_role("button", name=re.compile("Mar 31, 2026: 20 items, 20 unseen")).press("Enter")
    in_sight(page, "5-000.jpg")
    page.keyboard.press("g")
    expect(box).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_review_goes_to_a_date_too(visit: Visit, stack: Stack, season: Season) -> None:
    page = opened(visit, stack, season.grid + "?s=date")
    page.locator('[data-index="0"]').dblclick()
    expect(page.get_by_role("dialog", name=re.compile("Review of 6-000.jpg"))).to_be_visible()
    page.keyboard.press("g")
    page.get_by_role("dialog", name="Go to date").get_by_label("Date", exact=True).fill("2026-04-04")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name=re.compile("Review of 2-000.jpg"))).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("dialog", name=re.compile("Review of 2-001.jpg"))).to_be_visible()


def test_the_strip_is_worked_with_keys_and_mouse_and_follows_the_grid(
    visit: Visit, stack: Stack, season: Season
) -> None:
    page = opened(visit, stack, season.grid + "?s=date")
    strip = page.get_by_role("slider", name="Days")
    expect(strip).to_have_attribute("aria-valuetext", "Mar 30, 2026: 20 items, 20 unseen")
    strip.focus()
    page.keyboard.press("ArrowRight")
    in_sight(page, "5-000.jpg")
    expect(strip).to_be_focused()
    expect(strip).to_have_attribute("aria-valuetext", re.compile("Mar 31"))
    page.keyboard.press("End")
    in_sight(page, "1-000.jpg")
    box = strip.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 2.5 / DAYS, box["y"] + 10)
    in_sight(page, "4-000.jpg")
    page.mouse.move(box["x"] + box["width"] * 2.5 / DAYS, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 3.5 / DAYS, box["y"] + 10, steps=4)
    page.mouse.up()
    in_sight(page, "3-000.jpg")
    page.locator(".grid").hover()
    page.mouse.wheel(0, -100_000)
    expect(strip).to_have_attribute("aria-valuetext", re.compile("Mar 30"))
    for file in season.days["2026-03-30"][:5]:
        season.api.act(file, "seen")
    expect(strip).to_have_attribute("aria-valuetext", "Mar 30, 2026: 20 items, 15 unseen")


def test_by_name_the_strip_takes_to_the_listing_by_date(visit: Visit, stack: Stack, season: Season) -> None:
    page = opened(visit, stack, season.grid)
    strip = page.get_by_role("slider", name="Days")
    expect(strip).to_have_attribute("aria-valuetext", "no day chosen")
    strip.focus()
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(re.compile("s=date"))
    in_sight(page, "5-000.jpg")


def test_a_listing_is_narrowed_to_days_and_widened_again(visit: Visit, stack: Stack, season: Season) -> None:
    page = opened(visit, stack, season.grid)
    page.keyboard.press("g")
    dialog = page.get_by_role("dialog", name="Go to date")
    dialog.get_by_label("from").fill("2026-03-31")
    dialog.get_by_label("from").press("Tab")
    expect(page).to_have_url(re.compile("from=2026-03-31"))
    dialog.get_by_label("to", exact=True).fill("2026-04-01")
    dialog.get_by_label("to", exact=True).press("Tab")
    expect(page).to_have_url(re.compile("to=2026-04-01"))
    page.keyboard.press("Escape")
    expect(page.locator(".days .chip")).to_contain_text("from Mar 31, 2026 to Apr 1, 2026")
    expect(page.get_by_role("button", name=re.compile("^All 40"))).to_be_visible()
    in_sight(page, "5-000.jpg")
    page.get_by_role("button", name="All dates").click()
    expect(page.get_by_role("button", name=re.compile("^All 120"))).to_be_visible()


def test_an_empty_folder_of_a_filter_leads_to_the_next_and_the_end_says_what_was_done(
    visit: Visit, stack: Stack, season: Season
) -> None:
    files = [file for day in season.days.values() for file in day]
    for folder in ("100MEDIA", "102MEDIA", "103MEDIA", "104MEDIA", "105MEDIA"):
        season.api.batch([str(file) for file in files if file.parent.name == folder], "seen")
    page = visit(stack.url, season.grid + "?d=100MEDIA&f=unseen")
    expect(page.locator(".empty")).to_contain_text("No unseen items left in season/100MEDIA.")
    page.get_by_role("link", name="Next folder with 20 unseen").click()
    expect(page.locator("[data-index][data-path]").first).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_contain_text("101MEDIA")
    season.api.batch([str(file) for file in files if file.parent.name == "101MEDIA"], "trash")
    page.get_by_role("button", name="Refresh").click()
    expect(page.locator(".empty")).to_contain_text("Done: 120 reviewed, 20 trashed, 0 locked.")
    expect(page.get_by_role("link", name="Open trash")).to_be_visible()


def test_a_root_without_pictures_says_what_it_ignores(visit: Visit, stack: Stack, api: Api, tmp_path: Path) -> None:
    root = tmp_path / "texts"
    (root / "below").mkdir(parents=True)
    for name in ("a.txt", "below/b.txt", "below/c.txt"):
        (root / name).write_text("no picture")
    api.add_root(root)
    page = visit(stack.url, f"/#/r/{str(root).replace('/', '%2F')}")
    expect(page.locator(".empty")).to_contain_text("No photos or videos here. 3 other files ignored.")
    api.remove_root(root)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_time_has_no_serious_fault_and_fits_a_phone(visit: Visit, stack: Stack, season: Season, scheme: str) -> None:
    page = opened(visit, stack, season.grid + "?s=date", color_scheme=scheme, viewport={"width": 360, "height": 740})
    for step in ("strip", "dialog", "search"):
        if step == "dialog":
            page.keyboard.press("g")
            expect(page.get_by_role("dialog", name="Go to date")).to_be_visible()
        if step == "search":
            page.goto(f"{stack.url}/#/s?root={str(season.path).replace('/', '%2F')}&from=2026-03-31")
            expect(page.locator(".found")).to_contain_text("100 items found")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, step
        found = Axe().run(page).response["violations"]
        serious = [one for one in found if one["impact"] in ("serious", "critical")]
        assert [(one["id"], [node["html"][:200] for node in one["nodes"]][:3]) for one in serious] == [], step
        page.keyboard.press("Escape")


def test_search_is_narrowed_by_typing_and_by_drawing_over_the_days(visit: Visit, stack: Stack, season: Season) -> None:
    season.api.wait_idle(180)
    page = visit(stack.url, f"/#/s?root={str(season.path).replace('/', '%2F')}")
    brush = page.get_by_role("group", name="Dates")
    brush.get_by_label("from").fill("2026-04-04")
    brush.get_by_label("from").press("Tab")
    expect(page.locator(".found")).to_contain_text("40 items found")
    page.get_by_role("button", name="All dates").click()
    bars = page.locator(".brush-bars")
    box = bars.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 1.5 / DAYS, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 3.5 / DAYS, box["y"] + 10, steps=5)
    page.mouse.up()
    expect(brush.get_by_label("from")).to_have_value("2026-03-31")
    expect(brush.get_by_label("to", exact=True)).to_have_value("2026-04-03")
    expect(page.locator(".found")).to_contain_text("60 items found")

"""Culling: by mouse, by the keys of the grid, many at once; what is locked; what another window does meanwhile."""

from __future__ import annotations

import re

import pytest
from api import eventually
from playwright.sync_api import Page, expect
from shots import Shots, Visit
from stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


def cell(page: Page, name: str) -> str:
    return f'[role="gridcell"][aria-label^="{name}"]'


def at(page: Page, number: int, of: int) -> None:
    expect(page.locator(".review-progress")).to_contain_text(re.compile(rf"^{number} of {of}\b"))


def test_by_mouse(page: Page, shots: Shots) -> None:
    card = page.locator(".card", has_text=str(shots.path))
    card.get_by_role("link", name="Start reviewing").click()
    bar = page.get_by_role("toolbar", name="Decide")
    for number, button in enumerate(("Lock", "Trash", "Seen", "Trash"), start=1):
        at(page, number, 12)
        bar.get_by_role("button", name=button, exact=True).click()
    at(page, 5, 12)
    eventually(lambda: shots.counts["trashed"], lambda count: count == 2)

    page.locator(".toast", has_text="Trashed shot0003.jpg").get_by_role("button", name="Undo").click()
    eventually(lambda: shots.counts["trashed"], lambda count: count == 1)
    page.get_by_role("button", name="Back to the grid").click()
    expect(page.locator(cell(page, "shot0001.jpg")).locator(".is-trashed")).to_be_visible()


def test_the_grid_goes_by_the_keys_of_its_pattern(page: Page, shots: Shots) -> None:
    page.goto(page.url.split("#")[0] + shots.grid[1:])
    grid = page.get_by_role("grid")
    first = grid.locator('[data-index="0"]')
    expect(first).to_have_attribute("tabindex", "0")
    first.focus()
    page.keyboard.press("ArrowRight")
    expect(grid.locator('[data-index="1"]')).to_be_focused()
    page.keyboard.press("Control+End")
    expect(grid.locator('[data-index="11"]')).to_be_focused()
    page.keyboard.press("Control+Home")
    expect(first).to_be_focused()
    expect(grid.locator('[tabindex="0"]')).to_have_count(1)

    page.keyboard.press("Space")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    expect(grid.locator('[aria-selected="true"]')).to_have_count(3)
    expect(page.get_by_text("Selected 3")).to_be_visible()
    page.keyboard.press("d")
    eventually(lambda: shots.counts["trashed"], lambda count: count == 3)
    page.keyboard.press("Escape")
    expect(grid.locator('[aria-selected="true"]')).to_have_count(0)
    page.keyboard.press("Control+z")
    eventually(lambda: shots.counts["trashed"], lambda count: count == 0)
    page.keyboard.press("Control+a")
    expect(page.get_by_text("Selected 12")).to_be_visible()


def test_many_by_mouse_and_what_leaves_the_filter_stays_where_it_is(page: Page, shots: Shots) -> None:
    page.goto(page.url.split("#")[0] + shots.grid[1:] + "?f=unseen")
    grid = page.get_by_role("grid")
    grid.locator('[data-index="1"]').click()
    grid.locator('[data-index="4"]').click(modifiers=["Shift"])
    grid.locator('[data-index="7"]').click(modifiers=["Control"])
    expect(page.get_by_text("Selected 5")).to_be_visible()
    page.get_by_role("toolbar", name="Selected items").get_by_role("button", name="Seen", exact=True).click()

    eventually(lambda: shots.counts["unseen"], lambda count: count == 7)
    expect(grid.locator(".has-left")).to_have_count(5)
    expect(grid.locator('[data-index="7"]')).to_have_attribute("data-path", str(shots.files[7]))
    expect(page.get_by_role("button", name="Unseen 7")).to_be_visible()
    page.get_by_role("button", name="Refresh").click()
    expect(grid.locator(".has-left")).to_have_count(0)
    expect(grid.locator('[role="gridcell"]')).to_have_count(7)


def test_what_is_locked_is_asked_about_and_what_cannot_be_done_is_told(page: Page, shots: Shots) -> None:
    page.goto(page.url.split("#")[0] + shots.grid[1:])
    first = page.locator('[data-index="0"]')
    expect(first).to_have_attribute("data-path", str(shots.files[0]))
    shots.api.act(shots.files[0], "lock")
    expect(first.locator(".is-locked")).to_be_visible()
    first.focus()
    page.keyboard.press("d")
    sheet = page.get_by_role("dialog", name="Locked. Unlock and trash?")
    expect(sheet.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Enter")
    expect(sheet).to_be_hidden()
    assert shots.counts["trashed"] == 0
    page.keyboard.press("d")
    sheet.get_by_role("button", name="Unlock and trash").click()
    eventually(lambda: shots.counts, lambda counts: (counts["locked"], counts["trashed"]) == (0, 1))

    shots.files[5].unlink()
    page.locator('[data-index="4"]').click()
    page.locator('[data-index="5"]').click(modifiers=["Shift"])
    page.get_by_role("toolbar", name="Selected items").get_by_role("button", name="Lock", exact=True).click()
    failures = page.get_by_role("dialog", name="Not done for 1 item")
    expect(failures).to_contain_text("shot0005.jpg")
    failures.get_by_role("button", name="Close").last.click()
    assert shots.counts["locked"] == 1


def test_another_window_shows_what_is_done_in_this_one(visit: Visit, stack: Stack, shots: Shots) -> None:
    grid = visit(stack.url, shots.grid)
    review = visit(stack.url, f"{shots.grid}/i/{shots.files[2].name}?f=all&n=2")
    expect(grid.locator('[data-index="2"]')).to_have_attribute("data-path", str(shots.files[2]))
    at(review, 3, 12)

    review.keyboard.press("l")
    expect(grid.locator('[data-index="2"] .is-locked')).to_be_visible()
    at(review, 4, 12)
    grid.locator('[data-index="3"][data-path]').focus()
    grid.keyboard.press("d")
    expect(review.get_by_text("Changed elsewhere")).to_be_visible()
    expect(review.locator(".state.trashed")).to_be_visible()


def test_keys_can_be_changed_and_letters_switched_off(page: Page, shots: Shots) -> None:
    page.goto(page.url.split("#")[0] + "#/settings")
    page.get_by_role("button", name="Change the key of: Lock (keep), or unlock").click()
    page.keyboard.press("g")
    expect(page.get_by_role("row", name="Lock (keep), or unlock").locator("kbd").first).to_have_text("G")
    page.goto(page.url.split("#")[0] + shots.grid[1:])
    page.locator('[data-index="0"] img.there').wait_for()
    page.locator('[data-index="0"][data-path]').focus()
    page.keyboard.press("l")
    page.keyboard.press("g")
    eventually(lambda: shots.counts["locked"], lambda count: count == 1)
    page.keyboard.press("?")
    help_ = page.get_by_role("dialog", name="Keys")
    expect(help_).to_contain_text("G")
    page.keyboard.press("Escape")
    expect(help_).to_be_hidden()

    page.goto(page.url.split("#")[0] + "#/settings")
    page.get_by_label("Preset").select_option("lightroom")
    page.get_by_label("Keys of a single character").uncheck()
    page.goto(page.url.split("#")[0] + shots.grid[1:])
    page.locator('[data-index="1"] img.there').wait_for()
    page.locator('[data-index="1"][data-path]').focus()
    page.keyboard.press("x")
    page.keyboard.press("Delete")
    eventually(lambda: shots.counts["trashed"], lambda count: count == 1)
    expect(page.locator('[data-index="1"] .is-trashed')).to_be_visible()

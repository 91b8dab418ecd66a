"""Permanent deletion: the plan, a confirmation that is no accident, progress, Stop, the receipt, a lost connection."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from api import eventually
from playwright.sync_api import Page, expect
from shots import Shots

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


def empty_of(page: Page, shots: Shots) -> None:
    """Open the dialog for this root's trash."""
    page.goto(page.url.split("#")[0] + f"#/t?root={str(shots.path).replace('/', '%2F')}")
    button = page.get_by_role("button", name=f"Empty {shots.path.name}…")
    expect(button.or_(page.get_by_role("button", name="Empty…", exact=True))).to_be_enabled()
    (button if button.count() else page.get_by_role("button", name="Empty…", exact=True)).click()


def trash(shots: Shots, count: int) -> None:
    for first in range(0, count, 500):
        shots.api.batch([str(path) for path in shots.files[first : min(first + 500, count)]], "trash")


@pytest.mark.parametrize("shots", [60], indirect=True)
def test_many_are_deleted_when_their_number_is_typed(page: Page, shots: Shots, tmp_path: Path) -> None:
    trash(shots, 55)
    shots.api.act(shots.files[0], "lock")
    empty_of(page, shots)
    dialog = page.get_by_role("dialog", name="Empty the trash")
    expect(dialog).to_contain_text("54 files")
    expect(dialog).to_contain_text("1 locked (kept)")
    expect(dialog.locator(".first-ones img").first).to_be_visible()
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    delete = dialog.get_by_role("button", name="Delete 54 files")
    expect(delete).to_be_disabled()
    number = dialog.get_by_label("Type 54")
    number.fill("5")
    expect(delete).to_be_disabled()
    number.fill("54")
    number.press("Enter")
    assert shots.files[1].exists(), "Enter deletes nothing"
    delete.click()

    expect(dialog).to_contain_text("54 deleted")
    with page.expect_download() as saved:
        dialog.get_by_role("button", name="Receipt").click()
    saved.value.save_as(tmp_path / "receipt.json")
    receipt = json.loads((tmp_path / "receipt.json").read_text())
    assert (receipt["end"], receipt["deleted"], len(receipt["deletedPaths"])) == ("done", 54, 54)
    assert [path for path in shots.files if path.exists()] == [shots.files[0], *shots.files[55:]]
    dialog.get_by_role("button", name="Close").last.click()
    page.get_by_role("link", name="Activity").click()
    expect(page.locator(".receipts li").first).to_contain_text("54 deleted")


def test_few_are_deleted_by_a_button_that_says_how_many(page: Page, shots: Shots) -> None:
    trash(shots, 3)
    empty_of(page, shots)
    dialog = page.get_by_role("dialog", name="Empty the trash")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    assert shots.counts["trashed"] == 3
    empty_of(page, shots)
    dialog.get_by_role("button", name="Delete 3 files").click()
    expect(dialog).to_contain_text("3 deleted")
    assert shots.counts["all"] == 9


def test_a_plan_that_is_not_true_any_more_is_shown_anew(page: Page, shots: Shots) -> None:
    trash(shots, 2)
    empty_of(page, shots)
    dialog = page.get_by_role("dialog", name="Empty the trash")
    delete = dialog.get_by_role("button", name="Delete 2 files")
    expect(delete).to_be_enabled()
    trash(shots, 4)
    delete.click()
    expect(dialog.get_by_role("alert")).to_contain_text("has changed")
    expect(dialog.get_by_role("button", name="Delete 4 files")).to_be_enabled()
    assert shots.counts["trashed"] == 4


def test_a_connection_that_is_lost_is_no_end(page: Page, shots: Shots) -> None:
    trash(shots, 3)
    cut = json.dumps({"type": "deleting", "path": "/x"}) + "\n" + json.dumps({"type": "deleted", "path": "/x"}) + "\n"
    page.route(
        "**/api/empty-trash", lambda route: route.fulfill(status=200, content_type="application/x-ndjson", body=cut)
    )
    empty_of(page, shots)
    dialog = page.get_by_role("dialog", name="Empty the trash")
    dialog.get_by_role("button", name="Delete 3 files").click()
    expect(dialog).to_contain_text("Connection lost after 1 of 3.")
    page.unroute("**/api/empty-trash")
    dialog.get_by_role("button", name="Check state").click()
    expect(dialog.get_by_role("button", name="Delete 3 files")).to_be_enabled()


@pytest.mark.parametrize("shots", [2000], indirect=True)
def test_stop_stops_and_says_what_was_deleted(page: Page, shots: Shots) -> None:
    trash(shots, 2000)
    empty_of(page, shots)
    dialog = page.get_by_role("dialog", name="Empty the trash")
    dialog.get_by_label("Type 2,000").fill("2000")
    # As soon as it can be pressed: on a quick disk a person would be too late.
    page.evaluate(
        """new MutationObserver(() => {
            [...document.querySelectorAll('button')].find(one => one.innerText === 'Stop')?.click();
        }).observe(document.body, { childList: true, subtree: true })"""
    )
    dialog.get_by_role("button", name="Delete 2,000 files").click()
    end = dialog.locator(".end")
    expect(end).to_have_text(re.compile(r"Stopped\.|The trash is empty\."))
    # The server stops after the file in hand, and what it deleted after the last word is counted by it alone.
    left = eventually(lambda: sum(path.exists() for path in shots.files), lambda count: count == shots.counts["all"])
    assert left > 0 or "empty" in end.inner_text()


def test_items_are_restored(page: Page, shots: Shots) -> None:
    trash(shots, 3)
    page.goto(page.url.split("#")[0] + f"#/t?root={str(shots.path).replace('/', '%2F')}")
    page.locator('[data-index="1"]').click()
    page.get_by_role("button", name="Restore", exact=True).click()
    eventually(lambda: shots.counts["trashed"], lambda count: count == 2)
    expect(page.locator('[data-index="1"] .has-left')).to_be_visible()
    page.locator('[data-index="0"]').dblclick()
    expect(page.locator(".review-progress")).to_contain_text("1 of 3")
    page.keyboard.press("d")
    eventually(lambda: shots.counts["trashed"], lambda count: count == 1)
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="Trash")).to_be_visible()

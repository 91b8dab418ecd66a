"""What somebody meets who has never seen the page: that its words and messages are there to be read."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from shots import Shots, Visit
from stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


@pytest.mark.parametrize("width", [360, 1280])
def test_a_message_is_as_wide_as_there_is_room(visit: Visit, stack: Stack, shots: Shots, width: int) -> None:
    page = visit(stack.url, f"{shots.grid}/i/{shots.files[0].name}", viewport={"width": width, "height": 740})
    expect(page.locator(".stage img")).to_be_visible()
    page.keyboard.press("d")
    message = page.locator(".toast", has_text=f"Trashed {shots.files[0].name}")
    expect(message).to_be_visible()
    box, room = message.bounding_box(), page.locator(".toasts").bounding_box()
    assert box
    assert room
    assert box["width"] == pytest.approx(room["width"], abs=1)
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width


def test_a_folder_is_found_as_its_path_is_typed(visit: Visit, stack: Stack, shots: Shots) -> None:
    page = visit(stack.url)
    page.get_by_role("button", name="Add folder").first.click()
    dialog = page.get_by_role("dialog", name="Add a folder")
    field = dialog.get_by_label("Folder on the server")
    offered = dialog.get_by_role("list", name="Folders").get_by_role("button", name=shots.path.name, exact=True)
    missing = shots.path.with_name("no such folder")

    field.fill(str(missing))
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("alert")).to_be_visible()
    # Half of a name: its folder is offered, and what was wrong before is said no more.
    field.fill(str(shots.path)[:-1])
    expect(dialog.get_by_role("alert")).to_have_count(0)
    expect(offered).to_be_visible()
    offered.click()
    expect(field).to_have_value(str(shots.path))


def test_the_keys_say_what_the_marks_mean(visit: Visit, stack: Stack, shots: Shots) -> None:
    page = visit(stack.url, shots.grid)
    expect(page.get_by_role("gridcell").first).to_be_visible()
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys and marks")
    for mark, meaning in {
        "unseen": "not decided on yet",
        "locked": "nothing can trash or delete it until it is unlocked",
        "trashed": "the file stays where it is until the trash is emptied",
    }.items():
        expect(dialog.locator("div", has=page.locator("dt", has_text=mark)).last).to_contain_text(meaning)

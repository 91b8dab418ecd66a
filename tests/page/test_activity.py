"""Activity: the history with undo of any step, how roots are, what can be held back; by mouse and by keys."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from api import Api, eventually
from axe_playwright_python.sync_playwright import Axe
from media import picture
from playwright.sync_api import Locator, Page, expect
from shots import Shots, Visit
from stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

#: The buttons, not the words of a step that was undone.
UNDO = re.compile("^Undo:")
DO_AGAIN = re.compile("^Do again:")


def activity(page: Page) -> Locator:
    page.goto(page.url.split("#")[0] + "#/a")
    history = page.locator(".history")
    expect(history).to_be_visible()
    return history


def entry(page: Page, words: str) -> Locator:
    """The newest whose words begin so."""
    beginning = page.locator(".history-words").filter(has_text=re.compile(f"^{re.escape(words)}"))
    return page.locator(".history-entry").filter(has=beginning).first


def test_an_old_batch_is_undone_but_for_what_was_changed_since(page: Page, visit: Visit, shots: Shots) -> None:
    paths = [str(path) for path in shots.files]
    shots.api.batch(paths[:5], "trash")
    shots.api.act(paths[0], "untrash")
    shots.api.act(paths[7], "lock")
    activity(page)
    other = visit(page.url.split("#")[0], "#/a")  # the same server in a second window
    old = entry(page, f"Trashed 5 items in {shots.path.name}")
    expect(entry(other, f"Trashed 5 items in {shots.path.name}")).to_be_visible()
    expect(entry(page, f"Restored {shots.files[0].name}")).to_be_visible()

    old.get_by_role("button", name=UNDO).click()

    expect(old.get_by_role("status")).to_have_text("4 put back; 1 was changed since and is left alone.")
    expect(old.get_by_label("Left alone")).to_contain_text("A later step changed it")
    expect(old).to_contain_text("4 of 5 undone")
    assert shots.counts["trashed"] == 0
    assert shots.counts["locked"] == 1
    expect(entry(page, "Undone: Trashed 4 items")).to_be_visible()
    expect(entry(other, "Undone: Trashed 4 items")).to_be_visible()  # without a reload

    # The undo is a step, too: taken back, the deed is done again, and Ctrl+Z takes that back.
    entry(page, "Undone: Trashed 4 items").get_by_role("button", name=DO_AGAIN).click()
    expect(entry(page, "Done again: Trashed 4 items")).to_be_visible()
    assert shots.counts["trashed"] == 4
    page.keyboard.press("Control+z")
    eventually(lambda: shots.counts["trashed"], lambda count: count == 0)
    assert shots.counts["locked"] == 1
    expect(entry(page, "Done again: Trashed 4 items")).to_have_class("history-entry is-undone")


def test_the_keys_alone_open_a_step_and_take_it_back_and_forth(page: Page, shots: Shots) -> None:
    shots.api.batch([str(path) for path in shots.files[:3]], "lock")
    activity(page)
    step = entry(page, f"Locked 3 items in {shots.path.name}")
    step.get_by_role("button", expanded=False).focus()
    page.keyboard.press("Enter")
    files = step.get_by_label("Files of the step of")
    expect(files.locator("li")).to_have_count(3)
    expect(files).to_contain_text(f"{shots.files[1].name} locked")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    eventually(lambda: shots.counts["locked"], lambda count: count == 0)
    expect(files).to_contain_text("taken back")
    expect(step.locator(".undone")).to_have_text("undone")
    page.keyboard.press("Control+Shift+z")
    eventually(lambda: shots.counts["locked"], lambda count: count == 3)
    page.keyboard.press("Control+z")
    eventually(lambda: shots.counts["locked"], lambda count: count == 0)


def test_an_emptying_is_in_the_history_with_its_receipt(page: Page, shots: Shots, tmp_path: Path) -> None:
    shots.api.batch([str(path) for path in shots.files[:2]], "trash")
    shots.api.empty_trash(shots.path)
    activity(page)
    emptied = entry(page, "Emptied the trash: 2 files")
    with page.expect_download() as saved:
        emptied.get_by_role("button", name="Receipt").click()
    saved.value.save_as(tmp_path / "receipt.json")
    assert len(json.loads((tmp_path / "receipt.json").read_text())["paths"]) == 2
    trashed = entry(page, f"Trashed 2 items in {shots.path.name}")
    expect(trashed).to_contain_text("2 deleted since")
    expect(trashed.get_by_role("button", name=UNDO)).to_be_hidden()


def test_older_steps_come_when_they_are_asked_for(page: Page, shots: Shots) -> None:
    for number in range(36):
        shots.api.act(shots.files[number % 12], ("seen", "lock", "unlock")[number // 12])
    activity(page)
    expect(page.locator(".history-entry")).to_have_count(30)
    page.get_by_role("button", name="Older steps").click()
    expect(entry(page, f"Marked seen {shots.files[3].name}")).to_be_visible()
    shots.api.act(shots.files[0], "trash")
    expect(entry(page, f"Trashed {shots.files[0].name}")).to_be_visible()
    expect(entry(page, f"Marked seen {shots.files[5].name}")).to_be_visible()  # nothing shrinks under the hand


@pytest.mark.parametrize("colors", ["light", "dark"])
def test_the_history_has_no_fault_that_axe_knows(visit: Visit, stack: Stack, shots: Shots, colors: str) -> None:
    shots.api.batch([str(path) for path in shots.files[:4]], "trash")
    shots.api.act(shots.files[0], "untrash")
    page = visit(stack.url, "/#/a", color_scheme=colors)
    step = entry(page, f"Trashed 4 items in {shots.path.name}")
    step.get_by_role("button", expanded=False).click()
    step.get_by_role("button", name=UNDO).click()
    expect(step.get_by_role("status")).to_contain_text("3 put back")
    found = Axe().run(page, context="main")
    assert found.violations_count == 0, found.generate_report()


def test_a_root_that_goes_and_comes_back_is_followed_without_a_reload(
    visit: Visit, own_stack: Stack, tmp_path: Path
) -> None:
    api = Api(own_stack.url)
    shots = Shots(api, tmp_path / "card", 5)
    api.batch([str(path) for path in shots.files[:3]], "trash")
    roots = visit(own_stack.url, "/#/")
    grid = visit(own_stack.url, shots.grid)
    page = visit(own_stack.url, "/#/a")
    card = roots.locator(".card", has_text="card")
    expect(card.locator(".state")).to_have_text("online")
    expect(card).to_contain_text("free")
    step = entry(page, "Trashed 3 items in card")
    expect(step).to_be_visible()

    shots.path.rename(tmp_path / "pulled")
    expect(card.locator(".state")).to_have_text("can't be reached")
    expect(grid.locator(".notice")).to_contain_text("This folder can't be reached since ")
    step.get_by_role("button", name=UNDO).click()
    expect(step.get_by_role("status")).to_have_text("Nothing was put back; 3 can't be reached now.")
    (told,) = api.ok(api.get("/api/roots/status"))["roots"]
    assert (told["state"], told["answers"]) == ("offline", True)

    (tmp_path / "pulled").rename(shots.path)
    expect(card.locator(".state")).to_have_text("online")
    expect(grid.locator(".notice")).to_be_hidden()
    step.get_by_role("button", name=UNDO).click()
    expect(step.locator(".undone")).to_have_text("undone")
    assert shots.counts["trashed"] == 0
    api.close()


def test_thumbnails_and_reading_are_held_back_and_go_on_also_over_a_restart(
    visit: Visit, own_stack: Stack, tmp_path: Path
) -> None:
    api = Api(own_stack.url)
    first = Shots(api, tmp_path / "first", 3)
    api.wait_idle(60)
    page = visit(own_stack.url, "/#/a")

    def queue(name: str) -> dict[str, object]:
        told: dict[str, object] = api.ok(api.get("/api/jobs"))["queues"][name]
        return told

    for label, name in (("thumbnails", "thumbnail"), ("indexing", "index")):
        page.get_by_role("button", name=f"Pause {label}").click()
        expect(page.get_by_role("button", name=f"Resume {label}")).to_be_visible()
        assert queue(name)["paused"] is True

    own_stack.stop()
    own_stack.start()
    eventually(lambda: queue("thumbnail")["paused"], lambda paused: paused is True, 60)
    eventually(lambda: queue("index")["paused"], lambda paused: paused is True, 60)
    second = tmp_path / "second"
    second.mkdir()
    for number in range(20):
        picture(second / f"late{number:02d}.jpg")
    api.add_root(second)
    eventually(lambda: api.summary(second)["all"], lambda count: count == 20, 60)
    # Jobs come, and stay; what somebody looks at is made all the same.
    eventually(lambda: queue("thumbnail")["pending"], lambda pending: pending == 20, 60)
    eventually(lambda: queue("index")["pending"], lambda pending: isinstance(pending, int) and pending >= 20, 60)
    assert api.thumbnail(second / "late00.jpg").status_code == 200
    assert api.thumbnail(first.files[0]).status_code == 200
    assert queue("thumbnail")["pending"] == 20

    expect(page.get_by_role("button", name="Resume thumbnails")).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="Resume thumbnails").click()
    page.get_by_role("button", name="Resume indexing").click()
    for name in ("thumbnail", "index"):
        eventually(lambda name=name: queue(name)["pending"], lambda pending: pending == 0, 90)  # type: ignore[misc]
        assert queue(name)["paused"] is False
    api.close()


def test_a_job_that_failed_says_why_and_is_tried_again(visit: Visit, own_stack: Stack, tmp_path: Path) -> None:
    api = Api(own_stack.url)
    root = tmp_path / "broken"
    root.mkdir()
    (root / "broken.jpg").write_bytes(b"no picture at all")
    api.add_root(root)
    eventually(lambda: api.ok(api.get("/api/jobs"))["queues"]["thumbnail"]["dead"], lambda dead: dead == 1, 60)
    page = visit(own_stack.url, "/#/a")
    failed = page.get_by_label("Failed jobs")
    expect(failed).to_contain_text("broken.jpg")
    picture(root / "broken.jpg")
    page.get_by_role("button", name="Retry 1 failed job").click()
    eventually(lambda: api.ok(api.get("/api/jobs"))["queues"]["thumbnail"]["dead"], lambda dead: dead == 0, 60)
    expect(failed).to_be_hidden()
    api.close()

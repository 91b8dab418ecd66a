"""A server that goes away and comes back, and one that asks for a key."""

from __future__ import annotations

from pathlib import Path

import pytest
from api import Api, eventually
from playwright.sync_api import expect
from shots import Shots, Visit
from stack import Stack, running_stack

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


def test_marks_outlast_a_restart_and_are_sent_once(visit: Visit, own_stack: Stack, tmp_path: Path) -> None:
    api = Api(own_stack.url)
    shots = Shots(api, tmp_path / "outlast", 8)
    page = visit(own_stack.url, shots.grid)
    sent: list[str] = []
    page.locator('[data-index="0"][data-path]').focus()
    page.keyboard.press("l")
    eventually(lambda: shots.counts["locked"], lambda count: count == 1)

    own_stack.stop()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("d")
    expect(page.get_by_role("alert").filter(has_text="can't be reached")).to_be_visible()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("d")
    expect(page.locator(".is-trashed")).to_have_count(2)
    expect(page.get_by_text("2 not sent yet")).to_be_visible()
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)

    own_stack.start()
    expect(page.locator(".banner")).to_be_hidden(timeout=30_000)
    eventually(lambda: shots.counts["trashed"], lambda count: count == 2)
    expect(page.get_by_text("not sent yet")).to_be_hidden()
    assert len([url for url in sent if url.endswith("/api/media-actions")]) == 2
    page.locator('[data-index="5"][data-path]').focus()
    page.keyboard.press("s")
    eventually(lambda: shots.counts["seen"], lambda count: count == 4)
    api.close()


def test_a_root_that_goes_offline_is_told_and_its_marks_are_kept(
    visit: Visit, own_stack: Stack, tmp_path: Path
) -> None:
    api = Api(own_stack.url)
    shots = Shots(api, tmp_path / "card", 5)
    api.act(shots.files[0], "trash")
    page = visit(own_stack.url, shots.grid)
    expect(page.locator('[data-index="0"] .is-trashed')).to_be_visible()
    shots.path.rename(tmp_path / "pulled")
    page.locator('[data-index="1"][data-path]').focus()
    page.keyboard.press("d")
    expect(page.locator(".toast.error")).to_be_visible()  # refused, and rolled back
    expect(page.locator('[data-index="1"] .is-trashed')).to_be_hidden()
    page.goto(own_stack.url + "/#/")
    expect(page.locator(".card", has_text="card")).to_contain_text("can't be reached")
    (tmp_path / "pulled").rename(shots.path)
    page.goto(own_stack.url + shots.grid)
    page.reload()
    expect(page.locator('[data-index="0"] .is-trashed')).to_be_visible()
    api.close()


def test_a_server_that_asks_for_a_key_gets_it_once(visit: Visit, tmp_path: Path) -> None:
    with running_stack(tmp_path / "state", environment={"FRAMEWELL_AUTH": "required"}) as stack:
        key = (stack.state_dir / "admin.key").read_text().strip()
        api = Api(stack.url)
        api.client.headers["X-Api-Key"] = key
        shots = Shots(api, tmp_path / "keyed", 3)
        page = visit(stack.url, shots.grid)
        dialog = page.get_by_role("dialog", name="A key is needed")
        dialog.get_by_label("Key").fill("fw_wrong")
        dialog.get_by_role("button", name="Sign in").click()
        expect(dialog.get_by_role("alert")).to_have_text("The key is not valid.")
        dialog.get_by_label("Key").fill(key)
        dialog.get_by_role("button", name="Sign in").click()
        expect(page.locator('[data-index="2"] img.there')).to_be_visible()
        api.act(shots.files[1], "lock")
        expect(page.locator('[data-index="1"] .is-locked')).to_be_visible()  # events come too
        assert page.evaluate("document.cookie") == ""
        page.reload()
        expect(page.locator('[data-index="0"] img.there')).to_be_visible()
        expect(dialog).to_be_hidden()
        page.goto(stack.url + "/#/settings")
        page.get_by_role("button", name="Sign out").click()
        expect(dialog).to_be_visible()
        api.close()

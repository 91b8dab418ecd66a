"""Every screen for everybody: narrow, dark, enlarged, with a screen reader."""

from __future__ import annotations

import pytest
from api import eventually
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from shots import Shots, Visit
from stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

SCREENS = (
    "#/", "grid", "date", "review", "compare", "#/t", "empty", "#/s", "#/a", "history", "#/settings", "help", "add"
)  # fmt: skip
NARROW = {"viewport": {"width": 360, "height": 740}, "has_touch": True}
LOOKS = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "narrow": {"color_scheme": "light", **NARROW},
    "narrow and dark": {"color_scheme": "dark", **NARROW},
}


def show(page: Page, screen: str, shots: Shots) -> None:
    base = page.url.split("#")[0]
    match screen:
        case "grid":
            page.goto(base + shots.grid[1:])
            page.locator('[data-index="1"]').click()
            expect(page.get_by_role("toolbar", name="Selected items")).to_be_visible()
        case "date":
            page.goto(base + shots.grid[1:])
            page.locator('[data-index="0"][data-path]').wait_for()
            page.keyboard.press("g")
            expect(page.get_by_role("dialog", name="Go to date").locator(".months")).to_be_visible()
        case "compare":
            page.goto(base + shots.grid[1:])
            page.locator('[data-index="1"][data-path]').click()
            page.locator('[data-index="2"]').click(modifiers=["Control"])
            page.keyboard.press("c")
            expect(page.get_by_role("dialog", name="Compare").get_by_role("option")).to_have_count(2)
        case "history":
            page.goto(base + "#/a")
            page.locator(".history-entry").first.get_by_role("button", expanded=False).click()
            expect(page.locator(".history-files li").first).to_be_visible()
        case "review":
            page.goto(base + shots.grid[1:] + f"/i/{shots.files[1].name}?f=all&n=1")
            expect(page.locator(".stage img")).to_be_visible()
        case "empty":
            page.goto(base + f"#/t?root={str(shots.path).replace('/', '%2F')}")
            page.get_by_role("button", name="Empty").last.click()
            expect(page.get_by_role("dialog").get_by_role("button", name="Cancel")).to_be_visible()
        case "help":
            page.goto(base + "#/")
            page.get_by_role("button", name="Keys").click()
            expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
        case "add":
            page.goto(base + "#/")
            page.get_by_role("button", name="Add folder").first.click()
            expect(page.get_by_role("dialog", name="Add a folder")).to_be_visible()
        case _:
            page.goto(base + screen)
            expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator(".loading")).to_have_count(0)


@pytest.mark.parametrize("look", LOOKS)
def test_no_screen_has_a_serious_fault(visit: Visit, stack: Stack, shots: Shots, look: str) -> None:
    shots.api.act(shots.files[0], "trash")
    shots.api.act(shots.files[2], "lock")
    page = visit(stack.url, **LOOKS[look])
    faults = {}
    for screen in SCREENS:
        show(page, screen, shots)
        found = Axe().run(page).response["violations"]
        serious = [one for one in found if one["impact"] in ("serious", "critical")]
        if serious:
            faults[screen] = [(one["id"], [node["html"][:200] for node in one["nodes"]][:3]) for one in serious]
        page.keyboard.press("Escape")
    assert faults == {}


@pytest.mark.parametrize("width", [360, 3840])
def test_every_screen_fits_its_window(visit: Visit, stack: Stack, shots: Shots, width: int) -> None:
    shots.api.act(shots.files[0], "trash")
    page = visit(stack.url, viewport={"width": width, "height": 740}, has_touch=width == 360)
    for screen in SCREENS:
        show(page, screen, shots)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, screen
        wide = page.evaluate(
            """width => [...document.querySelectorAll('button:not([disabled]), a[href], input, select')]
                .filter(one => one.offsetParent !== null && !one.closest('.filmstrip, .skip, [inert]')
                    && !one.matches('.skip'))
                .map(one => [one.outerHTML.slice(0, 120), one.getBoundingClientRect()])
                .filter(([, box]) => box.right > width + 1 || box.left < -1).map(([html]) => html)""",
            width,
        )
        assert wide == [], screen
        page.keyboard.press("Escape")


def test_dark_is_dark_and_light_is_light_whatever_the_system_says(visit: Visit, stack: Stack) -> None:
    page = visit(stack.url, "/#/settings", color_scheme="light")

    def ground() -> float:
        channels: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(float(part) for part in channels.strip("rgba()").split(",")[:3])

    expect(page.get_by_label("Theme")).to_be_visible()
    assert ground() > 600
    page.get_by_label("Theme").select_option("dark")
    assert ground() < 150
    page.reload()
    expect(page.get_by_label("Theme")).to_have_value("dark")
    assert ground() < 150


def test_a_finger_goes_on_locks_and_trashes(visit: Visit, stack: Stack, shots: Shots) -> None:
    page = visit(
        stack.url, f"{shots.grid}/i/{shots.files[0].name}", viewport={"width": 360, "height": 740}, has_touch=True
    )
    expect(page.locator(".stage img")).to_be_visible()

    def swipe(x: int, y: int) -> None:
        page.evaluate(
            """([x, y]) => {
                const stage = document.querySelector('.stage');
                const send = (type, dx, dy) => stage.dispatchEvent(new PointerEvent(type, {
                    bubbles: true, isPrimary: true, pointerType: 'touch', clientX: 180 + dx, clientY: 300 + dy }));
                send('pointerdown', 0, 0); send('pointermove', x / 2, y / 2); send('pointerup', x, y);
            }""",
            [x, y],
        )

    progress = page.locator(".review-progress")
    swipe(-120, 10)
    expect(progress).to_contain_text("2 of 12")
    swipe(120, 0)
    expect(progress).to_contain_text("1 of 12")
    swipe(5, -130)
    expect(progress).to_contain_text("2 of 12")
    swipe(0, 130)
    expect(progress).to_contain_text("3 of 12")
    expect(page.locator(".toast", has_text="Trashed shot0001.jpg")).to_be_visible()
    # Painted at once, sent behind.
    eventually(lambda: shots.api.item(shots.path, shots.files[0])["status"]["locked"], bool)

"""Pictures of every screen of the page, light and dark, from a running Framewell.

page_pictures.py FOLDER [--url http://127.0.0.1:8080]

`make demo` in one terminal and this in another: its sample library is what is seen. Needs Chromium.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import Final

from playwright.sync_api import Page, ViewportSize, sync_playwright

_SIZE: Final[ViewportSize] = {"width": 1280, "height": 800}
_NARROW: Final[ViewportSize] = {"width": 360, "height": 740}
_FLAGS: Final = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
_QUALITY: Final = 70
_SCREENS: Final = ("folders", "grid", "review", "search", "trash", "empty", "activity", "settings", "help")


def main() -> int:
    parser = argparse.ArgumentParser(description="Take pictures of the page.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(_FLAGS))
        for name, size in (("light", _SIZE), ("dark", _SIZE), ("narrow", _NARROW)):
            page = browser.new_context(
                viewport=size,
                color_scheme="light" if name == "light" else "dark",
                reduced_motion="reduce",
                has_touch=size is _NARROW,
            ).new_page()
            page.goto(options.url)
            page.locator(".card").first.wait_for()
            for screen in _SCREENS:
                _show(page, options.url, screen)
                page.screenshot(path=options.folder / f"{screen}-{name}.jpg", type="jpeg", quality=_QUALITY)
        browser.close()
    print(f"{len(list(options.folder.glob('*.jpg')))} pictures in {options.folder}")
    return 0


def _show(page: Page, url: str, screen: str) -> None:
    if screen in ("grid", "review"):
        page.goto(f"{url}/#/")
        page.locator(".card h2 a").first.click()
        page.locator(".grid img.there").first.wait_for()
        if screen == "review":
            page.get_by_role("button", name="Review", exact=True).click()
            page.locator(".stage img, .stage video").first.wait_for()
    elif screen in ("empty", "help"):
        page.goto(f"{url}/#/t")
        name = "Empty" if screen == "empty" else "Keys"
        page.get_by_role("button", name=name).last.click()
        page.get_by_role("dialog").wait_for()
    else:
        places = {"folders": "", "search": "s", "trash": "t", "activity": "a", "settings": "settings"}
        page.keyboard.press("Escape")
        page.goto(f"{url}/#/{places[screen]}")
        if screen == "search":
            page.get_by_label("Search in words").fill("mountains by a lake")
            page.locator(".grid img.there").first.wait_for()
    page.evaluate(
        """async () => {
            while (![...document.images].every(image => image.complete || image.offsetParent === null)) {
                await new Promise(resolve => setTimeout(resolve, 20));
            }
        }"""
    )


if __name__ == "__main__":
    sys.exit(main())

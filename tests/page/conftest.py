"""A browser before the running product. A browser that is missing skips on a laptop and fails in CI."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from api import Api
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from shots import Shots, Visit
from stack import Stack

expect.set_options(timeout=20_000)
WIDE = {"width": 1280, "height": 800}
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
#: Nothing of the browser's own goes out, and it runs as root in a container.
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Of one file of tests: while it is open it has an event loop running, which asynchronous tests could not bear."""
    found = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("no Chromium: apt-get install chromium")
        pytest.skip("no Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=list(_FLAGS))
        yield opened
        opened.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Every request of every window must stay with its server, and no script may fail."""
    contexts: list[BrowserContext] = []
    astray: list[str] = []

    def open_at(url: str, address: str = "/", context: BrowserContext | None = None, **how: object) -> Page:
        if context is None:
            context = browser.new_context(**{"viewport": WIDE, "reduced_motion": "reduce", **how})  # type: ignore[arg-type]
            contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: astray.append(f"{address}: {error}"))
        page.on(
            "request",
            lambda request: None if request.url.startswith((url, "blob:")) else astray.append(request.url),
        )
        page.goto(url + address)
        return page

    yield open_at
    for context in contexts:
        context.close()
    assert astray == []


@pytest.fixture
def page(visit: Visit, stack: Stack) -> Page:
    """The page of the shared stack, at its start."""
    return visit(stack.url)


@pytest.fixture(scope="session")
def api(stack: Stack) -> Iterator[Api]:
    client = Api(stack.url)
    yield client
    client.close()


@pytest.fixture
def shots(api: Api, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Shots]:
    """Twelve pictures, or as many as the test's parameter says, in a folder named after the test."""
    name = "".join(letter for letter in request.node.name if letter.isalnum() or letter == "_")[:40]
    made = Shots(api, tmp_path / name, getattr(request, "param", 12))
    yield made
    api.remove_root(made.path)

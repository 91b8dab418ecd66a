"""Pictures of every screen of the page, light, dark and some narrow, for the documents: `make pictures`.

    page_pictures.py FOLDER              draw the sample library, start Framewell on it, take the pictures, stop
    page_pictures.py FOLDER --url URL    of a Framewell that runs, on its first review path, as it is

Each is a WebP file of at most 40 kB, named `<screen>-<light|dark|narrow>.webp`. Needs Chromium. The library is made for
the pictures and removed after them: nothing of `make demo` is touched.

Exit codes: 0 taken, 1 cannot be taken as things are (the sentence says why).
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import httpx
from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

_REPOSITORY: Final = Path(__file__).resolve().parent.parent
#: Seen in the pictures, so it is the same everywhere.
_HOME: Final = Path(tempfile.gettempdir()) / "framewell-pictures"
_BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS: Final = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
_WIDE: Final[ViewportSize] = {"width": 1280, "height": 800}
_NARROW: Final[ViewportSize] = {"width": 360, "height": 740}
#: Pixels; narrow ones are kept as they are.
_WIDTH: Final = 960
_MOST_BYTES: Final = 40_000
_QUALITIES: Final = (82, 74, 66, 58, 50, 40, 30)
#: Of what the libraries bring, those that anybody may use for anything.
_PHOTOGRAPHS: Final = (
    "astronaut.png", "camera.png", "chelsea.png", "clock_motion.png", "coffee.png", "grass.png", "gravel.png",
    "hubble_deep_field.jpg", "motorcycle_left.png", "rocket.jpg",
)  # fmt: skip
#: Not every machine has letters for it.
_FOREIGN: Final = "2025/Été — 旅"
_START_S: Final = 120.0
_KNOWN_S: Final = 600.0


class CannotTake(Exception):
    """The message is for a person."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Take pictures of the page.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--url", help="of a running Framewell; without it one is started")
    options = parser.parse_args()
    try:
        if options.url:
            take_all(options.url, options.folder)
        else:
            with sample_library() as library, running(library.parent / "state") as url:
                with httpx.Client(base_url=url, timeout=60, trust_env=False) as api:
                    prepare(api, library)
                take_all(url, options.folder)
    except CannotTake as error:
        print(error, file=sys.stderr)
        return 1
    return 0


@contextmanager
def sample_library() -> Iterator[Path]:
    """`make demo`'s library with some photographs beside what is drawn, where those are installed; gone in the end.

    Raises:
        CannotTake: one is there already.
    """
    try:
        _HOME.mkdir()
    except FileExistsError:
        raise CannotTake(f"{_HOME} is there: pictures are being taken already, or it was left behind.") from None
    try:
        library = _HOME / "library"
        subprocess.run([sys.executable, str(_REPOSITORY / "tools/make_media.py"), str(library)], check=True)
        found = _HOME / "found"
        subprocess.run([sys.executable, "-m", "bench.photographs", str(found)], check=False, cwd=_REPOSITORY)
        for name in _PHOTOGRAPHS:
            if (found / name).exists():
                (library / "Photographs").mkdir(exist_ok=True)
                shutil.copyfile(found / name, library / "Photographs" / name)
        shutil.rmtree(library / _FOREIGN)
        yield library
    finally:
        shutil.rmtree(_HOME)


@contextmanager
def running(state: Path) -> Iterator[str]:
    """The address of a Framewell on a port and a state of its own.

    Raises:
        CannotTake: it does not start.
    """
    state.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FRAMEWELL_")}
    environment = {
        **inherited,
        "FRAMEWELL_STATE_DIR": str(state),
        "FRAMEWELL_PORT": str(port),
        "FRAMEWELL_ENCODER": "offline",  # the same everywhere, and nothing is fetched
    }
    with (state / "terminal.log").open("wb") as terminal:
        process = subprocess.Popen(
            [sys.executable, str(_REPOSITORY / "tools/run_local.py")],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=terminal,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:

        def ready() -> bool:
            if process.poll() is not None:
                raise CannotTake((state / "terminal.log").read_text(encoding="utf-8", errors="replace")[-2000:])
            try:
                return bool(json.loads((state / "run.json").read_text(encoding="utf-8"))["ready"])
            except FileNotFoundError:
                return False

        _wait(ready, _START_S, "Framewell did not start")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def prepare(api: httpx.Client, library: Path) -> None:
    """Somebody has begun: marks of all kinds, steps in the history, one of them taken back; everything is indexed."""
    _ok(api.post("/api/review-paths", json={"path": str(library)}))

    def batch(action: str, *names: str) -> None:
        paths = [str(library / name) for name in names]
        _ok(api.post("/api/media-items/batch", json={"paths": paths, "action": action}))

    def known() -> bool:
        jobs = _ok(api.get("/api/jobs"))
        told = _ok(api.get("/api/histogram", params={"path": str(library)}))
        return bool(jobs["idle"] and told["days"] and not told["undated"]["all"])

    _wait(known, _KNOWN_S, "the library was not read to its end")
    shots = [f"DCIM/100MEDIA/IMG_{number:04d}.JPG" for number in range(25)]
    night = [f"DCIM/101TRAIL/TRL_{number:04d}.JPG" for number in range(25)]
    batch("seen", *shots[1:15])
    batch("trash", *night[1:7], *night[22:25])
    batch("lock", night[8], night[17], night[20])
    batch("lock", shots[3], shots[12])
    batch("trash", shots[2], shots[8], shots[13], "Formats/grey.jpeg", "Formats/table.bmp", "Videos/blink.mp4")
    batch("trash", *(f"Orientation/landscape_{number}.jpg" for number in range(1, 9)))
    _ok(api.post("/api/undo", json={"steps": 1}))
    burst = [str(library / name) for name in shots[15:]]

    def stacked() -> bool:
        told = _ok(api.post("/api/stacks/of", json={"paths": burst}))
        return not told["pending"] and len(told["stacks"]) == 2

    _wait(stacked, _KNOWN_S, "the bursts were not found")


class Screens:
    """Shows one screen after the other in a window."""

    def __init__(self, page: Page, url: str, library: str) -> None:
        self._page = page
        self._url = url
        self._root = quote(library, safe="")

    @property
    def every(self) -> dict[str, Callable[[], None]]:
        return {
            "folders": self.folders,
            "grid": self.grid,
            "date": self.date,
            "review": self.review,
            "stack": self.stack,
            "compare": self.compare,
            "search": self.search,
            "trash": self.trash,
            "empty": self.empty,
            "activity": self.activity,
            "settings": self.settings,
            "help": self.help,
        }

    def folders(self) -> None:
        self._go("#/")
        self._page.locator(".card .numbers, .card dl").first.wait_for()

    def grid(self) -> None:
        self._go(f"#/r/{self._root}?d=DCIM%2F100MEDIA&s=date&n=10")
        self._page.locator(".stack-badge").first.wait_for()
        self._page.locator(".grid img.there").first.wait_for()

    def date(self) -> None:
        self.grid()
        self._page.keyboard.press("g")
        self._page.get_by_role("dialog", name="Go to date").wait_for()

    def review(self) -> None:
        self._go(f"#/r/{self._root}/i/2025/Summer%20by%20the%20lake/Lake%20evening%2004.jpg?f=all")
        self._page.locator(".stage img").wait_for()

    def stack(self) -> None:
        self._go(f"#/r/{self._root}/i/DCIM/100MEDIA/IMG_0021.JPG?d=DCIM%2F100MEDIA&f=all")
        self._page.get_by_role("group", name="Stack").wait_for()

    def compare(self) -> None:
        self.stack()
        self._page.keyboard.press("c")
        self._page.get_by_role("dialog", name="Compare").get_by_role("option").nth(3).wait_for()

    def search(self) -> None:
        self._go(f"#/r/{self._root}/i/DCIM/100MEDIA/IMG_0005.JPG?d=DCIM%2F100MEDIA&f=all")
        self._page.locator(".stage img").wait_for()
        self._page.keyboard.press("m")
        self._page.locator(".grid img.there").nth(3).wait_for()

    def trash(self) -> None:
        self._go("#/t")
        self._page.locator(".grid img.there").first.wait_for()

    def empty(self) -> None:
        self._go("#/t")
        self._page.get_by_role("button", name="Empty").last.click()
        self._page.get_by_role("dialog").locator(".first-ones img").first.wait_for()

    def activity(self) -> None:
        self._go("#/a")
        step = self._page.locator(".history-entry").nth(1)
        step.get_by_role("button", expanded=False).click()
        step.locator("li").first.wait_for()

    def settings(self) -> None:
        self._go("#/settings")
        self._page.get_by_label("Theme").wait_for()

    def help(self) -> None:
        self.grid()
        self._page.keyboard.press("?")
        self._page.get_by_role("dialog", name="Keys").wait_for()

    def _go(self, address: str) -> None:
        # Each from an empty page: nothing of the screen before is left, and no message of it.
        self._page.goto("about:blank")
        self._page.goto(f"{self._url}/{address}")


#: Of a window that is narrow the page is another one; of these there are pictures.
_NARROW_ONES: Final = ("folders", "grid", "review", "stack", "compare", "trash", "activity")
_STILL: Final = """async () => {
    const waits = image => !image.complete && image.offsetParent !== null && image.loading !== 'lazy';
    while ([...document.images].some(waits) || document.querySelector('.loading')) {
        await new Promise(resolve => setTimeout(resolve, 50));
    }
    await new Promise(resolve => setTimeout(resolve, 400));
}"""


def take_all(url: str, folder: Path) -> None:
    """The pictures as files in the folder, instead of those of before.

    Raises:
        CannotTake: no Chromium, no review path.
    """
    found = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if found is None:
        raise CannotTake("no Chromium: apt-get install chromium")
    roots = _ok(httpx.get(f"{url}/api/review-paths", trust_env=False))["knownPaths"]
    if not roots:
        raise CannotTake(f"{url} has no review path.")
    folder.mkdir(parents=True, exist_ok=True)
    sizes = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(_FLAGS))
        for look in ("light", "dark", "narrow"):
            page = _window(browser, look)
            screens = Screens(page, url, roots[0]).every
            for name in _NARROW_ONES if look == "narrow" else screens:
                screens[name]()
                page.evaluate(_STILL)
                small = _small(page.screenshot())
                (folder / f"{name}-{look}.webp").write_bytes(small)
                sizes.append(len(small))
            page.context.close()
        browser.close()
    print(f"{len(sizes)} pictures in {folder}, {sum(sizes) // 1000} kB, the largest {max(sizes) // 1000} kB")


def _window(browser: Browser, look: str) -> Page:
    page = browser.new_context(
        viewport=_NARROW if look == "narrow" else _WIDE,
        color_scheme="dark" if look == "dark" else "light",
        reduced_motion="reduce",
        has_touch=look == "narrow",
        locale="en-GB",
        timezone_id="UTC",
    ).new_page()
    page.set_default_timeout(60_000)
    return page


def _small(png: bytes) -> bytes:
    """The picture as WebP, as good as fits.

    Raises:
        CannotTake: it does not fit however bad.
    """
    image = Image.open(io.BytesIO(png)).convert("RGB")
    if image.width > _WIDTH:
        image = image.resize((_WIDTH, round(image.height * _WIDTH / image.width)), Image.Resampling.LANCZOS)
    for quality in _QUALITIES:
        buffer = io.BytesIO()
        image.save(buffer, "WEBP", quality=quality, method=6)
        if buffer.tell() <= _MOST_BYTES:
            return buffer.getvalue()
    raise CannotTake(f"a picture of more than {_MOST_BYTES} bytes")


def _ok(answer: httpx.Response) -> dict[str, Any]:
    """
    Raises:
        CannotTake: it is an error.
    """
    if answer.is_error:
        raise CannotTake(f"{answer.request.url}: {answer.status_code} {answer.text[:300]}")
    told: dict[str, Any] = answer.json()
    return told


def _wait(true: Callable[[], bool], within_s: float, otherwise: str) -> None:
    deadline = time.monotonic() + within_s
    while not true():
        if time.monotonic() > deadline:
            raise CannotTake(f"{otherwise} within {within_s:.0f} s")
        time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())

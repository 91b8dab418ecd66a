"""The page in a browser, on a review path of 100,000 files: what a person waits for."""

from __future__ import annotations

import shutil
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import httpx
from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from bench.product import Product, wait_for
from bench.table import Row, at_most, only_said
from bench.trees import photographs, tree

FILES: Final = 100_000
_FOLDERS: Final = 200
_PHOTOGRAPHS: Final = 12
_JUMPS: Final = 60
_KEYS: Final = 40
#: How long is scrolled without a stop, and how often memory is looked at. The first look is when all is warm.
_SCROLL_S: Final = 600
_SCROLL_LOOK_S: Final = 20
#: What may be more at the end: the listing keeps ten thousand rows (5 MB), and a collector is never quite done.
_GROWTH_MB: Final = 6
#: Between two photographs, as somebody who looks at each.
_LOOK_MS: Final = 700
_FLAGS: Final = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")

#: Runs before the page's own script: notes when the first picture is in sight, and every long task.
_WATCH: Final = """
window.firstTile = null;
window.longTasks = [];
const look = () => {
  if (document.querySelector('.grid img.there')) window.firstTile = performance.now();
  else requestAnimationFrame(look);
};
requestAnimationFrame(look);
new PerformanceObserver(list => window.longTasks.push(...list.getEntries().map(one => one.duration)))
  .observe({ type: 'longtask', buffered: true });
"""
_FIRST: Final = """
async () => {
  while (window.firstTile === null) await new Promise(requestAnimationFrame);
  return window.firstTile;
}
"""
_JUMP: Final = """
async share => {
  const grid = document.querySelector('.grid');
  grid.scrollTop = share * (grid.scrollHeight - grid.clientHeight);
  const began = performance.now();
  await new Promise(requestAnimationFrame);
  while (true) {
    const box = grid.getBoundingClientRect();
    const seen = [...grid.querySelectorAll('[role=gridcell]')].filter(one => {
      const { top, bottom } = one.getBoundingClientRect();
      return bottom > box.top && top < box.bottom;
    });
    if (seen.length && seen.every(one => one.dataset.path)) break;
    if (performance.now() - began > 10000) throw new Error('no rows there');
    await new Promise(requestAnimationFrame);
  }
  return [performance.now() - began, document.querySelectorAll('*').length];
}
"""
#: From the key to the frame that shows what it did.
_PRESS: Final = """
async ([key, shown]) => {
  const before = document.querySelector(shown).outerHTML;
  const began = performance.now();
  document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
  while (document.querySelector(shown).outerHTML === before) {
    await new Promise(resolve => setTimeout(resolve, 0));
    if (performance.now() - began > 5000) throw new Error('nothing changed');
  }
  // One that is still being made has no picture yet, and cannot be decoded.
  while (document.querySelector('.stage img')?.naturalWidth === 0) {
    await new Promise(requestAnimationFrame);
    if (performance.now() - began > 5000) throw new Error('no picture');
  }
  await document.querySelector('.stage img')?.decode();
  await new Promise(requestAnimationFrame);
  await new Promise(resolve => setTimeout(resolve, 0));
  return performance.now() - began;
}
"""


#: A quick hand: four screens a second down, and from the end to the top again.
_SCROLL: Final = """
async seconds => {
  const grid = document.querySelector('.grid');
  const end = performance.now() + 1000 * seconds;
  while (performance.now() < end) {
    const before = grid.scrollTop;
    grid.scrollTop += 50;
    if (grid.scrollTop === before) grid.scrollTop = 0;
    await new Promise(requestAnimationFrame);
  }
}
"""


@dataclass(frozen=True, slots=True)
class _Memory:
    """Of the page, when all that nobody holds was collected."""

    heap_mb: float
    nodes: float
    listeners: float

    @classmethod
    def of(cls, session: CDPSession) -> _Memory:
        for _ in range(2):  # what a finalizer frees is collected by the second
            session.send("HeapProfiler.collectGarbage")
        told = {one["name"]: float(one["value"]) for one in session.send("Performance.getMetrics")["metrics"]}
        return cls(told["JSHeapUsedSize"] / 1e6, told["Nodes"], told["JSEventListeners"])


def measure(work: Path, scroll_s: int = _SCROLL_S) -> list[Row]:
    """The rows of the table.

    Args:
        scroll_s: seconds of scrolling without a stop.
    """
    many, photos = work / "many", work / "photos"
    tree(many, FILES, _FOLDERS)
    photographs(photos, _PHOTOGRAPHS)
    with Product(work / "browser-state") as product:
        url = f"http://127.0.0.1:{product.port}"
        for root in (many, photos):
            httpx.post(f"{url}/api/review-paths", json={"path": str(root)}, timeout=60).raise_for_status()
        wait_for(lambda: bool(httpx.get(f"{url}/api/jobs", timeout=60).json()["idle"]), 1800, "everything is indexed")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(_FLAGS))
            try:
                return [
                    *_grid(browser, url, many),
                    *_review(browser, url, photos),
                    *_long_scroll(browser, url, many, scroll_s),
                ]
            finally:
                browser.close()


def _open(browser: Browser, address: str) -> Page:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.add_init_script(_WATCH)
    page = context.new_page()
    page.goto(address)
    return page


def _address(url: str, root: Path) -> str:
    return f"{url}/#/r/{quote(str(root), safe='')}"


def _grid(browser: Browser, url: str, root: Path) -> list[Row]:
    page = _open(browser, _address(url, root))
    firsts = []
    for _ in range(6):
        page.reload()
        firsts.append(float(page.evaluate(_FIRST)))
    page.evaluate("window.longTasks.length = 0")
    waits, nodes = zip(
        *(page.evaluate(_JUMP, (jump * 0.618034) % 1.0) for jump in range(1, _JUMPS + 1)),
        strict=True,
    )
    page.evaluate(
        """async () => {
            const grid = document.querySelector('.grid');
            for (let frame = 0; frame < 300; frame += 1) {
                grid.scrollTop += 180;
                await new Promise(requestAnimationFrame);
            }
        }"""
    )
    longest = max([0.0, *page.evaluate("window.longTasks")])
    heap = float(page.evaluate("performance.memory.usedJSHeapSize")) / 1e6
    on = f"{FILES:,} files"
    return [
        at_most(
            f"browser: first tiles after a reload, {on}", statistics.median(firsts[1:]), "ms", 300, "first", firsts[0]
        ),
        at_most(f"browser: longest task of {_JUMPS} jumps and a scroll, {on}", longest, "ms", 100, "", None),
        only_said(
            "browser: a jump anywhere until its rows are there, p95", _p95(waits), "ms", "median", _median(waits)
        ),
        at_most("browser: nodes of the page at most", float(max(nodes)), "", 3000, "", None),
        only_said("browser: heap after all of that", heap, "MB", "", None),
    ]


def _long_scroll(browser: Browser, url: str, root: Path, seconds: int) -> list[Row]:
    page = _open(browser, _address(url, root))
    page.evaluate(_FIRST)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    looks = []
    for _ in range(max(2, seconds // _SCROLL_LOOK_S)):
        page.evaluate(_SCROLL, min(_SCROLL_LOOK_S, seconds / 2))
        looks.append(_Memory.of(session))
    # Rows are kept up to a bound, which is reached in the first third.
    warm, late = looks[: max(1, len(looks) // 3)], looks[-max(1, len(looks) // 3) :]
    growth = {
        name: statistics.median(getattr(one, name) for one in late) - max(getattr(one, name) for one in warm)
        for name in ("heap_mb", "nodes", "listeners")
    }
    over = f"over {seconds / 60:g} minutes of scrolling"
    last = looks[-1]
    return [
        at_most(f"browser: heap growth {over}", growth["heap_mb"], "MB", _GROWTH_MB, "at its end", last.heap_mb),
        at_most(f"browser: growth in nodes {over}", growth["nodes"], "", 1000, "at its end", last.nodes),
        at_most(f"browser: growth in listeners {over}", growth["listeners"], "", 200, "at its end", last.listeners),
    ]


def _review(browser: Browser, url: str, root: Path) -> list[Row]:
    page = _open(browser, _address(url, root) + "/i/?f=all")
    page.wait_for_selector(".stage img")
    page.wait_for_timeout(_LOOK_MS)
    nexts = []
    for _ in range(_PHOTOGRAPHS - 1):
        nexts.append(float(page.evaluate(_PRESS, ["ArrowRight", ".review-progress"])))
        page.wait_for_timeout(_LOOK_MS)
    page.get_by_role("button", name="Auto-advance").click()
    page.locator(".review").focus()
    keys = [float(page.evaluate(_PRESS, ["s", ".review-name"])) for _ in range(_KEYS)]
    return [
        at_most(
            "browser: next photograph of 12 megapixels, fetched ahead, p95",
            _p95(nexts),
            "ms",
            120,
            "median",
            _median(nexts),
        ),
        at_most("browser: key to paint, p95", _p95(keys), "ms", 60, "median", _median(keys)),
    ]


def _p95(figures: Any) -> float:
    ordered = sorted(figures)
    return float(ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))])


def _median(figures: Any) -> float:
    return float(statistics.median(figures))

"""Pages and streams of big trees, beside a walk, sort and slice done for every request."""

from __future__ import annotations

import json
import os
import statistics
from pathlib import Path
from time import perf_counter, sleep

from bench import process
from bench.client import Connection, target
from bench.product import Product, wait_for
from bench.table import Row, at_most, median_s, ratio_at_most
from bench.trees import tree

_STREAM = "/api/media-items/stream"
_RUNS = 21


def measure(work: Path) -> list[Row]:
    """On a stack of its own whose workers and catalogue stand still: 110,000 thumbnails and as many files to be indexed
    in the background are no part of a page."""
    with Product(work / "state-pages") as product:
        with product.suspended("thumb-", "metadata"):
            rows = _measure(product, work)
        return [*rows, process.peak(product, "a tree of 100,000 files")]


def _measure(product: Product, work: Path) -> list[Row]:
    small, big = work / "tree10k", work / "tree100k"
    tree(small, 10_000, 200)
    tree(big, 100_000, 200)
    rows = _cold(product, big, work)
    with Connection(product.port) as connection:
        for root in (small, big):
            connection.post("/api/review-paths", {"path": str(root)})
        # What waits for the catalogue waits on: it stands still.
        wait_for(lambda: bool(connection.json("/api/jobs")["queues"]["index"]["running"] == 0), 300, "scans are done")
        wait_for(lambda: _is_at_rest(product), 300, "all that was found is told")
        rows += _warm(connection, small, big)
        rows.append(_whole(connection, small))
        for root in (small, big):
            connection.delete("/api/review-paths", {"path": str(root)})
    return rows


def _is_at_rest(product: Product) -> bool:
    spent_s = product.cpu_s("fs")
    sleep(1)
    return product.cpu_s("fs") - spent_s < 0.05


def _warm(connection: Connection, small: Path, big: Path) -> list[Row]:
    naive_s = median_s(lambda: naive_page(big, 50_000, 50), 3)
    rows = []
    for what, parameters in _places(100_000, big).items():
        figure_s = _page_s(connection, big, parameters)
        few_s = _page_s(connection, small, _places(10_000, small)[what])
        name = f"page of 50 of 100,000, {what}"
        rows.append(at_most(name, figure_s * 1000, "ms", 40, "walk, sort, slice", naive_s * 1000))
        rows.append(ratio_at_most(f"{name}, against 10,000", figure_s * 1000, "ms", 1.5, "10,000", few_s * 1000))
    return rows


def _places(files: int, root: Path) -> dict[str, dict[str, str | int | Path]]:
    middle = files // 2
    last = root / f"folder{middle % 200:03}" / f"IMG_{middle:06}.jpg"
    return {
        "first": {},
        "middle": {"offset": middle},
        "80 %": {"offset": files * 8 // 10},
        "cursor": {"after": last},
        "filter": {"statusFilter": "unseen", "offset": files * 6 // 10},
    }


def _page_s(connection: Connection, root: Path, parameters: dict[str, str | int | Path]) -> float:
    where = target(_STREAM, path=root, limit=50, **parameters)
    assert connection.get(where).count(b"\n") == 51
    return median_s(lambda: connection.get(where), _RUNS)


def _whole(connection: Connection, root: Path) -> Row:
    where = target(_STREAM, path=root, limit=10_000)
    assert connection.get(where).count(b"\n") == 10_001
    naive_s = median_s(lambda: naive_page(root, 0, 10_000), 3)
    return at_most(
        "all 10,000 items in one stream",
        median_s(lambda: connection.get(where), 7),
        "s",
        0.35,
        "walk, sort, stat, dump",
        naive_s,
    )


def _cold(product: Product, root: Path, work: Path) -> list[Row]:
    """From adding the path to the first line; the tree gets a new name each time, so that nobody knows it."""
    names(root)  # both find a warm page cache
    bare_s = median_s(lambda: names(root), 5)
    took = []
    for number in range(3):
        fresh = work / f"fresh{number}"
        root.rename(fresh)
        with Connection(product.port) as connection:
            began = perf_counter()
            connection.post("/api/review-paths", {"path": str(fresh)})
            added_s = perf_counter() - began
            connection.get(target(_STREAM, path=fresh, limit=50))
            took.append(added_s + connection.first_body_byte_s)
            connection.delete("/api/review-paths", {"path": str(fresh)})
        fresh.rename(root)
        process.at_rest(product)  # taking a path back leaves rows to delete and messages to send
    return [
        ratio_at_most(
            "first line of 100,000, no index",
            statistics.median(took) * 1000,
            "ms",
            3,
            "scandir walk and sort",
            bare_s * 1000,
            "adding the path included",
        )
    ]


def names(root: Path) -> list[tuple[str, str]]:
    """A bare walk: (name, path) of every picture, in order."""
    found, folders = [], [str(root)]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if not entry.name.startswith("."):
                        folders.append(entry.path)
                elif entry.name.endswith(".jpg"):
                    found.append((entry.name, entry.path))
    found.sort()
    return found


def naive_page(root: Path, offset: int, limit: int) -> bytes:
    """A page as a program without an index makes it."""
    lines = []
    for name, path in names(root)[offset : offset + limit]:
        facts = os.stat(path)
        marks = {mark: os.path.exists(f"{path}.{mark}") for mark in ("lock", "trash", "seen")}
        lines.append(
            json.dumps({"path": path, "name": name, "sizeBytes": facts.st_size, "m": facts.st_mtime, "status": marks})
        )
    return "\n".join(lines).encode()

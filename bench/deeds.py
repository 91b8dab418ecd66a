"""Actions and the emptying of the trash, beside the bare system calls that no durable program can do without."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from time import perf_counter

from bench.client import Connection, at_once
from bench.process import at_rest
from bench.product import Product, wait_for
from bench.table import Row, at_least, only_said, percentile
from bench.trees import small_picture

_ACTIONS = "/api/media-actions"
_CLIENTS = 8


def measure(product: Product, work: Path) -> list[Row]:
    root = work / "deeds"
    paths = _flat(root / "a", 8000)
    with Connection(product.port) as connection:
        connection.post("/api/review-paths", {"path": str(root)})
        wait_for(lambda: bool(connection.json("/api/jobs")["idle"]), 300, "the thumbnails are made", 0.5)
        at_rest(product)
        rows = _singles(connection, paths[:400], work)
        rows.append(_at_once(product, paths[:1600], work))
        rows.append(_batches(connection, paths, work))
        rows.append(_empty(connection, root, paths, work))
        connection.delete("/api/review-paths", {"path": str(root)})
    return rows


def _flat(folder: Path, count: int) -> list[Path]:
    folder.mkdir(parents=True)
    data = small_picture()
    paths = [folder / f"IMG_{number:05}.jpg" for number in range(count)]
    for path in paths:
        path.write_bytes(data)
    return paths


def _singles(connection: Connection, paths: Sequence[Path], work: Path) -> list[Row]:
    took = []
    for path in paths:
        began = perf_counter()
        connection.post(_ACTIONS, {"path": str(path), "action": "lock"})
        took.append(perf_counter() - began)
    bare = bare_marks_s(work / "bare-marks", len(paths))
    return [
        only_said(
            f"one action, p{percent}",
            percentile(took, percent) * 1000,
            "ms",
            "create, fsync of file and folder",
            percentile(bare, percent) * 1000,
        )
        for percent in (50, 95)
    ]


def bare_marks_s(folder: Path, count: int) -> list[float]:
    """Seconds for each of so many empty files made durable."""
    folder.mkdir()
    took = []
    directory = os.open(folder, os.O_RDONLY)
    try:
        for number in range(count):
            began = perf_counter()
            descriptor = os.open(f"{number}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=directory)
            os.fsync(descriptor)
            os.close(descriptor)
            os.fsync(directory)
            took.append(perf_counter() - began)
    finally:
        os.close(directory)
    return took


def _at_once(product: Product, paths: Sequence[Path], work: Path) -> Row:
    def toggle(mine: Sequence[Path], connection: Connection) -> None:
        for path in mine:
            connection.post(_ACTIONS, {"path": str(path), "action": "seen"})
            connection.post(_ACTIONS, {"path": str(path), "action": "unseen"})

    took_s = at_once(product.port, [partial(toggle, paths[number::_CLIENTS]) for number in range(_CLIENTS)])
    bare = bare_marks_s(work / "bare-marks-2", 500)
    return at_least(
        f"actions a second, {_CLIENTS} connections",
        2 * len(paths) / took_s,
        "/s",
        1000,
        "create, fsync, one after another",
        len(bare) / sum(bare),
    )


def _batches(connection: Connection, paths: Sequence[Path], work: Path) -> Row:
    rates = []
    for action in ("seen", "unseen"):
        for begin in range(0, len(paths), 500):
            batch = [str(path) for path in paths[begin : begin + 500]]
            began = perf_counter()
            answer = connection.post("/api/media-items/batch", {"paths": batch, "action": action})
            rates.append(len(batch) / (perf_counter() - began))
            assert all(result["error"] is None for result in json.loads(answer)["results"])
    folder = work / "bare-batch"
    folder.mkdir()
    began = perf_counter()
    directory = os.open(folder, os.O_RDONLY)
    for number in range(500):
        os.close(os.open(f"{number}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=directory))
    os.fsync(directory)
    os.close(directory)
    bare_s = perf_counter() - began
    return at_least(
        "items a second in batches of 500",
        percentile(rates, 50),
        "/s",
        10_000,
        "500 creates, one fsync",
        500 / bare_s,
    )


def _empty(connection: Connection, root: Path, paths: Sequence[Path], work: Path) -> Row:
    for begin in range(0, len(paths), 500):
        batch = [str(path) for path in paths[begin : begin + 500]]
        for action in ("unlock", "trash"):
            connection.post("/api/media-items/batch", {"paths": batch, "action": action})
    began = perf_counter()
    answer = connection.post("/api/empty-trash", {"path": str(root)})
    took_s = perf_counter() - began
    done = json.loads(answer.rstrip().rpartition(b"\n")[2])
    assert done["deleted"] == len(paths), done

    again = _flat(work / "bare-empty", len(paths))
    for path in again:
        Path(f"{path}.trash").touch()
        Path(f"{path}.seen").touch()
    os.sync()  # files that never reached the disk are deleted for nothing
    began = perf_counter()
    directory = os.open(work / "bare-empty", os.O_RDONLY)
    for path in again:
        for name in (path.name, f"{path.name}.seen", f"{path.name}.trash"):
            os.unlink(name, dir_fd=directory)
    os.fsync(directory)
    os.close(directory)
    bare_s = perf_counter() - began
    return at_least(
        f"files a second of an empty-trash of {len(paths):,}",
        len(paths) / took_s,
        "/s",
        4000,
        "unlink loop, one fsync",
        len(paths) / bare_s,
    )

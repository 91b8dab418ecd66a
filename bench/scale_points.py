"""What so many items, files and vectors take on this machine: the points that `bench/scale_model.py` must reproduce.

`python -m bench.scale_points [items|files|vectors|requests ...] [--sizes N ...] [--dir FOLDER]` measures and writes
`bench/scale_points.json`; what it does not measure anew stays there. A million of each take most of an hour and 10 GB.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final

import grpc
from media_proto import fs_pb2, fs_pb2_grpc
from metadata_service.domain.filters import ListQuery
from metadata_service.store import collections, details, listing
from metadata_service.store.snapshot import Snapshot
from metadata_service.store.sqlite import Database

from bench import process, trees
from bench.client import Connection, target
from bench.library import Library, make
from bench.product import Product, wait_for
from bench.table import median_s
from bench.thumbnails import drawn

FILE: Final = Path(__file__).with_name("scale_points.json")
SIZES: Final = (10_000, 100_000, 1_000_000)
#: As many in a folder as in the trees of the other benchmarks.
FILES_PER_FOLDER: Final = 500
_PAGE: Final = 50
_TIMES: Final = 7
_QUERIES: Final = 200
#: What takes seconds is measured as often; the median counts.
_RUNS: Final = 3

Point = dict[str, float]


# ---- items: the catalogue ----


def items(work: Path, size: int) -> Point:
    """The catalogue at its store: made, then asked by a process that has nothing of it yet."""
    file = work / "catalogue.db"
    made_s: float = _apart(_made, file, size)
    asked: Point = _apart(_asked, file)
    return {"write_s": made_s, "disk_bytes": float(file.stat().st_size)} | asked


def _made(file: Path, size: int) -> float:
    began = perf_counter()
    library = make(file, size)
    library.database.close()  # its write-ahead log goes into the file
    return perf_counter() - began


def _asked(file: Path) -> Point:
    """First pages as the interface asks for them: every order of everything, a folder, tags, one of the filters."""
    from bench.catalogue import _queries

    database = Database(file)
    empty = process.rss_bytes(os.getpid())
    found = database.read(lambda snapshot: collections.find(snapshot.connection, "library"))
    flat, middle, moved = (
        database.write(collections.ensure_folder, found, name) for name in (b"flat", b"middle", b"moved")
    )
    library = Library(database, found, found, flat, middle, moved, [])
    took = []
    for _, query in islice(_queries(library), 0, None, 5):
        shown = partial(_shown, query=query)
        database.read(shown)
        took.append(median_s(partial(database.read, shown), _TIMES))
    held = process.rss_bytes(os.getpid()) - empty
    database.close()
    return {"page_ms": 1000 * median(took), "slowest_page_ms": 1000 * max(took), "memory_bytes": float(held)}


def _shown(snapshot: Snapshot, query: ListQuery) -> None:
    page = listing.page(snapshot, query)
    details.media(snapshot, page.ids)


# ---- files: the index of a review path ----


def files(work: Path, size: int) -> Point:
    """A tree of small files over HTTP. The catalogue stands still, and no thumbnails are made: neither is the index."""
    root = work / "tree"
    trees.tree(root, size, size // FILES_PER_FOLDER)
    state = work / "state"
    with Product(state, workers=1, FS_PREGENERATE="false") as product, product.suspended("metadata"):
        before = product.rss_bytes()["fs"]
        with Connection(product.port) as connection:
            began = perf_counter()
            connection.post("/api/review-paths", {"path": str(root)})
            connection.get(target("/api/media-items/stream", path=root, limit=_PAGE))
            first_s = perf_counter() - began
            with grpc.insecure_channel(product.socket("fs")) as channel:
                fs = fs_pb2_grpc.FsServiceStub(channel)
                wait_for(
                    lambda: not fs.GetQueues(fs_pb2.GetQueuesRequest(), timeout=60).index.running, 1800, "it is kept"
                )
            kept_s = perf_counter() - began
        _calm(product, "fs")
        with Connection(product.port) as connection:  # the first was idle for long enough to be closed
            page = target("/api/media-items/stream", path=root, limit=_PAGE, offset=size // 2)
            page_s = median_s(lambda: connection.get(page), 3 * _TIMES)
            held = product.rss_bytes()["fs"] - before
        waiting = _bytes_below(state / "nats")
    disk = sum(file.stat().st_size for file in state.glob("index.db*"))
    return {
        "walk_s": first_s,
        "write_s": kept_s,
        "disk_bytes": float(disk),
        "queue_bytes": float(waiting),
        "memory_bytes": float(max(held, 0)),
        "page_ms": 1000 * page_s,
    }


def _calm(product: Product, name: str) -> None:
    looks: list[float] = []

    def is_quiet() -> bool:
        looks.append(product.cpu_s(name))
        return len(looks) > 1 and looks[-1] - looks[-2] < 0.05

    wait_for(is_quiet, 1800, "all that was found is told", 1.0)


# ---- vectors: the embedded engine ----


def vectors(work: Path, size: int) -> Point:
    """512 numbers each, in the embedded engine, asked through the service."""
    from bench.vectors import made, served

    folder = work / "vectors"
    written_s, built_s = _apart(_vectors_written, folder, size)
    disk = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    _, queries = made(1)
    with served(work, folder) as (stub, pid):
        before = process.rss_bytes(pid)
        took = _vector_queries(stub, queries[:_QUERIES])
        held = process.rss_bytes(pid)
    return {
        "write_s": written_s,
        "index_s": built_s,
        "disk_bytes": float(disk),
        "memory_bytes": float(held),
        "memory_before_bytes": float(before),
        "query_ms": 1000 * median(took),
    }


def _vectors_written(folder: Path, size: int) -> tuple[float, float]:
    from bench.vectors import filled, made

    return asyncio.run(filled(folder, made(size)[0]))


def _vector_queries(stub: Any, queries: Any) -> list[float]:
    from media_proto import search_pb2 as pb

    took = []
    for query in [*queries[:20], *queries]:
        began = perf_counter()
        scope = pb.Scope(collection_id=1)
        stub.FindNearest(pb.FindNearestRequest(scope=scope, vector=pb.Vector(values=query.tolist()), limit=20))
        took.append(perf_counter() - began)
    return took[20:]


# ---- requests: what one costs, whatever the size of the library ----


def requests(work: Path, size: int) -> Point:
    """Processor time of the whole stack for one request of each kind, the bytes of its answer, and what one file costs
    before anybody asks."""
    photos, warm, tree = work / "photos", work / "warm", work / "tree"
    trees.photographs(warm, 8)
    paths = trees.photographs(photos, 40)
    trees.tree(tree, size, max(1, size // FILES_PER_FOLDER))
    point: Point = {}
    with Product(work / "state", workers=1) as product, Connection(product.port) as connection:
        connection.post("/api/review-paths", {"path": str(warm)})
        wait_for(lambda: drawn(warm) == 8, 600, "the first are drawn")  # now all libraries are loaded
        before, others = product.cpu_s("thumb-"), product.cpu_s("") - product.cpu_s("thumb-")
        connection.post("/api/review-paths", {"path": str(photos)})
        wait_for(lambda: drawn(photos) == len(paths), 600, "all is drawn")
        # At once: what draws ends when there is nothing more to draw, and its time is seen no more.
        point["draw_cpu_ms"] = 1000 * (product.cpu_s("thumb-") - before) / len(paths)
        _settled(product, connection, photos)
        point["index_cpu_ms"] = 1000 * (product.cpu_s("") - product.cpu_s("thumb-") - others) / len(paths)
        _settled(product, connection, tree)
        stored = list((photos / ".thumbnails").rglob("*.png"))
        point["drawn_bytes"] = sum(file.stat().st_size for file in stored) / len(paths)
        key = {"session": "bench", "collection": photos.name, "modelId": 0}
        asked: dict[str, Callable[[int], bytes]] = {
            "page": lambda n: connection.get(target("/api/media-items/stream", path=tree, limit=_PAGE)),
            "thumbnail": lambda n: connection.get(target("/api/media-thumbnail", path=paths[n % 40], size=256)),
            "items": lambda n: connection.post(
                "/exq/item/base", {"session_info": key, "media_ids": [1 + (n + step) % 40 for step in range(20)]}
            ),
        }
        for name, ask in asked.items():
            size_bytes = len(ask(0))
            before = product.cpu_s("")
            for turn in range(300):
                ask(turn)
            point[f"{name}_cpu_ms"] = 1000 * (product.cpu_s("") - before) / 300
            point[f"{name}_bytes"] = float(size_bytes)
    point["embed_cpu_ms"] = _embedding(work, warm, photos)
    return point


def _bytes_below(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _embedding(work: Path, warm: Path, photos: Path) -> float:
    """Processor time of the offline encoder for a photograph, decoding included, once it is loaded."""
    with Product(work / "state-embedding", FRAMEWELL_ENCODER="offline") as product:
        with Connection(product.port) as connection:
            _settled(product, connection, warm)
            before = product.cpu_s("search")
            _settled(product, connection, photos)
            done: int = connection.json("/api/jobs")["queues"]["embed"]["done"] - 8
        return 1000 * (product.cpu_s("search") - before) / done


def _settled(product: Product, connection: Connection, root: Path) -> None:
    connection.post("/api/review-paths", {"path": str(root)})
    wait_for(lambda: bool(connection.json("/api/jobs")["idle"]), 1800, "all is indexed and drawn", 0.5)
    process.at_rest(product)


# ---- running it ----

_PARTS: Final[dict[str, Callable[[Path, int], Point]]] = {
    "items": items,
    "files": files,
    "vectors": vectors,
    "requests": requests,
}


def _apart(work: Callable[..., Any], *args: object) -> Any:
    """In a process of its own, whose memory nothing else was in."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(work, *args).result()


def _measured(name: str, size: int, folder: Path | None) -> Point:
    with tempfile.TemporaryDirectory(prefix="framewell-scale-", dir=folder) as work:
        point: Point = _apart(_PARTS[name], Path(work), size)
        return point


def _median_of(found: Sequence[Point]) -> Point:
    return {key: median(point[key] for point in found) for key in found[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what so many items, files and vectors take.")
    parser.add_argument("parts", nargs="*", choices=[*_PARTS, []], help="all of them when none is given")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--dir", type=Path, help="where what is measured is made (a temporary directory)")
    options = parser.parse_args()
    told = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    told["machine"] = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    for name in options.parts or _PARTS:
        for size in [2_000] if name == "requests" else options.sizes:
            point = _median_of([_measured(name, size, options.dir) for _ in range(_RUNS if size < 1_000_000 else 1)])
            told.setdefault(name, {})[str(size)] = {key: float(f"{value:.5g}") for key, value in point.items()}
            FILE.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
            print(name, f"{size:,}", told[name][str(size)], flush=True)


if __name__ == "__main__":
    main()

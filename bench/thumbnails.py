"""Thumbnails: the processor time of a cold one, two workers against one, and cached ones over HTTP."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from time import perf_counter

from bench import load
from bench.bare_server import bare_server
from bench.client import Connection, at_once, target
from bench.product import Product, wait_for
from bench.table import Row, at_least, at_most, only_said, percentile, ratio_at_least, ratio_at_most
from bench.trees import photographs

_FILES = 120
_CLIENTS = 8


def measure(product: Product, work: Path) -> list[Row]:
    """On a running stack with workers: cached thumbnails, and health while cold ones are made."""
    root = work / "photos-served"
    paths = photographs(root, 40)
    with Connection(product.port) as connection:
        connection.post("/api/review-paths", {"path": str(root)})
        connection.get(target("/api/media-items/stream", path=root))
        wait_for(lambda: drawn(root) == len(paths), 120, "thumbnails are made")
        rows = [_cached(product, paths, work), _health(product, paths)]
        connection.delete("/api/review-paths", {"path": str(root)})
    return rows


def measure_workers(work: Path) -> list[Row]:
    """On stacks of its own, with one worker and with two."""
    took, cpu_s = {}, 0.0
    source = work / "photos"
    photographs(source, _FILES)
    for workers in (1, 2):
        root = work / f"photos-{workers}"
        root.mkdir()
        for path in source.iterdir():
            (root / path.name).hardlink_to(path)
        with Product(work / f"state-{workers}", workers) as product, Connection(product.port) as connection:
            _warm_up(connection, work / f"warm-{workers}")
            before = product.cpu_s("thumb-")
            began = perf_counter()
            connection.post("/api/review-paths", {"path": str(root)})
            wait_for(lambda root=root: drawn(root) == _FILES, 300, "thumbnails are made")  # type: ignore[misc]
            took[workers] = perf_counter() - began
            if workers == 1:
                cpu_s = (product.cpu_s("thumb-") - before) / _FILES
    bare_cpu_s, bare_one = bare_vips(source, work / "bare", loops=1)
    _, bare_two = bare_vips(source, work / "bare-2", loops=2)
    return [
        ratio_at_most(
            "cold 256 px thumbnail of 12 megapixels, CPU a file",
            cpu_s * 1000,
            "ms",
            1.35,
            "bare pyvips loop",
            bare_cpu_s * 1000,
        ),
        ratio_at_least(
            "two workers against one, files a second",
            _FILES / took[2],
            "/s",
            1.7,
            "one worker",
            _FILES / took[1],
        ),
        only_said("two bare pyvips loops against one", bare_two, "/s", "one loop", bare_one, "what the cores give"),
    ]


def _warm_up(connection: Connection, root: Path) -> None:
    """The first picture loads the libraries in every worker; that is start-up, not rendering."""
    photographs(root, 8)
    connection.post("/api/review-paths", {"path": str(root)})
    wait_for(lambda: drawn(root) == 8, 120, "the first thumbnails are made")


def drawn(root: Path) -> int:
    return sum(1 for _ in (root / ".thumbnails" / "large").glob("[!.]*.png"))


_BARE = """
import os, resource, sys, time
os.environ["VIPS_CONCURRENCY"] = "1"
import pyvips
source, out, first, step = sys.argv[1:]
os.makedirs(out, exist_ok=True)
names = sorted(name for name in os.listdir(source) if name.endswith(".jpg"))[int(first)::int(step)]
def draw(name):
    image = pyvips.Image.thumbnail(os.path.join(source, name), 256, height=256, size="down")
    if not image.hasalpha():
        image = image.addalpha()
    image = image.gravity("centre", 256, 256, extend="background", background=[0, 0, 0, 0])
    path = os.path.join(out, name + ".png")
    with open(path + ".part", "wb") as file:
        file.write(image.pngsave_buffer(compression=2, filter="sub", keep="none"))
    os.rename(path + ".part", path)
draw(names[0])
print("ready", flush=True)
sys.stdin.readline()
before, began = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
for name in names:
    draw(name)
after, ended = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
print(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, began, ended)
"""


def bare_vips(source: Path, out: Path, loops: int) -> tuple[float, float]:
    """Loops around pyvips that write PNGs of the same size, letter-boxed, each its share of the files.

    Returns:
        Processor seconds a file; files a second, from the first one's start to the last one's end.
    """
    running = [
        subprocess.Popen(
            [sys.executable, "-c", _BARE, str(source), str(out), str(number), str(loops)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(loops)
    ]
    for each in running:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    for each in running:
        assert each.stdin is not None
        each.stdin.write("\n")
        each.stdin.flush()
    told = [tuple(map(float, each.communicate()[0].split())) for each in running]
    files = sum(1 for _ in source.glob("*.jpg"))
    spent, began, ended = (sum(one[0] for one in told), min(one[1] for one in told), max(one[2] for one in told))
    return spent / files, files / (ended - began)


def _cached(product: Product, paths: Sequence[Path], work: Path) -> Row:
    wheres = [target("/api/media-thumbnail", path=path, size=256) for path in paths]
    with Connection(product.port) as connection:
        size = max(len(connection.get(where)) for where in wheres)
    rate = load.rate(product.port, wheres, _CLIENTS, work)
    with bare_server(size) as port:
        bare_rate = load.rate(port, wheres, _CLIENTS, work)
    return at_least(
        f"cached 256 px thumbnails a second, {_CLIENTS} connections",
        rate,
        "/s",
        1200,
        "bare FastAPI, bytes in memory",
        bare_rate,
        f"{load.client()}, pictures of {size // 1000} kB",
    )


def _health(product: Product, paths: Sequence[Path]) -> Row:
    """Round trips of /api/health every 10 ms, at rest and while 8 clients wait for thumbnails nobody has made."""
    with Connection(product.port) as connection:
        calm = _probe(connection, threading.Event(), 200)

        def draw(number: int, own: Connection) -> None:
            for turn, path in enumerate(paths[number::_CLIENTS]):
                own.get(target("/api/media-thumbnail", path=path, size=300 + turn))
                own.get(target("/api/media-thumbnail", path=path, size=400 + turn))

        busy: list[float] = []
        done = threading.Event()
        prober = threading.Thread(target=lambda: busy.extend(_probe(connection, done, 100_000)))
        prober.start()
        at_once(product.port, [partial(draw, number) for number in range(_CLIENTS)])
        done.set()
        prober.join()
    return at_most(
        f"/api/health p95 while {_CLIENTS} clients make cold thumbnails",
        percentile(busy, 95) * 1000,
        "ms",
        60,
        "p95 at rest",
        percentile(calm, 95) * 1000,
        f"{len(busy)} requests",
    )


def _probe(connection: Connection, done: threading.Event, most: int) -> list[float]:
    took: list[float] = []
    while len(took) < most and not done.wait(0.01):
        began = perf_counter()
        connection.get("/api/health")
        took.append(perf_counter() - began)
    return took

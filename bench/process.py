"""Starting, starting again, and how much memory each process holds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil

from bench import photographs
from bench.client import Connection
from bench.product import Product, wait_for
from bench.table import Row, at_most, median_s, only_said

_MB = 1_000_000
#: What the largest process of the stack imports before it does anything.
_IMPORTS = "import fastapi, uvicorn, grpc, google.protobuf, structlog, pydantic_settings"


def measure_starts(work: Path) -> list[Row]:
    """The first start makes the state directory; the others find it. Idle memory is read on the way."""
    state = work / "state-starts"
    bare_s = median_s(lambda: subprocess.run([sys.executable, "-c", _IMPORTS], check=True), 3)
    starts, rss, idle = [], 0, {}
    for _ in range(4):
        with Product(state) as product:
            starts.append(product.start_s)
            settled(product)
            rss, idle = product.total_rss_bytes(), product.pss_bytes()
    first, *again = starts
    filled = _filled(work)
    with_vectors: list[float] = []
    for _ in range(3):
        with Product(filled, FRAMEWELL_ENCODER="offline") as product:
            with_vectors.append(product.start_s)
            settled(product)
    beside = "importing the gateway's libraries"
    return [
        only_said("first start, until ready", first, "s", beside, bare_s),
        at_most("second start, until ready", sorted(again)[len(again) // 2], "s", 5, beside, bare_s),
        at_most(
            "the same with photographs, their vectors and the model that made them",
            sorted(with_vectors)[len(with_vectors) // 2],
            "s",
            5,
            beside,
            bare_s,
        ),
        at_most(
            "resident memory of the whole stack, idle",
            sum(idle.values()) / _MB,
            "MB",
            450,
            "RSS, shared pages in every process",
            rss / _MB,
            _parts(idle),
        ),
    ]


def _filled(work: Path) -> Path:
    """The state directory of a stack with everything about some photographs in it."""
    state, library = work / "state-filled", work / "photographs"
    photographs.main(library)
    count = len(list(library.iterdir()))
    with Product(state, FRAMEWELL_ENCODER="offline") as product, Connection(product.port) as gateway:
        gateway.post("/api/review-paths", {"path": str(library)})
        wait_for(
            lambda: (told := gateway.json("/api/jobs"))["idle"] and told["queues"]["embed"]["done"] >= count,
            300,
            "the photographs are embedded",
            0.2,
        )
    return state


def settled(product: Product) -> None:
    """Wait for the end of the start: two looks at the memory half a second apart are alike."""
    looks: list[int] = []

    def is_calm() -> bool:
        looks.append(product.total_rss_bytes())
        return len(looks) > 1 and abs(looks[-1] - looks[-2]) < _MB

    wait_for(is_calm, 30, "memory is calm", 0.5)


def at_rest(product: Product) -> None:
    """Wait until the stack does next to nothing: what a change left to do behind (the catalogue's share) is done."""
    looks: list[float] = []

    def is_quiet() -> bool:
        looks.append(product.cpu_s(""))
        return len(looks) > 1 and looks[-1] - looks[-2] < 0.05

    wait_for(is_quiet, 120, "the stack is at rest", 1.0)


def peak(product: Product, what: str) -> Row:
    """After all else was measured on this stack."""
    name = f"resident memory of the whole stack, peak, {what}"
    return at_most(name, product.peak_rss_bytes / _MB, "MB", 1000, f"afterwards: {_parts(product.rss_bytes())}", None)


def _parts(sizes_bytes: dict[str, int]) -> str:
    return ", ".join(f"{name} {size / _MB:.0f}" for name, size in sizes_bytes.items())


def rss_bytes(pid: int) -> int:
    """Resident memory of one process."""
    return psutil.Process(pid).memory_info().rss

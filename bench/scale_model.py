"""What a library of any size would take, and which part is full first: from what was measured.

`python -m bench.scale_model [--cores N --memory-gb N --disk-gb N]` prints three tables: the model beside
the measured points, what libraries up to a billion items take of a machine, and where each part is full.

Every cost is a fixed part and a part that grows, fitted to `bench/scale_points.json`. What it is made of is in
`docs/scaling.md`.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

FILE: Final = Path(__file__).with_name("scale_points.json")
SIZES: Final = (10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000)
#: The largest share by which the model may miss a point that was measured.
TOLERANCE: Final = 0.25

Points = Mapping[str, Mapping[str, Mapping[str, float]]]

#: How a cost grows with the number of items, beside what is fixed.
_FORMS: Final[Mapping[str, Callable[[float], float]]] = {
    "n": lambda n: n,
    "n log n": lambda n: n * math.log2(n),
    "n log² n": lambda n: n * math.log2(n) ** 2,
    "sqrt n": math.sqrt,
}
#: The costs, each with how it grows.
COSTS: Final[Mapping[tuple[str, str], str]] = {
    ("items", "write_s"): "n log n",
    ("items", "disk_bytes"): "n",
    ("items", "memory_bytes"): "n",
    ("items", "page_ms"): "n",
    ("items", "slowest_page_ms"): "n",
    ("files", "walk_s"): "n",
    ("files", "write_s"): "n",
    ("files", "disk_bytes"): "n",
    ("files", "queue_bytes"): "n",
    ("files", "memory_bytes"): "n",
    ("files", "page_ms"): "n",
    ("vectors", "write_s"): "n log n",
    ("vectors", "index_s"): "n log² n",
    ("vectors", "disk_bytes"): "n",
    ("vectors", "memory_bytes"): "n",
    ("vectors", "query_ms"): "sqrt n",
}


@dataclass(frozen=True, slots=True)
class Cost:
    """`fixed + each * form(n)`, in the unit of its name."""

    fixed: float
    each: float
    form: str

    def at(self, n: float) -> float:
        return self.fixed + self.each * _FORMS[self.form](n)


@dataclass(frozen=True, slots=True)
class Machine:
    """What one server has."""

    cores: float
    memory_bytes: float
    disk_bytes: float


@dataclass(frozen=True, slots=True)
class Check:
    """A point that was measured, and what the model says of it."""

    part: str
    cost: str
    n: int
    measured: float
    modelled: float

    @property
    def error(self) -> float:
        """The share by which the model is above (or below) what was measured."""
        return self.modelled / self.measured - 1


def fitted(points: Mapping[float, float], form: str) -> Cost:
    """The cost whose relative errors at the points have the least sum of squares; neither part below nothing.

    Args:
        points: what was measured, by size; two at least.
    """
    measured = np.array(list(points.values()))
    parts = np.array([[1.0, _FORMS[form](n)] for n in points]) / measured[:, None]
    tried = []
    for kept in ([0, 1], [0], [1]):
        found = np.zeros(2)
        found[kept] = np.linalg.lstsq(parts[:, kept], np.ones(len(measured)))[0]
        if (found >= 0).all():
            tried.append((float(((parts @ found - 1) ** 2).sum()), *map(float, found)))
    _, fixed, each = min(tried)
    return Cost(fixed, each, form)


def model(points: Points) -> dict[tuple[str, str], Cost]:
    """Every cost of `COSTS`, fitted."""
    return {
        (part, cost): fitted({float(n): point[cost] for n, point in points[part].items()}, form)
        for (part, cost), form in COSTS.items()
    }


def checks(points: Points) -> list[Check]:
    """Each measured point beside what the model says."""
    costs = model(points)
    return [
        Check(part, cost, int(n), point[cost], costs[part, cost].at(int(n)))
        for part, cost in COSTS
        for n, point in points[part].items()
    ]


# ---- where a part is full ----

_DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Limit:
    """What a part may take of a machine before something else has to take over."""

    part: str
    what: str
    takes: Callable[[float], float]
    most: float
    unit: str
    then: str  # which engine, or which way of dividing, comes after

    def full_at(self) -> float:
        """The number of items at which it is reached; infinite when none up to 10^12 does."""
        low, high = 1.0, 1e12
        if self.takes(high) <= self.most:
            return math.inf
        while high / low > 1.001:
            middle = math.sqrt(low * high)
            low, high = (middle, high) if self.takes(middle) <= self.most else (low, middle)
        return low


def limits(points: Points, machine: Machine) -> list[Limit]:
    """Every part's limits on such a machine. Its shares of memory and disk are those of docs/scaling.md."""
    costs = model(points)
    (each,) = points["requests"].values()
    catalogues = "collections spread over several catalogues"
    indexes = "several fs-services, each with its own review paths"
    qdrant = "Qdrant: vectors on disk, quantised; then a cluster of it"
    at = {key: cost.at for key, cost in costs.items()}
    cores, memory, disk = machine.cores, machine.memory_bytes, machine.disk_bytes
    return [
        Limit("catalogue", "slowest first page", at["items", "slowest_page_ms"], 100, "ms", catalogues),
        Limit("catalogue", "memory of a reader", at["items", "memory_bytes"], memory / 16, "bytes", catalogues),
        Limit("catalogue", "disk", at["items", "disk_bytes"], disk / 8, "bytes", catalogues),
        Limit("catalogue", "first indexing, one writer", at["items", "write_s"], 3 * _DAY_S, "s", catalogues),
        Limit("index", "page of a review path", at["files", "page_ms"], 100, "ms", indexes),
        Limit("index", "memory", at["files", "memory_bytes"], memory / 8, "bytes", indexes),
        Limit("index", "first walk", at["files", "walk_s"], 3600, "s", indexes),
        Limit("vectors, embedded", "memory", at["vectors", "memory_bytes"], memory / 2, "bytes", qdrant),
        Limit("vectors, embedded", "building the graph", at["vectors", "index_s"], _DAY_S, "s", qdrant),
        Limit("vectors, embedded", "query", at["vectors", "query_ms"], 100, "ms", qdrant),
        Limit("vectors, embedded", "disk", at["vectors", "disk_bytes"], disk / 8, "bytes", qdrant),
        Limit(
            "thumbnails",
            "disk",
            lambda n: n * each["drawn_bytes"],
            disk / 2,
            "bytes",
            "S3, or disks of the library's own",
        ),
        Limit(
            "thumbnails",
            "drawing all",
            lambda n: n * each["draw_cpu_ms"] / 1000 / cores,
            7 * _DAY_S,
            "s",
            "workers on further servers",
        ),
        Limit(
            "embedding",
            "offline encoder, all",
            lambda n: n * each["embed_cpu_ms"] / 1000 / cores,
            7 * _DAY_S,
            "s",
            "a GPU",
        ),
        Limit("NATS", "jobs of all files at once", at["files", "queue_bytes"], disk / 16, "bytes", "a NATS cluster"),
    ]


def as_text(points: Points, machine: Machine) -> str:
    """The three tables."""
    lines = ["| part | cost | items | measured | model | off by |", "|---|---|---|---|---|---|"]
    for check in checks(points):
        shown = (_figure(check.cost, value) for value in (check.measured, check.modelled))
        lines.append(f"| {check.part} | {check.cost} | {check.n:,} | {' | '.join(shown)} | {check.error:+.0%} |")
    costs = model(points)
    lines += ["", f"| cost | {' | '.join(f'{n:,}' for n in SIZES)} |", "|---|" + "---|" * len(SIZES)]
    for (part, cost), found in costs.items():
        lines.append(f"| {part}, {cost} | {' | '.join(_figure(cost, found.at(n)) for n in SIZES)} |")
    lines += ["", "| part | limit | full at | then |", "|---|---|---|---|"]
    for limit in sorted(limits(points, machine), key=Limit.full_at):
        full = limit.full_at()
        where = "never" if math.isinf(full) else f"{_rounded(full)} items"
        lines.append(
            f"| {limit.part} | {limit.what}: {_figure('_' + limit.unit, limit.most)} | {where} | {limit.then} |"
        )
    return "\n".join(lines)


def _figure(name: str, value: float) -> str:
    if name.endswith("bytes"):
        return _scaled(value, 1000, ("B", "kB", "MB", "GB", "TB", "PB"))
    if name.endswith("ms"):
        return f"{value:,.3g} ms" if value < 1000 else _figure("_s", value / 1000)
    for size, unit in ((_DAY_S, "d"), (3600, "h"), (60, "min")):
        if value >= 2 * size:
            return f"{value / size:,.3g} {unit}"
    return f"{value:,.3g} s"


def _scaled(value: float, step: int, units: Sequence[str]) -> str:
    for unit in units[:-1]:
        if value < step:
            return f"{value:,.3g} {unit}"
        value /= step
    return f"{value:,.3g} {units[-1]}"


def _rounded(n: float) -> str:
    return _scaled(n, 1000, ("", "thousand", "million", "billion")).strip()


def main() -> None:
    parser = argparse.ArgumentParser(description="What a library of any size takes, from what was measured.")
    parser.add_argument("--cores", type=float, default=8)
    parser.add_argument("--memory-gb", type=float, default=64)
    parser.add_argument("--disk-gb", type=float, default=8000)
    options = parser.parse_args()
    machine = Machine(options.cores, options.memory_gb * 1e9, options.disk_gb * 1e9)
    print(as_text(json.loads(FILE.read_text(encoding="utf-8")), machine))


if __name__ == "__main__":
    main()

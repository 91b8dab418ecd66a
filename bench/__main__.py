"""`python -m bench [name...] [--json FILE]`: measure, print one table; exit code 1 when a row is not reached.

Names: starts, pages, workers, catalogue, vectors, feedback, offline, embedding, search, items, indexing, browser,
deeds, thumbnails. All of them when none is given. Quiet the machine first, and have wrk installed: the client in
Python that stands in for it is slower than what it measures. The browser is Chromium.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import psutil

from bench import (
    browser,
    catalogue,
    deeds,
    embedding,
    feedback,
    indexing,
    items,
    offline,
    pages,
    process,
    search_http,
    thumbnails,
    vectors,
)
from bench.product import Product
from bench.table import Row, as_json, as_text

#: Measured on stacks of their own.
_ALONE: Final = {
    "starts": process.measure_starts,
    "pages": pages.measure,
    "workers": thumbnails.measure_workers,
    "catalogue": catalogue.measure,
    "vectors": vectors.measure,
    "feedback": feedback.measure,
    "offline": offline.measure,
    "embedding": embedding.measure,
    "search": search_http.measure,
    "items": items.measure,
    "indexing": indexing.measure,
    "browser": browser.measure,
}
#: Measured one after another on one stack, whose peak memory is a row too.
_TOGETHER: Final = {"deeds": deeds.measure, "thumbnails": thumbnails.measure}


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure Framewell on this machine.")
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join([*_ALONE, *_TOGETHER]))
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows there")
    parser.add_argument("--dir", type=Path, help="where the trees are made (a temporary directory)")
    options = parser.parse_args()
    if unknown := set(options.names) - {*_ALONE, *_TOGETHER}:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    names = options.names or [*_ALONE, *_TOGETHER]
    with tempfile.TemporaryDirectory(prefix="framewell-bench-", dir=options.dir) as work:
        before = psutil.cpu_times()
        rows = measure(names, Path(work))
        lost = _stolen(before, psutil.cpu_times())
    print(as_text(rows))
    print(f"\n{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {sys.version.split()[0]}", end="")
    print(f", {lost:.0%} of the processor time that was wanted went to other machines" if lost is not None else "")
    if options.json:
        options.json.write_text(json.dumps(as_json(rows), indent=2) + "\n")
    return 0 if all(row.is_reached for row in rows) else 1


def measure(names: list[str], work: Path) -> list[Row]:
    """The rows of the benchmarks named."""
    rows: list[Row] = []
    for name, alone in _ALONE.items():
        if name in names:
            said(name)
            rows += alone(work)
    together = [name for name in _TOGETHER if name in names]
    if together:
        with Product(work / "state") as product:
            for name in together:
                said(name)
                rows += _TOGETHER[name](product, work)
            rows.append(process.peak(product, " and ".join(together)))
    return rows


def _stolen(before: Any, after: Any) -> float | None:
    """The part that the host gave to others while something here wanted to run; None: nobody tells."""
    if not hasattr(after, "steal"):
        return None
    stolen: float = after.steal - before.steal
    used = sum(getattr(after, name) - getattr(before, name) for name in ("user", "nice", "system", "irq", "softirq"))
    return stolen / (used + stolen) if used + stolen else 0.0


def said(name: str) -> None:
    print(f"measuring {name} ...", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

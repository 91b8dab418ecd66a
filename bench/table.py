"""One row a figure, and the table of them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """A measured figure, what it is compared with, and what it should reach."""

    what: str
    figure: float
    unit: str
    beside: str  # what the other figure is
    beside_figure: float | None
    reach: str  # as a person reads it
    is_reached: bool
    note: str = ""

    @property
    def ratio(self) -> float | None:
        return self.figure / self.beside_figure if self.beside_figure else None


def at_most(
    what: str, figure: float, unit: str, limit: float, beside: str, beside_figure: float | None, note: str = ""
) -> Row:
    return Row(what, figure, unit, beside, beside_figure, f"<= {limit:g} {unit}", figure <= limit, note)


def at_least(
    what: str, figure: float, unit: str, limit: float, beside: str, beside_figure: float | None, note: str = ""
) -> Row:
    return Row(what, figure, unit, beside, beside_figure, f">= {limit:g} {unit}", figure >= limit, note)


def ratio_at_most(
    what: str, figure: float, unit: str, limit: float, beside: str, beside_figure: float, note: str = ""
) -> Row:
    is_reached = figure <= limit * beside_figure
    return Row(what, figure, unit, beside, beside_figure, f"<= {limit:g} x", is_reached, note)


def ratio_at_least(
    what: str, figure: float, unit: str, limit: float, beside: str, beside_figure: float, note: str = ""
) -> Row:
    is_reached = figure >= limit * beside_figure
    return Row(what, figure, unit, beside, beside_figure, f">= {limit:g} x", is_reached, note)


def only_said(what: str, figure: float, unit: str, beside: str, beside_figure: float | None, note: str = "") -> Row:
    """A figure without a limit of its own."""
    return Row(what, figure, unit, beside, beside_figure, "-", True, note)


def as_text(rows: Sequence[Row]) -> str:
    """The table in Markdown, readable as it is."""
    head = ("what", "figure", "beside", "ratio", "reach", "ok")
    body = [
        (
            row.what + (f" ({row.note})" if row.note else ""),
            f"{_short(row.figure)} {row.unit}",
            row.beside if row.beside_figure is None else f"{row.beside}: {_short(row.beside_figure)} {row.unit}",
            "" if row.ratio is None else f"{row.ratio:.2f}",
            row.reach,
            "yes" if row.is_reached else "NO",
        )
        for row in rows
    ]
    widths = [max(len(line[column]) for line in [head, *body]) for column in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"

    return "\n".join([line(head), "|" + "|".join("-" * (width + 2) for width in widths) + "|", *map(line, body)])


def as_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    return [asdict(row) | {"ratio": row.ratio} for row in rows]


def _short(number: float) -> str:
    if number >= 1000:
        return f"{number:,.0f}"
    return f"{number:.3g}" if number < 100 else f"{number:.0f}"


def median_s(work: Callable[[], object], times: int) -> float:
    """The middle of so many runs, in seconds."""
    return statistics.median(timed_s(work) for _ in range(times))


def timed_s(work: Callable[[], object]) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began


def percentile(values: Sequence[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]

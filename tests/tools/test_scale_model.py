"""The model of what a library of any size takes: it finds the costs that points were made of, reproduces the points
that were measured, and says where a part is full."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.scale_model import COSTS, FILE, TOLERANCE, Limit, Machine, as_text, checks, fitted, limits

SIZES = (10_000, 100_000, 1_000_000)
SERVER = Machine(cores=8, memory_bytes=64e9, disk_bytes=8e12)
POINTS = json.loads(FILE.read_text(encoding="utf-8"))


@given(
    fixed=st.floats(0, 1e6),
    each=st.floats(1e-6, 1e3),
    form=st.sampled_from(["n", "n log n", "n log² n", "sqrt n"]),
    noise=st.lists(st.floats(-0.05, 0.05), min_size=3, max_size=3),
)
def test_a_cost_is_found_again_from_its_points(fixed: float, each: float, form: str, noise: list[float]) -> None:
    grown = {
        "n": lambda n: n,
        "n log n": lambda n: n * math.log2(n),
        "n log² n": lambda n: n * math.log2(n) ** 2,
        "sqrt n": math.sqrt,
    }[form]
    true = {n: fixed + each * grown(n) for n in SIZES}
    found = fitted({n: value * (1 + off) for (n, value), off in zip(true.items(), noise, strict=True)}, form)
    assert found.fixed >= 0 <= found.each
    for n, value in true.items():
        assert found.at(n) == pytest.approx(value, rel=0.12)


def test_every_point_that_was_measured_is_reproduced() -> None:
    found = checks(POINTS)
    assert {(one.part, one.cost, one.n) for one in found} == {(*key, n) for key in COSTS for n in SIZES}
    assert {(one.part, one.cost, one.n): round(one.error, 2) for one in found if abs(one.error) > TOLERANCE} == {}


@given(each=st.floats(1e-9, 1e3), most=st.floats(1e-3, 1e12))
def test_a_part_is_full_where_it_takes_all_it_may(each: float, most: float) -> None:
    full = Limit("part", "what", lambda n: each * n, most, "s", "more").full_at()
    if math.isinf(full):
        assert each * 1e12 <= most
    elif full > 1:
        assert each * full == pytest.approx(most, rel=0.01)


def test_a_larger_machine_is_full_later() -> None:
    larger = Machine(2 * SERVER.cores, 2 * SERVER.memory_bytes, 2 * SERVER.disk_bytes)
    for small, large in zip(limits(POINTS, SERVER), limits(POINTS, larger), strict=True):
        assert large.full_at() >= small.full_at()


def test_the_tables_name_every_cost_and_every_limit() -> None:
    text = as_text(POINTS, SERVER)
    assert all(text.count(f"{part}, {cost} |") == 1 for part, cost in COSTS)
    assert all(limit.what in text for limit in limits(POINTS, SERVER))

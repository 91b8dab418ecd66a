"""The fixed window, by the clock."""

from __future__ import annotations

from gateway.rate_limit import RateLimit
from hypothesis import given
from hypothesis import strategies as st


@given(st.integers(1, 20), st.sampled_from([("second", 1), ("minute", 60), ("hour", 3600), ("day", 86400)]))
def test_a_window_gives_each_key_its_share_and_no_more(limit: int, unit: tuple[str, int]) -> None:
    now = [1_000_000.25]
    limits = RateLimit(f"{limit}/{unit[0]}", lambda: now[0])

    for _ in range(2):
        for key in ("a", "b"):
            took = [limits.take(key) for _ in range(limit)]
            assert [standing.remaining for standing, _ in took] == list(range(limit - 1, -1, -1))
            assert all(refusal is None for _, refusal in took)
            standing, refusal = limits.take(key)
            assert refusal is not None
            assert int(refusal.headers["Retry-After"]) >= 1
            assert 0 < standing.reset_s - now[0] <= unit[1]
        now[0] = standing.reset_s

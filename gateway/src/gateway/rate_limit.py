"""How often a key may ask: fixed windows, counted in memory."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gateway.errors import Failure

_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a key stands after a request."""

    limit: int
    remaining: int
    reset_s: int  # Unix time at which the window ends

    def headers(self) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset_s),
        }


class RateLimit:
    """A fixed window for all keys: it begins at a whole multiple of its length."""

    def __init__(self, setting: str, clock: Callable[[], float] = time.time) -> None:
        """`setting` is `FRAMEWELL_RATE_LIMIT`: `10000/hour`."""
        count, _, unit = setting.partition("/")
        self._limit = int(count)
        self._window_s = _SECONDS[unit]
        self._clock = clock
        self._window = -1
        self._used: dict[str, int] = {}

    def take(self, key_id: str) -> tuple[Standing, Failure | None]:
        """Count a request: where the key stands now, and the refusal (429) if it has had its share."""
        now = self._clock()
        window = int(now // self._window_s)
        if window != self._window:
            self._window = window
            self._used.clear()
        used = self._used.get(key_id, 0)
        reset_s = (window + 1) * self._window_s
        if used >= self._limit:
            standing = Standing(self._limit, 0, reset_s)
            return standing, self._refusal(reset_s, now)
        self._used[key_id] = used + 1
        return Standing(self._limit, self._limit - used - 1, reset_s), None

    def _refusal(self, reset_s: int, now: float) -> Failure:
        wait_s = max(1, math.ceil(reset_s - now))
        details = {"limit": self._limit, "remaining": 0, "reset_time": reset_s, "window_size": self._window_s}
        message = f"Rate limit exceeded: {self._limit} requests in {self._window_s} s."
        return Failure(429, "rate_limited", message, details, {"Retry-After": str(wait_s)})

"""When a request is sent again, and after how long: rules without clock and network."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from framewell_client.errors import ApiError, FramewellError, NoAnswer, StreamBroken
from framewell_client.wire import Request

#: Statuses that a moment's wait may mend. 503 is one only with a `Retry-After`: without it (search is off, a part is
#: not built) waiting changes nothing.
_PASSING: Final = frozenset((429, 502, 504))


@dataclass(frozen=True, slots=True)
class Retry:
    """How patient a client is with requests that only look (GET, HEAD); nothing else is ever sent twice.

    Waits double from `first_wait_s` and vary by half, so that many clients do not come back at once. A `Retry-After`
    is kept to the second; one above `longest_wait_s` is not waited for.
    """

    attempts: int = 6  # the first included; 1: never again. Six take three to six seconds
    first_wait_s: float = 0.2
    longest_wait_s: float = 10.0

    def wait_s(self, request: Request, attempt: int, error: FramewellError) -> float | None:
        """Seconds until the next attempt; None: this was the last one.

        Args:
            attempt: which one failed, from 1.
        """
        if not request.is_safe or attempt >= self.attempts:
            return None
        if isinstance(error, ApiError):
            if error.status in (429, 503) and error.retry_after_s is not None:
                return error.retry_after_s if error.retry_after_s <= self.longest_wait_s else None
            if error.status not in _PASSING:
                return None
        elif not isinstance(error, NoAnswer | StreamBroken):
            return None
        full = min(self.first_wait_s * 2.0 ** min(attempt - 1, 60), self.longest_wait_s)
        return full * random.uniform(0.5, 1.0)


class Patience:
    """What is left of it in one call; getting on renews it."""

    def __init__(self, retry: Retry) -> None:
        self._retry = retry
        self._failed = 0

    def renew(self) -> None:
        self._failed = 0

    def after(self, again: Request | None, error: FramewellError) -> float:
        """Seconds to wait before the request `again` is sent.

        Args:
            again: what would mend it; None: nothing would.
        Raises:
            FramewellError: the one given, when it is not to be.
        """
        self._failed += 1
        wait_s = None if again is None else self._retry.wait_s(again, self._failed, error)
        if wait_s is None:
            raise error
        return wait_s

"""The port of a queue of jobs. A job says "look again at this item", never "believe me"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

#: Times a job is given out before it is parked.
MOST_DELIVERIES: Final = 5
#: Times a job is given out that nobody ever settled. More than the above: files are decoded in processes of their own,
#: so when this one dies it is hardly the item's fault, and a batch's other items are innocent for certain.
MOST_LOST: Final = 30
#: Seconds before a failed job is tried again, doubled each time: a disk that was pulled out has a minute to return.
_FIRST_PAUSE_S: Final = 2.0
_LONGEST_PAUSE_S: Final = 60.0


class Job(Protocol):
    """One item to look at again, from a queue that gives it to somebody else when nothing is heard of it."""

    @property
    def item_id(self) -> int: ...

    @property
    def deliveries(self) -> int:
        """How often it has been given out, this time included."""

    async def done(self) -> None: ...

    async def again(self, pause_s: float) -> None: ...

    async def park(self, reason: str, path: bytes) -> None:
        """Put it aside with the reason; `path` is what people know the item by, empty when that is not known."""

    async def working(self) -> None:
        """It is still in hand."""


class Jobs(Protocol):
    async def fetch(self, most: int, wait_s: float) -> Sequence[Job]:
        """What there is, at most so many; none after `wait_s`.

        Raises:
            ServiceError, OSError: the queue is away.
        """


def pause_s(deliveries: int) -> float:
    """Seconds until the next try."""
    return min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** (deliveries - 1))

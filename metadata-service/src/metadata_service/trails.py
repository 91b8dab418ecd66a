"""Which request's trace a job belongs to, from the write that asks for it until it is sent."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Final

from media_common.tracing import carried

#: What is not sent for long (NATS is away) is forgotten; its trace ends here then, and nothing else is lost.
_MOST: Final = 10_000
_NOTHING: Final[Mapping[str, str]] = {}


class Trails:
    """By job, in memory: a restart costs a trace its tail. Empty while nobody traces."""

    def __init__(self) -> None:
        self._noted: dict[Hashable, Mapping[str, str]] = {}

    def note(self, job: Hashable) -> None:
        """It is asked for by the request in hand."""
        if along := carried.get():
            self._noted[job] = along
            if len(self._noted) > _MOST:
                del self._noted[next(iter(self._noted))]

    def of(self, job: Hashable) -> Mapping[str, str]:
        """Headers for its message; it is forgotten with this."""
        return self._noted.pop(job, _NOTHING) if self._noted else _NOTHING

"""How far embedding has come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Progress:
    pending: int = 0
    running: int = 0
    done: int = 0
    dead: int = 0
    paused: bool = False
    remaining_s: float | None = None  # at the speed of late


class Feeding(Protocol):
    """What fills the spaces."""

    async def progress(self) -> Progress: ...

    def pause(self) -> None:
        """Take no more jobs; what is in hand is finished."""

    def go_on(self) -> None: ...

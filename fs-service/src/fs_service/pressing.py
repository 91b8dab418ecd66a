"""What somebody waits for goes before what nobody waits for: all threads here share one interpreter lock, and work in
the background is taken out of the answers' time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

#: Nothing pressing for so long, and the background may go on. Longer than a client needs from one batch to the next.
CALM_S: Final = 0.05


class Pressing:
    """Counts what presses. From any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._mutex = threading.Lock()
        self._count = 0
        self._ended = float("-inf")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Somebody waits for the body's end."""
        with self._mutex:
            self._count += 1
        try:
            yield
        finally:
            with self._mutex:
                self._count -= 1
                self._ended = self._clock()

    def is_calm(self) -> bool:
        return not self._count and self._clock() - self._ended >= CALM_S

    def give_way(self, most_s: float, stop: threading.Event) -> None:
        """Returns when it is calm, after `most_s` at the latest, or when told to stop."""
        end = self._clock() + most_s
        while not self.is_calm() and (left_s := end - self._clock()) > 0:
            if stop.wait(min(left_s, CALM_S / 2)):
                return

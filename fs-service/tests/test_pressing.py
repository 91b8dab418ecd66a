"""The background gives way to what somebody waits for, and not for ever."""

from __future__ import annotations

import threading
import time

from fs_service.pressing import CALM_S, Pressing
from fs_service.threads import Threads


def gave_way_s(pressing: Pressing, most_s: float, stop: threading.Event | None = None) -> float:
    began = time.monotonic()
    pressing.give_way(most_s, stop or threading.Event())
    return time.monotonic() - began


def test_nothing_pressing_is_not_waited_for() -> None:
    pressing = Pressing()
    assert pressing.is_calm()
    assert gave_way_s(pressing, 60) < 1


def test_what_presses_is_waited_for_and_a_moment_longer() -> None:
    pressing = Pressing()
    with pressing.held():
        assert not pressing.is_calm()
    assert not pressing.is_calm()  # the next batch of the same client may be on its way
    assert CALM_S / 2 < gave_way_s(pressing, 60) < 5
    assert pressing.is_calm()


def test_the_waiting_has_a_limit_and_ends_with_the_process() -> None:
    pressing = Pressing()
    stop = threading.Event()
    with pressing.held():
        assert 0.1 <= gave_way_s(pressing, 0.1) < 5
        stop.set()
        assert gave_way_s(pressing, 60, stop) < 5


async def test_a_pools_calls_and_streams_press_for_as_long_as_they_last() -> None:
    pressing = Pressing()
    threads = Threads("test", 2, pressing)
    assert await threads.run(pressing.is_calm) is False
    stop = threading.Event()
    async for batch in threads.push(lambda: iter([1, 2]), stop):
        assert batch
        assert not pressing.is_calm()
    assert gave_way_s(pressing, 60) < 5
    threads.close()

"""Use cases in threads: results, errors, and streams that are let go of in time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import aclosing

import pytest
from fs_service.threads import Threads
from media_common.logs import request_id


@pytest.fixture
def threads() -> Iterator[Threads]:
    pool = Threads("test", 4)
    yield pool
    pool.close()


class Counted:
    """Numbers, and what became of their generator."""

    def __init__(self, last: int = 10**9) -> None:
        self.last = last
        self.given = 0
        self.closed = threading.Event()
        self.gate = threading.Event()
        self.gate.set()

    def numbers(self) -> Iterator[int]:
        try:
            while self.given < self.last:
                self.gate.wait(10)
                self.given += 1
                yield self.given
        finally:
            self.closed.set()


async def test_a_call_gives_its_result_in_a_thread_that_knows_the_request(threads: Threads) -> None:
    request_id.set("r-1")
    here = threading.get_ident()
    assert await threads.run(lambda: (request_id.get(), threading.get_ident() != here)) == ("r-1", True)


async def test_an_error_reaches_the_caller(threads: Threads) -> None:
    def fail() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        await threads.run(fail)


async def test_a_pulled_stream_gives_every_item_and_runs_nothing_ahead(threads: Threads) -> None:
    counted = Counted(5)
    got = []
    async for number in threads.pull(counted.numbers):
        got.append(number)
        assert counted.given == number
    assert got == [1, 2, 3, 4, 5]
    assert counted.closed.is_set()


async def test_a_pulled_stream_that_is_left_is_closed_at_once(threads: Threads) -> None:
    counted = Counted()
    async with aclosing(threads.pull(counted.numbers)) as numbers:
        async for number in numbers:
            if number == 3:
                break
    assert counted.closed.is_set()
    assert counted.given == 3


async def test_a_cancelled_pull_waits_for_the_step_in_hand_and_closes(threads: Threads) -> None:
    counted = Counted()
    counted.gate.clear()

    async def read() -> None:
        async with aclosing(threads.pull(counted.numbers)) as numbers:
            async for _ in numbers:
                pass

    reading = asyncio.create_task(read())
    await asyncio.sleep(0.05)
    reading.cancel()
    await asyncio.sleep(0.05)
    assert not reading.done()
    counted.gate.set()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert counted.closed.is_set()


async def test_an_error_in_the_middle_of_a_stream_reaches_the_reader(threads: Threads) -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise KeyError("x")

    pulled = threads.pull(broken)
    assert await anext(pulled) == 1
    with pytest.raises(KeyError):
        await anext(pulled)
    pushed = threads.push(broken, threading.Event())
    assert await anext(pushed) == [1]
    with pytest.raises(KeyError):
        await anext(pushed)


async def test_a_pushed_stream_gives_every_item_in_order(threads: Threads) -> None:
    counted = Counted(20_000)
    got: list[int] = []
    lists = 0
    async for numbers in threads.push(counted.numbers, threading.Event()):
        got += numbers
        lists += 1
    assert got == list(range(1, 20_001))
    assert lists < 10_000
    assert counted.closed.is_set()


async def test_a_pushed_item_arrives_while_the_next_is_still_made(threads: Threads) -> None:
    go_on = threading.Event()

    def slow() -> Iterator[int]:
        yield 1
        go_on.wait(10)
        yield 2

    async with aclosing(threads.push(slow, threading.Event())) as lists:
        async with asyncio.timeout(5):
            assert await anext(lists) == [1]
        go_on.set()
        assert await anext(lists) == [2]


async def test_a_pushed_stream_does_not_run_away_from_its_reader(threads: Threads) -> None:
    counted = Counted()
    async with aclosing(threads.push(counted.numbers, threading.Event())) as lists:
        await anext(lists)
        await asyncio.sleep(0.2)
        assert counted.given < 5000
    assert counted.closed.is_set()


async def test_a_pushed_stream_stops_after_the_item_in_hand(threads: Threads) -> None:
    counted = Counted()
    counted.gate.clear()
    stop = threading.Event()
    lists = threads.push(counted.numbers, stop)
    reading = asyncio.ensure_future(anext(lists))
    await asyncio.sleep(0.05)
    stop.set()
    counted.gate.set()
    assert await reading == [1]
    assert [numbers async for numbers in lists] == []
    assert counted.given == 1
    assert counted.closed.is_set()


async def test_a_failure_before_the_first_item_is_the_first_thing_heard(threads: Threads) -> None:
    def refused() -> Iterator[int]:
        raise KeyError("x")

    with pytest.raises(KeyError):
        await anext(threads.pull(refused))
    with pytest.raises(KeyError):
        await anext(threads.push(refused, threading.Event()))

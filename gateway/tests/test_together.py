"""Questions that arrive in one moment: few calls for all, an answer for each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from gateway.together import MOST, Together
from media_common.logs import request_id
from media_common.tracing import carried


class Service:
    """Doubles numbers; refuses 13; may be held back, or down for questions that come together."""

    def __init__(self) -> None:
        self.alone: list[int] = []
        self.groups: list[list[int]] = []
        self.going = asyncio.Event()
        self.going.set()
        self.only_alone = False

    async def ask(self, number: int) -> int:
        await self.going.wait()
        self.alone.append(number)
        if number == 13:
            raise LookupError("13")
        return 2 * number

    async def ask_all(self, numbers: Sequence[int]) -> list[int | None]:
        await self.going.wait()
        if self.only_alone:
            raise ConnectionError
        self.groups.append(list(numbers))
        return [None if number == 13 else 2 * number for number in numbers]


@pytest.fixture
async def service() -> Service:
    return Service()


@pytest.fixture
async def together(service: Service) -> Together[int, int]:
    return Together(service.ask, service.ask_all)


async def asked(together: Together[int, int], *numbers: int) -> list[Any]:
    return await asyncio.gather(*map(together.ask, numbers), return_exceptions=True)


async def test_what_is_asked_goes_by_the_request_id_of_one_who_asks_it(service: Service) -> None:
    seen: dict[tuple[int, ...], str] = {}

    async def alone(number: int) -> int:
        seen[(number,)] = request_id.get()
        assert carried.get()["traceparent"] == request_id.get()
        return await service.ask(number)

    async def all_of(numbers: Sequence[int]) -> list[int | None]:
        seen[tuple(numbers)] = request_id.get()
        assert carried.get()["traceparent"] == request_id.get()
        return await service.ask_all(numbers)

    together = Together(alone, all_of)

    async def caller(number: int) -> int:
        request_id.set(f"of {number}")
        carried.set({"traceparent": f"of {number}"})
        return await together.ask(number)

    service.going.clear()
    tasks = [asyncio.create_task(caller(1))]
    await asyncio.sleep(0.001)
    tasks.append(asyncio.create_task(caller(2)))
    await asyncio.sleep(0.001)
    tasks += [asyncio.create_task(caller(number)) for number in (3, 13, 4)]  # wait until one of the two has ended
    await asyncio.sleep(0.001)
    service.going.set()
    assert isinstance((await asyncio.gather(*tasks, return_exceptions=True))[3], LookupError)
    assert seen == {(1,): "of 1", (2,): "of 2", (3, 13, 4): "of 3", (13,): "of 13"}


async def test_one_that_comes_alone_goes_alone(service: Service, together: Together[int, int]) -> None:
    assert [await together.ask(number) for number in (1, 2)] == [2, 4]
    assert (service.alone, service.groups) == ([1, 2], [])


async def test_each_has_its_own_answer_and_its_own_error(service: Service, together: Together[int, int]) -> None:
    first, refused, last = await asked(together, 1, 13, 3)
    assert (first, last) == (2, 6)
    assert isinstance(refused, LookupError)
    assert (service.groups, service.alone) == ([[1, 13, 3]], [13])


async def test_when_they_cannot_be_asked_together_each_is_asked_alone(
    service: Service, together: Together[int, int]
) -> None:
    service.only_alone = True
    assert await asked(together, 1, 2, 3) == [2, 4, 6]
    assert sorted(service.alone) == [1, 2, 3]


async def test_an_answer_too_few_leaves_nobody_waiting(service: Service) -> None:
    async def too_few(numbers: Sequence[int]) -> list[int | None]:
        return [2 * number for number in numbers][1:]

    assert await asyncio.wait_for(asked(Together(service.ask, too_few), 1, 2, 3), 5) == [2, 4, 6]


async def test_those_that_come_while_calls_are_under_way_wait_for_one_to_end(
    service: Service, together: Together[int, int]
) -> None:
    service.going.clear()
    tasks = []
    for number in range(10):
        tasks.append(asyncio.create_task(together.ask(number)))
        await asyncio.sleep(0.001)
    service.going.set()
    assert await asyncio.gather(*tasks) == [2 * number for number in range(10)]
    assert sorted(service.alone) == [0, 1]
    assert service.groups == [list(range(2, 10))]


async def test_more_than_one_call_holds_go_in_several(service: Service, together: Together[int, int]) -> None:
    assert await asked(together, *range(100, 100 + 3 * MOST)) == [2 * n for n in range(100, 100 + 3 * MOST)]
    assert [len(group) for group in service.groups] == [MOST] * 3


async def test_callers_who_leave_keep_nobody_waiting(service: Service, together: Together[int, int]) -> None:
    service.going.clear()
    tasks = [asyncio.create_task(together.ask(number)) for number in range(2 * MOST + 5)]
    await asyncio.sleep(0.001)
    for task in tasks[: 2 * MOST]:
        task.cancel()
    service.going.set()
    left = await asyncio.wait_for(asyncio.gather(*tasks[2 * MOST :]), 5)
    assert left == [2 * number for number in range(2 * MOST, 2 * MOST + 5)]
    assert await together.ask(7) == 14

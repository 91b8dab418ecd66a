"""Actions that arrive in one moment: one call for all, an answer for each."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from gateway.acting import MOST, Acting
from gateway.errors import Failure
from media_common.logs import request_id
from media_proto import fs_pb2

LOCK = fs_pb2.ACTION_LOCK


class Service:
    """Locks files by name; a name may say that it goes another way."""

    def __init__(self) -> None:
        self.alone: list[tuple[bytes, str]] = []
        self.groups: list[list[bytes]] = []
        self.down = False

    async def act(self, request: fs_pb2.ActRequest) -> fs_pb2.ActResponse:
        if self.down:
            raise ConnectionError
        self.alone.append((request.path, request_id.get()))
        return fs_pb2.ActResponse(path=request.path, status=fs_pb2.Status(locked=True))

    async def act_each(self, request: fs_pb2.ActEachRequest) -> fs_pb2.ActEachResponse:
        if self.down:
            raise ConnectionError
        self.groups.append([one.path for one in request.acts])
        answer = fs_pb2.ActEachResponse()
        for one in request.acts:
            outcome = answer.outcomes.add(path=one.path)
            if b"missing" in one.path:
                outcome.error, outcome.error_code = "There is no such file.", "path_missing"
            elif b"slow" in one.path:
                outcome.pending = True
            else:
                outcome.status.locked = True
        return answer


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def acting(service: Service) -> Acting:
    return Acting(service.act, service.act_each)


async def asked(acting: Acting, *paths: bytes) -> list[Any]:
    return await asyncio.gather(*[acting.act(path, LOCK) for path in paths], return_exceptions=True)


async def test_one_that_comes_alone_goes_alone(service: Service, acting: Acting) -> None:
    request_id.set("mine")
    for number in range(3):
        assert (await acting.act(b"/r/%d.jpg" % number, LOCK)).status.locked
    assert service.alone == [(b"/r/%d.jpg" % number, "mine") for number in range(3)]
    assert service.groups == []


async def test_those_that_come_together_go_together_and_each_has_its_answer(service: Service, acting: Acting) -> None:
    first, missing, last = await asked(acting, b"/r/1.jpg", b"/r/missing.jpg", b"/r/2.jpg")
    assert (first.path, first.status.locked, last.path) == (b"/r/1.jpg", True, b"/r/2.jpg")
    assert isinstance(missing, Failure)
    assert (missing.status, missing.code, missing.message) == (400, "path_missing", "There is no such file.")
    assert len(service.groups) == 1
    assert service.alone == []


async def test_one_that_a_slow_disk_keeps_is_asked_for_by_itself(service: Service, acting: Acting) -> None:
    fast, slow = await asked(acting, b"/r/1.jpg", b"/slow/2.jpg")
    assert (fast.path, slow.path) == (b"/r/1.jpg", b"/slow/2.jpg")
    assert [path for path, _ in service.alone] == [b"/slow/2.jpg"]


async def test_a_call_that_fails_fails_for_all_of_it_and_for_nobody_else(service: Service, acting: Acting) -> None:
    service.down = True
    answers = await asked(acting, b"/r/1.jpg", b"/r/2.jpg")
    assert [type(answer) for answer in answers] == [ConnectionError] * 2
    with pytest.raises(ConnectionError):
        await acting.act(b"/r/1.jpg", LOCK)
    service.down = False
    assert (await acting.act(b"/r/1.jpg", LOCK)).status.locked


async def test_a_caller_who_leaves_leaves_alone(service: Service, acting: Acting) -> None:
    leaving, staying = (asyncio.create_task(acting.act(b"/r/%d.jpg" % number, LOCK)) for number in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    assert (await staying).status.locked
    with pytest.raises(asyncio.CancelledError):
        await leaving


async def test_many_go_in_calls_of_a_size(service: Service, acting: Acting) -> None:
    answers = await asked(acting, *[b"/r/%d.jpg" % number for number in range(2 * MOST + 1)])
    assert [answer.path for answer in answers] == [b"/r/%d.jpg" % number for number in range(2 * MOST + 1)]
    assert [len(group) for group in service.groups] == [MOST, MOST]
    assert len(service.alone) == 1

"""Actions of many callers in one hand-over: who goes with whom, and who never waits for whom."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence

import pytest
from fs_service.domain.deeds import Deed
from fs_service.domain.errors import OutsideRoots, PathMissing
from fs_service.domain.items import Action, State
from fs_service.each_act import each_act
from fs_service.gathering import MOST, Gathering, Outcome
from fs_service.threads import Threads
from media_proto import fs_pb2


class Deeds:
    """Takes groups down; those of a root that is shut wait until it is opened."""

    def __init__(self) -> None:
        self.groups: list[list[bytes]] = []
        self.open = {b"/fast": threading.Event(), b"/slow": threading.Event()}
        self.open[b"/fast"].set()
        self.broken = False
        self.begun = threading.Event()

    def act_each(self, deeds: Sequence[Deed]) -> list[Outcome]:
        self.groups.append([deed.path for deed in deeds])
        self.begun.set()
        assert self.open[root_of(deeds[0].path)].wait(20)
        if self.broken:
            raise RuntimeError("nobody expected this")
        return [PathMissing() if b"missing" in deed.path else State.SEEN for deed in deeds]


def root_of(path: bytes) -> bytes:
    root = path[: path.find(b"/", 1)]
    if root not in (b"/fast", b"/slow"):
        raise OutsideRoots
    return root


@pytest.fixture
def deeds() -> Deeds:
    return Deeds()


@pytest.fixture
def gathering(deeds: Deeds) -> Iterator[Gathering]:
    threads = Threads("test", 4)
    yield Gathering(root_of, deeds.act_each, threads)
    for gate in deeds.open.values():
        gate.set()
    threads.close()


def seen(path: bytes) -> Deed:
    return Deed(path, Action.SEEN)


async def test_what_comes_in_one_moment_goes_together(deeds: Deeds, gathering: Gathering) -> None:
    paths = [b"/fast/%d.jpg" % number for number in range(5)]
    assert await asyncio.gather(*[gathering.begin(seen(path)) for path in paths]) == [State.SEEN] * 5
    assert deeds.groups == [paths]


async def test_what_comes_while_a_group_is_at_work_is_the_next_one(deeds: Deeds, gathering: Gathering) -> None:
    first = gathering.begin(seen(b"/slow/0.jpg"))
    assert await asyncio.to_thread(deeds.begun.wait, 5)
    later = [gathering.begin(seen(b"/slow/%d.jpg" % number)) for number in range(1, 4)]
    await asyncio.sleep(0.01)
    assert len(deeds.groups) == 1
    deeds.open[b"/slow"].set()
    await asyncio.gather(first, *later)
    assert deeds.groups == [[b"/slow/0.jpg"], [b"/slow/1.jpg", b"/slow/2.jpg", b"/slow/3.jpg"]]


async def test_a_disk_that_hangs_holds_up_nobody_elsewhere(deeds: Deeds, gathering: Gathering) -> None:
    stuck = gathering.begin(seen(b"/slow/0.jpg"))
    for number in range(20):
        assert await gathering.begin(seen(b"/fast/%d.jpg" % number)) == State.SEEN
    assert not stuck.done()
    deeds.open[b"/slow"].set()
    assert await stuck == State.SEEN


async def test_a_group_has_a_size(deeds: Deeds, gathering: Gathering) -> None:
    await asyncio.gather(*[gathering.begin(seen(b"/fast/%d.jpg" % number)) for number in range(MOST + 1)])
    assert [len(group) for group in deeds.groups] == [MOST, 1]


async def test_a_caller_who_leaves_before_its_turn_takes_its_deed_along(deeds: Deeds, gathering: Gathering) -> None:
    leaving, staying = gathering.begin(seen(b"/fast/0.jpg")), gathering.begin(seen(b"/fast/1.jpg"))
    leaving.cancel()
    assert await staying == State.SEEN
    assert deeds.groups == [[b"/fast/1.jpg"]]


async def test_each_gets_its_own_error_and_the_next_group_goes_on(deeds: Deeds, gathering: Gathering) -> None:
    missing, there = gathering.begin(seen(b"/fast/missing.jpg")), gathering.begin(seen(b"/fast/there.jpg"))
    with pytest.raises(PathMissing):
        await missing
    assert await there == State.SEEN
    deeds.broken = True
    with pytest.raises(RuntimeError):
        await gathering.begin(seen(b"/fast/0.jpg"))
    deeds.broken = False
    assert await gathering.begin(seen(b"/fast/0.jpg")) == State.SEEN
    with pytest.raises(OutsideRoots):
        gathering.begin(seen(b"/elsewhere/0.jpg"))


def wishes(*paths: bytes) -> fs_pb2.ActEachRequest:
    acts = [fs_pb2.SingleAct(path=path, action=fs_pb2.ACTION_SEEN, request_id="r") for path in paths]
    return fs_pb2.ActEachRequest(acts=acts)


async def test_a_message_is_answered_without_those_that_hang(deeds: Deeds, gathering: Gathering) -> None:
    request = wishes(b"/fast/a/../1.jpg", b"/slow/2.jpg", b"relative", b"/fast/missing.jpg")
    request.acts.add(path=b"/fast/3.jpg", action=99)
    answer = await each_act(gathering, request)
    assert [(one.path, one.error_code, one.pending) for one in answer.outcomes] == [
        (b"/fast/1.jpg", "", False),
        (b"/slow/2.jpg", "", True),
        (b"", "path_malformed", False),
        (b"/fast/missing.jpg", "path_missing", False),
        (b"/fast/3.jpg", "invalid_argument", False),
    ]
    assert answer.outcomes[0].status.seen
    # Who asks again waits for the end of it.
    again = gathering.begin(seen(b"/slow/2.jpg"))
    deeds.open[b"/slow"].set()
    assert await again == State.SEEN


async def test_an_error_that_nobody_expected_is_each_ones_internal_error(
    deeds: Deeds, gathering: Gathering, caplog: pytest.LogCaptureFixture
) -> None:
    deeds.broken = True
    answer = await each_act(gathering, wishes(b"/fast/1.jpg", b"/fast/2.jpg"))
    assert [(one.error, one.error_code) for one in answer.outcomes] == [("", "internal")] * 2
    assert "nobody expected this" in caplog.text

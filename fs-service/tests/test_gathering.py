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
        self.done: list[tuple[bytes, Action]] = []
        self.open = {b"/fast": threading.Event(), b"/slow": threading.Event()}
        self.open[b"/fast"].set()
        self.broken = False
        self.begun = threading.Event()

    def act_each(self, deeds: Sequence[Deed]) -> list[Outcome]:
        self.groups.append([deed.path for deed in deeds])
        self.done.extend((deed.path, deed.action) for deed in deeds)
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


SLOW = b"/slow/1.jpg"
SEEN, UNSEEN = Deed(SLOW, Action.SEEN, "r"), Deed(SLOW, Action.UNSEEN, "another")


@pytest.mark.parametrize("waits", [True, False])
@pytest.mark.parametrize("is_done_first", [True, False])
async def test_what_was_pending_is_done_once_though_it_is_asked_for_again(
    deeds: Deeds, gathering: Gathering, waits: bool, is_done_first: bool
) -> None:
    before = [gathering.begin(seen(b"/slow/0.jpg"))] if waits else []
    if waits:
        assert await asyncio.to_thread(deeds.begun.wait, 5)
    answer = await each_act(gathering, wishes(SLOW))
    assert answer.outcomes[0].pending
    between = gathering.begin(UNSEEN)
    if is_done_first:
        deeds.open[b"/slow"].set()
        await asyncio.gather(*before, between)
    again = gathering.begin(SEEN)
    deeds.open[b"/slow"].set()
    assert await asyncio.gather(again, between, *before) == [State.SEEN] * (2 + waits)
    assert [one for one in deeds.done if one[0] == SLOW] == [(SLOW, Action.SEEN), (SLOW, Action.UNSEEN)]


async def test_a_request_that_was_answered_may_ask_for_the_same_once_more(deeds: Deeds, gathering: Gathering) -> None:
    assert (await each_act(gathering, wishes(SLOW))).outcomes[0].pending
    deeds.open[b"/slow"].set()
    assert await gathering.begin(SEEN) == State.SEEN  # the outcome of the first
    assert await gathering.begin(UNSEEN) == State.SEEN
    assert await gathering.begin(SEEN) == State.SEEN
    assert [action for _, action in deeds.done] == [Action.SEEN, Action.UNSEEN, Action.SEEN]


async def test_only_the_same_action_of_the_same_request_is_joined(deeds: Deeds, gathering: Gathering) -> None:
    different = [SEEN, Deed(SLOW, Action.SEEN, "another"), UNSEEN, Deed(b"/slow/2.jpg", Action.SEEN, "r"), seen(SLOW)]
    begun = [gathering.begin(deed) for deed in (*different, *different)]
    deeds.open[b"/slow"].set()
    assert await asyncio.gather(*begun) == [State.SEEN] * 10
    assert len(deeds.done) == 6  # one whose request has no id is nobody's again


async def test_one_of_two_who_wait_for_a_deed_may_leave(deeds: Deeds, gathering: Gathering) -> None:
    first, second = gathering.begin(SEEN), gathering.begin(SEEN)
    first.cancel()
    deeds.open[b"/slow"].set()
    assert await second == State.SEEN
    both = gathering.begin(SEEN), gathering.begin(SEEN)
    for one in both:
        one.cancel()
    await asyncio.sleep(0.01)
    assert await gathering.begin(UNSEEN) == State.SEEN
    assert [action for _, action in deeds.done] == [Action.SEEN, Action.UNSEEN]
    assert await gathering.begin(SEEN) == State.SEEN


async def test_an_error_of_what_was_pending_is_told_to_who_asks_again(deeds: Deeds, gathering: Gathering) -> None:
    missing = b"/slow/missing.jpg"
    assert (await each_act(gathering, wishes(missing))).outcomes[0].pending
    deeds.open[b"/slow"].set()
    await gathering.begin(UNSEEN)
    with pytest.raises(PathMissing):
        await gathering.begin(Deed(missing, Action.SEEN, "r"))
    assert len(deeds.done) == 2


async def test_an_outcome_that_nobody_asks_for_is_forgotten(
    deeds: Deeds, gathering: Gathering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fs_service.gathering.KEPT_S", 0.01)
    assert (await each_act(gathering, wishes(SLOW))).outcomes[0].pending
    deeds.open[b"/slow"].set()
    await gathering.begin(UNSEEN)
    await asyncio.sleep(0.05)
    await gathering.begin(SEEN)
    assert [action for _, action in deeds.done] == [Action.SEEN, Action.UNSEEN, Action.SEEN]

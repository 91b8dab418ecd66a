"""Whose turn it is, and who shares a render: rules, with render processes that only wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from thumbnail_service.domain.jobs import Job, Outcome, Result
from thumbnail_service.render_process import RenderDied, RenderProcess
from thumbnail_service.renders import Expired, Renders


class WaitingProcess(RenderProcess):
    """Renders when told to; remembers what it was given, in order."""

    def __init__(self) -> None:
        self.begun: list[bytes] = []
        self.stopped = 0
        self.gate = asyncio.Event()
        self.outcome: Outcome | RenderDied = Outcome(Result.MADE, b"png")

    async def make(self, job: Job) -> Outcome:
        self.begun.append(job.relative)
        await self.gate.wait()
        if isinstance(self.outcome, RenderDied):
            raise self.outcome
        return self.outcome

    async def stand_in(self, job: Job) -> bytes:
        return b"placeholder"

    async def stop(self) -> None:
        self.stopped += 1


@pytest.fixture
def process() -> WaitingProcess:
    return WaitingProcess()


@pytest.fixture
async def renders(process: WaitingProcess) -> AsyncIterator[Renders]:
    renders = Renders([process], idle_s=60, clock=lambda: 1000.0)
    yield renders
    await renders.close()


def job(name: bytes, size_px: int = 256) -> Job:
    return Job(b"/r", name, size_px)


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_request_goes_before_background_jobs_that_have_not_begun(
    renders: Renders, process: WaitingProcess
) -> None:
    async with asyncio.TaskGroup() as group:
        for name in (b"1", b"2", b"3"):
            group.create_task(renders.in_background(job(name)))
        await settle()
        group.create_task(renders.asked(job(b"now")))
        await settle()
        process.gate.set()
    assert process.begun == [b"1", b"now", b"2", b"3"]


async def test_the_same_file_and_size_is_rendered_once_however_many_ask(
    renders: Renders, process: WaitingProcess
) -> None:
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(renders.asked(job(b"a"))) for _ in range(20)]
        asked.append(group.create_task(renders.in_background(job(b"a"))))
        await settle()
        process.gate.set()
    assert process.begun == [b"a"]
    assert {task.result().png for task in asked} == {b"png"}
    assert renders.figures.rendered == 1


async def test_another_size_is_another_render(renders: Renders, process: WaitingProcess) -> None:
    process.gate.set()
    await asyncio.gather(renders.asked(job(b"a", 128)), renders.asked(job(b"a", 256)))
    assert process.begun == [b"a", b"a"]


async def test_a_request_for_a_file_that_waits_in_the_background_does_not_wait_with_it(
    renders: Renders, process: WaitingProcess
) -> None:
    async with asyncio.TaskGroup() as group:
        for name in (b"1", b"2", b"a"):
            group.create_task(renders.in_background(job(name)))
        await settle()
        group.create_task(renders.asked(job(b"a")))
        await settle()
        process.gate.set()
    assert process.begun == [b"1", b"a", b"2", b"a"]  # the last finds it made


async def test_a_caller_that_leaves_takes_nobody_elses_picture_away(renders: Renders, process: WaitingProcess) -> None:
    leaves = asyncio.create_task(renders.asked(job(b"a")))
    stays = asyncio.create_task(renders.asked(job(b"a")))
    await settle()
    leaves.cancel()
    await settle()
    process.gate.set()
    assert (await stays).png == b"png"


async def test_a_background_job_given_up_while_it_waits_leaves_no_hole(
    renders: Renders, process: WaitingProcess
) -> None:
    first = asyncio.create_task(renders.in_background(job(b"1")))
    await settle()
    second = asyncio.create_task(renders.in_background(job(b"2")))
    await settle()
    second.cancel()
    await settle()
    process.gate.set()
    await first
    await renders.asked(job(b"3"))
    assert process.begun == [b"1", b"3"]


async def test_a_request_past_its_deadline_is_dropped(renders: Renders, process: WaitingProcess) -> None:
    process.gate.set()
    with pytest.raises(Expired):
        await renders.asked(job(b"a"), deadline_s=999.0)
    assert process.begun == []
    assert (await renders.asked(job(b"a"), deadline_s=1001.0)).png == b"png"


async def test_a_request_shared_with_one_that_waits_longer_is_not_dropped(
    renders: Renders, process: WaitingProcess
) -> None:
    process.gate.set()
    outcomes = await asyncio.gather(renders.asked(job(b"a"), 999.0), renders.asked(job(b"a"), 1001.0))
    assert [outcome.png for outcome in outcomes] == [b"png", b"png"]


async def test_a_dead_process_gives_a_failure_with_a_placeholder(renders: Renders, process: WaitingProcess) -> None:
    process.gate.set()
    process.outcome = RenderDied("It died.")
    assert await renders.asked(job(b"a")) == Outcome(Result.FAILED, b"placeholder", "It died.")
    assert renders.figures.failed == 1


async def test_an_idle_process_is_let_go_and_a_busy_one_is_not(process: WaitingProcess) -> None:
    renders = Renders([process], idle_s=0.05)
    process.gate.set()
    await renders.asked(job(b"a"))
    async with asyncio.timeout(5):
        while process.stopped == 0:  # noqa: ASYNC110 - the fake has no event to wait for
            await asyncio.sleep(0.01)
    process.gate.clear()
    busy = asyncio.create_task(renders.asked(job(b"b")))
    await asyncio.sleep(0.1)
    assert process.stopped == 1
    process.gate.set()
    await busy
    await renders.close()


async def test_closing_cancels_what_is_under_way(renders: Renders, process: WaitingProcess) -> None:
    asked = asyncio.create_task(renders.asked(job(b"a")))
    await settle()
    await renders.close()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert process.stopped == 1

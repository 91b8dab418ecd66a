"""Single actions that come at the same time are handed over together: one thread, one flush, for all of a root's.

While a group is at work the next one gathers, so nobody waits for company. Each root has groups of its own: a disk that
hangs holds up nobody elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from media_common.errors import ServiceError

from fs_service.domain.deeds import Deed
from fs_service.domain.items import State
from fs_service.threads import Threads

Outcome = State | ServiceError
#: Of one group. They hold the locks of their files until the last one is durable.
MOST: Final = 64


@dataclass(slots=True)
class _Lane:
    """What waits for one root's turn, and who works it off."""

    waiting: list[tuple[Deed, asyncio.Future[State]]] = field(default_factory=list)
    worker: asyncio.Task[None] | None = None


class Gathering:
    """Used from the event loop only."""

    def __init__(
        self,
        root_of: Callable[[bytes], bytes],
        act_each: Callable[[Sequence[Deed]], list[Outcome]],
        threads: Threads,
    ) -> None:
        """
        Args:
            root_of: the review root of a path. Raises OutsideRoots.
        """
        self._root_of = root_of
        self._act_each = act_each
        self._threads = threads
        self._lanes: dict[bytes, _Lane] = {}

    def begin(self, deed: Deed) -> asyncio.Future[State]:
        """The deed goes with those that are begun before the loop's next turn, or while another group is at work.
        Cancelling before that takes it back; after that it runs to its end.

        Raises:
            OutsideRoots, ConfigBroken.
        """
        root = self._root_of(deed.path)
        lane = self._lanes.get(root)
        if lane is None:
            lane = self._lanes[root] = _Lane()
            lane.worker = asyncio.create_task(self._work_off(root, lane))
        future: asyncio.Future[State] = asyncio.get_running_loop().create_future()
        lane.waiting.append((deed, future))
        return future

    async def _work_off(self, root: bytes, lane: _Lane) -> None:
        group: list[tuple[Deed, asyncio.Future[State]]] = []
        try:
            while lane.waiting:
                group = [one for one in lane.waiting[:MOST] if not one[1].done()]
                del lane.waiting[:MOST]
                if group:
                    _settle(group, await self._together([deed for deed, _ in group]))
        finally:
            del self._lanes[root]
            for _, future in (*group, *lane.waiting):  # the process ends
                future.cancel()

    async def _together(self, deeds: Sequence[Deed]) -> Sequence[State | Exception]:
        try:
            return await self._threads.run(self._act_each, deeds)
        except Exception as error:  # noqa: BLE001 - handed to each caller
            return [error] * len(deeds)


def _settle(group: Sequence[tuple[Deed, asyncio.Future[State]]], outcomes: Sequence[State | Exception]) -> None:
    for (_, future), outcome in zip(group, outcomes, strict=True):
        if future.done():  # its caller has left
            continue
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)

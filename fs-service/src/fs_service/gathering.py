"""Single actions that come at the same time are handed over together: one thread, one flush, for all of a root's.

While a group is at work the next one gathers, so nobody waits for company. Each root has groups of its own: a disk that
hangs holds up nobody elsewhere.

A deed that is asked for again by the same request, while it waits or is at work, is done once: who asks again (after
being told that it is pending, or because an answer was lost) gets the one outcome. Done a second time it would undo
what another caller did in between.
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
#: Seconds for which the outcome of a deed is kept for somebody who was told to ask again.
KEPT_S: Final = 30.0


@dataclass(slots=True)
class _Begun:
    """A deed, and those who wait for its outcome."""

    deed: Deed
    callers: list[asyncio.Future[State]] = field(default_factory=list)
    owed: int = 0  # callers who were told to ask again, and have not yet
    outcome: State | Exception | None = None

    @property
    def is_wanted(self) -> bool:
        return not all(caller.done() for caller in self.callers)

    def tell(self, caller: asyncio.Future[State]) -> None:
        if caller.done():  # it has left
            return
        if isinstance(self.outcome, Exception):
            caller.set_exception(self.outcome)
        elif self.outcome is not None:
            caller.set_result(self.outcome)


@dataclass(slots=True)
class _Lane:
    """What waits for one root's turn, and who works it off."""

    waiting: list[_Begun] = field(default_factory=list)
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
        #: Those of requests that have an id.
        self._begun: dict[Deed, _Begun] = {}

    def begin(self, deed: Deed) -> asyncio.Future[State]:
        """The deed goes with those that are begun before the loop's next turn, or while another group is at work.
        Cancelling before that takes it back; after that it runs to its end. One that its request has begun already is
        joined.

        Raises:
            OutsideRoots, ConfigBroken.
        """
        caller: asyncio.Future[State] = asyncio.get_running_loop().create_future()
        begun = self._begun.get(deed)
        if begun is None:
            begun = self._added(deed)
        elif begun.owed:
            begun.owed -= 1
        begun.callers.append(caller)
        if begun.outcome is not None:
            begun.tell(caller)
            self._forget(begun)
        return caller

    def told_pending(self, deed: Deed) -> None:
        """One of its callers is told that it is pending: the outcome is kept until that one begins the deed again."""
        if (begun := self._begun.get(deed)) is not None:
            begun.owed += 1

    def _added(self, deed: Deed) -> _Begun:
        root = self._root_of(deed.path)
        lane = self._lanes.get(root)
        if lane is None:
            lane = self._lanes[root] = _Lane()
            lane.worker = asyncio.create_task(self._work_off(root, lane))
        begun = _Begun(deed)
        if deed.request_id:
            self._begun[deed] = begun
        lane.waiting.append(begun)
        return begun

    def _forget(self, begun: _Begun, is_over: bool = False) -> None:
        """Unless somebody is still to ask for the outcome."""
        if (is_over or not begun.owed) and self._begun.get(begun.deed) is begun:
            del self._begun[begun.deed]

    async def _work_off(self, root: bytes, lane: _Lane) -> None:
        group: list[_Begun] = []
        try:
            while lane.waiting:
                turn, lane.waiting = lane.waiting[:MOST], lane.waiting[MOST:]
                group = [one for one in turn if one.is_wanted]
                for one in turn:
                    if not one.is_wanted:
                        self._forget(one, is_over=True)
                if group:
                    self._settle(group, await self._together([one.deed for one in group]))
        finally:
            del self._lanes[root]
            for one in (*group, *lane.waiting):  # of those that are not done: the process ends
                self._forget(one, is_over=one.outcome is None)
                for caller in one.callers:
                    caller.cancel()

    async def _together(self, deeds: Sequence[Deed]) -> Sequence[State | Exception]:
        try:
            return await self._threads.run(self._act_each, deeds)
        except Exception as error:  # noqa: BLE001 - handed to each caller
            return [error] * len(deeds)

    def _settle(self, group: Sequence[_Begun], outcomes: Sequence[State | Exception]) -> None:
        for one, outcome in zip(group, outcomes, strict=True):
            one.outcome = outcome
            for caller in one.callers:
                one.tell(caller)
            self._forget(one)
            if one.owed:
                asyncio.get_running_loop().call_later(KEPT_S, self._forget, one, True)

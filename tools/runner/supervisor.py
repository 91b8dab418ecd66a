"""All processes together: started at once, waited for, published, stopped in stages."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from itertools import groupby
from typing import Final

from runner.output import Output
from runner.process import BAD_SETTINGS, Child, Spec

#: Seconds each stage gets before it is killed; together, with what killing takes, less than ten.
GRACE_S: Final = (2.5, 2.5, 2.5, 1.5)
#: Said once when the stack takes longer than this; it goes on trying.
SLOW_START_S: Final = 60.0
_LOOK_AGAIN_S: Final = 0.05


class BadSettings(Exception):
    """A process says at its start that its settings are wrong; its own lines say which."""


class Supervisor:
    """The children of one stack."""

    def __init__(self, specs: list[Spec], output: Output, changed: Callable[[], None]) -> None:
        self._output = output
        self._hurry = asyncio.Event()
        self.children = [Child(spec, output, changed) for spec in specs]
        self._running: dict[Child, asyncio.Task[None]] = {}

    def start(self) -> None:
        """Start every process that is not for later; they find each other when they are up."""
        self._run(later=False)

    def start_later(self) -> None:
        """Start the others; told again, it changes nothing."""
        self._run(later=True)

    async def until_ready(self, missing: Callable[[], Awaitable[str]]) -> None:
        """Wait until `missing()` is empty; it names what does not answer yet.

        Raises:
            BadSettings: a process cannot work with the settings it was given.
        """
        began, told = time.monotonic(), False
        while why := await missing():
            for child in self.children:
                if child.last_exit == BAD_SETTINGS:
                    raise BadSettings(f"{child.spec.name} cannot start with these settings.")
            if not told and time.monotonic() - began > SLOW_START_S:
                told = True
                self._output.line("run", f"not ready after {SLOW_START_S:.0f} s: {why}; still trying")
                self.start_later()
            await asyncio.sleep(_LOOK_AGAIN_S)

    def _run(self, later: bool) -> None:
        for child in self.children:
            if child.spec.later is later and child not in self._running:
                self._running[child] = asyncio.create_task(child.run(), name=child.spec.name)

    def hurry(self) -> None:
        """Give nobody any more time to stop."""
        self._hurry.set()

    async def stop(self) -> None:
        """Stop stage after stage, the gateway first; whoever overstays is killed."""

        def stage(child: Child) -> int:
            return child.spec.stage

        for number, children in groupby(sorted(self._running, key=stage), key=stage):
            await asyncio.gather(*(child.stop(GRACE_S[number], self._hurry) for child in children))
        await asyncio.gather(*self._running.values())

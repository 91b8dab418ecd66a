"""Questions that arrive while others are being asked go together in one call: the call costs more than the question.

One that comes alone goes alone and at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

Q = TypeVar("Q")
A = TypeVar("A")

#: Questions of one call.
MOST: Final = 32
#: Calls under way: while one is being answered, the other's answers are passed on.
_AT_ONCE: Final = 2


class Together(Generic[Q, A]):
    def __init__(
        self, alone: Callable[[Q], Awaitable[A]], together: Callable[[Sequence[Q]], Awaitable[Sequence[A | None]]]
    ) -> None:
        """
        Args:
            together: None for a question that has to be asked alone, which then says what is wrong with it.
        """
        self._alone = alone
        self._together = together
        self._waiting: list[tuple[Q, asyncio.Future[A]]] = []
        self._calls: set[asyncio.Task[None]] = set()

    async def ask(self, question: Q) -> A:
        """The answer; whatever `alone` raises."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[A] = loop.create_future()
        self._waiting.append((question, answer))
        if len(self._waiting) == 1 and len(self._calls) < _AT_ONCE:
            loop.call_soon(self._send)  # with those that come in the same turn of the loop
        return await answer

    def _send(self) -> None:
        waiting = [(question, answer) for question, answer in self._waiting if not answer.done()]
        group, self._waiting = waiting[:MOST], waiting[MOST:]
        if group:
            call = asyncio.create_task(self._ask(group))
            self._calls.add(call)
            call.add_done_callback(self._ended)

    def _ended(self, call: asyncio.Task[None]) -> None:
        self._calls.discard(call)
        if self._waiting:
            self._send()

    async def _ask(self, group: Sequence[tuple[Q, asyncio.Future[A]]]) -> None:
        answers: Sequence[A | None] = [None] * len(group)
        if len(group) > 1:
            try:
                given = await self._together([question for question, _ in group])
                answers = given if len(given) == len(group) else answers
            except Exception:  # noqa: BLE001, S110 - each alone says what is wrong, to its own caller
                pass
        left = []
        for (question, waiting), answer in zip(group, answers, strict=True):
            if answer is None:
                left.append(self._ask_alone(question, waiting))
            elif not waiting.done():  # else its caller has left
                waiting.set_result(answer)
        await asyncio.gather(*left)

    async def _ask_alone(self, question: Q, waiting: asyncio.Future[A]) -> None:
        try:
            answer = await self._alone(question)
        except Exception as error:  # noqa: BLE001 - handed to the caller
            if not waiting.done():
                waiting.set_exception(error)
        else:
            if not waiting.done():
                waiting.set_result(answer)

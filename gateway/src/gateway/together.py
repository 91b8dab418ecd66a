"""Questions that arrive while others are being asked go together in one call: the call costs more than the question.

One that comes alone goes alone and at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

Q = TypeVar("Q")
A = TypeVar("A")

#: Questions of one call.
MOST: Final = 32
#: Calls under way: while one is being answered, the other's answers are passed on.
_AT_ONCE: Final = 2


@dataclass(slots=True)
class _Waiting(Generic[Q, A]):
    question: Q
    answer: asyncio.Future[A]
    #: Whoever begins a call is not always who asked: request id and trace are the asker's.
    context: Context


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
        self._waiting: list[_Waiting[Q, A]] = []
        self._calls: set[asyncio.Task[None]] = set()

    async def ask(self, question: Q) -> A:
        """The answer; whatever `alone` raises."""
        loop = asyncio.get_running_loop()
        mine: _Waiting[Q, A] = _Waiting(question, loop.create_future(), copy_context())
        self._waiting.append(mine)
        if len(self._waiting) == 1 and len(self._calls) < _AT_ONCE:
            loop.call_soon(self._send)  # with those that come in the same turn of the loop
        return await mine.answer

    def _send(self) -> None:
        waiting = [one for one in self._waiting if not one.answer.done()]
        group, self._waiting = waiting[:MOST], waiting[MOST:]
        if group:
            call = asyncio.create_task(self._ask(group), context=group[0].context)  # a call has one
            self._calls.add(call)
            call.add_done_callback(self._ended)

    def _ended(self, call: asyncio.Task[None]) -> None:
        self._calls.discard(call)
        if self._waiting:
            self._send()

    async def _ask(self, group: Sequence[_Waiting[Q, A]]) -> None:
        answers: Sequence[A | None] = [None] * len(group)
        if len(group) > 1:
            try:
                given = await self._together([one.question for one in group])
                answers = given if len(given) == len(group) else answers
            except Exception:  # noqa: BLE001, S110 - each alone says what is wrong, to its own caller
                pass
        left = []
        for one, answer in zip(group, answers, strict=True):
            if answer is None:
                left.append(asyncio.create_task(self._ask_alone(one), context=one.context))
            elif not one.answer.done():  # else its caller has left
                one.answer.set_result(answer)
        await asyncio.gather(*left)

    async def _ask_alone(self, one: _Waiting[Q, A]) -> None:
        try:
            answer = await self._alone(one.question)
        except Exception as error:  # noqa: BLE001 - handed to the caller
            if not one.answer.done():
                one.answer.set_exception(error)
        else:
            if not one.answer.done():
                one.answer.set_result(answer)

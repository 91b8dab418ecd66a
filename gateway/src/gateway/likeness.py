"""What the embeddings say of a stack, where there are any: a member that shows something else altogether leaves it.

They only take away, and only what is far off: a blurred take of a picture is close to it, though not very. Without the
catalogue, without search, or when either is slow, stacks are what the file service says.
"""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import grpc
from media_proto import fs_pb2
from media_proto import search_pb2 as pb

from gateway.errors import Failure

#: Cosine to the suggested one. Takes of one picture are above 0.8 with CLIP; what it calls unrelated is about 0.5, and
#: about 0.2 with the offline encoder, which blur throws off further. Below this no model calls them the same.
FAR: Final = 0.4
#: An answer is not held up for longer.
_PATIENCE_S: Final = 0.5
_MOST_KNOWN: Final = 10_000
_AT_ONCE: Final = 16

#: The catalogue's number of the file at a path; None: it has none.
Number = Callable[[bytes], Awaitable[int | None]]
Vectors = Callable[[Sequence[int]], Awaitable[pb.PointVectors]]


class Likeness:
    def __init__(self, number_of: Number, vectors: Vectors, *, is_set_up: bool) -> None:
        """The two calls raise `Failure` or `grpc.aio.AioRpcError` when they cannot be answered."""
        self._number_of = number_of
        self._vectors = vectors
        self._is_set_up = is_set_up
        self._known: OrderedDict[bytes, int] = OrderedDict()
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def refined(self, stacks: Sequence[fs_pb2.Stack]) -> list[fs_pb2.Stack]:
        """The stacks without what does not belong; one of which a single member is left is none."""
        if not self._is_set_up or not stacks:
            return list(stacks)
        try:
            async with asyncio.timeout(_PATIENCE_S):
                numbers = await self._numbers([one.path for stack in stacks for one in stack.members])
                told = (await self._vectors(list(numbers.values()))).vectors if numbers else {}
        except (Failure, grpc.aio.AioRpcError, TimeoutError):
            return list(stacks)
        vectors = {path: told[number].values for path, number in numbers.items() if number in told}
        return [kept for stack in stacks if (kept := without_strangers(stack, vectors)) is not None]

    async def _numbers(self, paths: Sequence[bytes]) -> dict[bytes, int]:
        found = await asyncio.gather(*map(self._number, paths))
        return {path: number for path, number in zip(paths, found, strict=True) if number is not None}

    async def _number(self, path: bytes) -> int | None:
        if (number := self._known.get(path)) is not None:
            return number
        async with self._room:
            number = await self._number_of(path)
        if number is not None:
            self._known[path] = number
            if len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)
        return number


def without_strangers(stack: fs_pb2.Stack, vectors: Mapping[bytes, Sequence[float]]) -> fs_pb2.Stack | None:
    """The stack without the members that are far from the suggested one; of who has no vector nothing is said."""
    suggested = stack.members[stack.suggested]
    best = vectors.get(suggested.path)
    if best is None:
        return stack
    left = [
        one
        for one in stack.members
        if one.path == suggested.path or one.path not in vectors or cosine(best, vectors[one.path]) >= FAR
    ]
    if len(left) == len(stack.members):
        return stack
    if len(left) < 2:
        return None
    return fs_pb2.Stack(members=left, suggested=left.index(suggested), decision=stack.decision)


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """0 where one of them has no direction."""
    lengths = math.sqrt(sum(x * x for x in one) * sum(x * x for x in other))
    return sum(x * y for x, y in zip(one, other, strict=True)) / lengths if lengths else 0.0

"""The port of a vector store: collections of points, each of one model, behind aliases.

Vectors are compared by cosine; they come and go as float32 of unit length. A collection's name is made of letters,
digits, `-`, `_` and `.`; an alias answers wherever a collection's name is asked for in reading.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, Protocol, TypeAlias

import numpy as np
from media_common.errors import InvalidArgument
from numpy.typing import NDArray

from search_service.domain.errors import WrongDimensions
from search_service.domain.filters import EVERYTHING, Filter, Payload

Vector: TypeAlias = NDArray[np.float32]
#: How a payload field is indexed: whole numbers (equal, ranges), decimals (ranges), texts (equal).
FieldKind: TypeAlias = Literal["integer", "float", "keyword"]

#: Candidates an approximate search keeps at hand: recall rises with it, speed falls (bench/vectors.py).
DEFAULT_EF: Final = 64
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")


@dataclass(frozen=True, slots=True)
class Point:
    """A vector and what it can be filtered by. `vector` is of any length but 0."""

    point_id: int
    vector: Vector
    payload: Payload


class Hit(NamedTuple):
    point_id: int
    score: float  # cosine


class VectorStore(Protocol):
    """What every store does alike; tests/test_vector_stores.py is the contract."""

    async def ensure(self, name: str, dimensions: int) -> None:
        """Make the collection if it is not there.

        Raises:
            WrongDimensions: it is there, with another length of vectors.
        """

    async def collections(self) -> Mapping[str, int]:
        """Dimensions by name."""

    async def drop(self, name: str) -> None:
        """Remove the collection and every alias of it; one that is not there is fine."""

    async def set_alias(self, alias: str, name: str) -> None:
        """From now on `alias` means `name`, in one step: no search falls between.

        Raises:
            NoSuchVectors: there is no such collection.
        """

    async def aliases(self) -> Mapping[str, str]:
        """Collection by alias."""

    async def upsert(self, name: str, points: Sequence[Point]) -> None:
        """Add points, or replace them whole. Kept when this returns, whatever happens to the process.

        Raises:
            NoSuchVectors, WrongDimensions: nothing was written.
        """

    async def set_payload(self, name: str, payloads: Mapping[int, Payload]) -> None:
        """Write these fields of points that are there; their other fields stay, other points are ignored."""

    async def delete(self, name: str, ids: Sequence[int]) -> None:
        """Points that are not there are fine."""

    async def search(
        self,
        name: str,
        query: Vector,
        limit: int,
        filter: Filter = EVERYTHING,
        *,
        ef: int = DEFAULT_EF,
        exact: bool = False,
    ) -> list[Hit]:
        """The nearest points that pass, best first; equal scores by id. Ids and scores only: payloads are slow."""

    async def vectors(self, name: str, ids: Sequence[int]) -> dict[int, Vector]:
        """Of the points that are there."""

    async def payloads(self, name: str, ids: Sequence[int], fields: Sequence[str] = ()) -> dict[int, Payload]:
        """Of the points that are there: these fields, or (none) all. Each field of a thousand points costs."""

    async def count(self, name: str, filter: Filter = EVERYTHING) -> int: ...

    async def ids(self, name: str, filter: Filter = EVERYTHING, *, after: int = -1, limit: int = 10_000) -> list[int]:
        """Ids above `after` that pass, in ascending order."""

    async def optimise(self, name: str) -> None:
        """Build what makes searches quick, if there is anything to build. May take long; searches go on."""

    async def close(self) -> None: ...


def by_payload(payloads: Mapping[int, Payload]) -> list[tuple[list[int], Payload]]:
    """The same, points with equal payloads together: a change of many items is often one change."""
    grouped: dict[str, tuple[list[int], Payload]] = {}
    for key, payload in payloads.items():
        grouped.setdefault(repr(sorted(payload.items())), ([], payload))[0].append(key)
    return list(grouped.values())


def checked_name(name: str) -> str:
    """`name`, when it can be a collection or an alias.

    Raises:
        InvalidArgument: it cannot.
    """
    if not _NAME.fullmatch(name) or ".." in name:
        raise InvalidArgument(f"{name!r} cannot name a collection of vectors.")
    return name


def possible(ids: Iterable[int]) -> list[int]:
    """Those that a point can have: engines refuse others, and there is nothing of them."""
    return [key for key in ids if key >= 0]


def unit(vectors: NDArray[np.floating]) -> Vector:
    """Rows (or the one vector) of length 1; a zero stays zero, never NaN."""
    rows = np.asarray(vectors, dtype=np.float32)
    length = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.where(length > 0, length, 1), dtype=np.float32)


def checked(vector: NDArray[np.floating], dimensions: int) -> Vector:
    """`vector` at unit length.

    Raises:
        WrongDimensions: it has another length than the collection's, or a number in it is none.
    """
    if vector.shape != (dimensions,):
        raise WrongDimensions(f"A vector here has {dimensions} numbers, this one has {vector.size}.")
    if not np.isfinite(vector).all():
        raise WrongDimensions("A vector is made of finite numbers.")
    return unit(vector)

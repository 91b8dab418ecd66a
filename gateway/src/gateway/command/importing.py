"""`framewell import exquisitor`: a collection database of Exquisitor, gone through and then sent to the catalogue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

from media_proto import metadata_pb2 as pb
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gateway.command.exquisitor_file import Collection, examined, opened
from gateway.command.exquisitor_parts import Addresses, parts_of, rows_of
from gateway.command.stack import Stack

NO_VECTORS: Final = "Vectors cannot be imported yet: there is no search service that would keep them."


class Bar(Protocol):
    """What is told of the way."""

    def total(self, rows: int) -> None: ...

    def advance(self, rows: int) -> None: ...


async def imported(stack: Stack, file: Path, name: str, addresses: Addresses, bar: Bar) -> dict[str, Any]:
    """What came into the catalogue: all of the file or, when this fails, nothing.

    Raises:
        Unreadable: the file cannot be taken.
        Failure, grpc.aio.AioRpcError: the catalogue refuses it.
    """
    with opened(file) as connection:
        collection = await asyncio.to_thread(examined, connection)
        bar.total(collection.tags + collection.groups + collection.items)
        made = await stack.catalogue.import_collection(_told(parts_of(collection, name, addresses), bar))
    return _out(made, collection)


async def _told(parts: Iterator[pb.ImportPart], bar: Bar) -> AsyncIterator[pb.ImportPart]:
    while (part := await asyncio.to_thread(next, parts, None)) is not None:
        yield part
        bar.advance(rows_of(part))


def _out(made: pb.Collection, collection: Collection) -> dict[str, Any]:
    return {
        "collection": {"id": made.uuid.hex(), "slug": made.slug},
        "items": collection.items,
        "groups": collection.groups,
        "tagsets": len(collection.tagsets),
        "tags": collection.tags,
        "taggings": collection.taggings,
    }


class _Silent:
    def total(self, rows: int) -> None:
        pass

    def advance(self, rows: int) -> None:
        pass


class _Shown:
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("reading", total=None)

    def total(self, rows: int) -> None:
        self._progress.update(self._task, description="importing", total=rows)

    def advance(self, rows: int) -> None:
        self._progress.advance(self._task, rows)


@contextmanager
def bar_for(people: bool) -> Iterator[Bar]:
    """A bar on the terminal, if there are people and a terminal."""
    console = Console(stderr=True)
    if not people or not console.is_terminal:
        yield _Silent()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        yield _Shown(progress)

"""`framewell import exquisitor`: a collection database of Exquisitor, gone through and then sent to the catalogue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

import grpc
from media_proto import metadata_pb2 as pb
from media_proto import search_pb2
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gateway.command.exquisitor_file import Collection, examined, opened
from gateway.command.exquisitor_parts import Addresses, parts_of, rows_of
from gateway.command.exquisitor_vectors import Vectors, vectors_of
from gateway.command.stack import Refused, Stack
from gateway.errors import Failure, failure_of
from gateway.search import SearchClient

#: A model may have to be loaded first.
_LOADING_S: Final = 180.0
#: How often a batch of vectors is sent again while search is away, and how long that is waited each time.
_TRIES: Final = 10
_PAUSE_S: Final = 3.0


class Bar(Protocol):
    """What is told of the way."""

    def total(self, rows: int) -> None: ...

    def advance(self, rows: int) -> None: ...


async def imported(
    stack: Stack, file: Path, name: str, addresses: Addresses, vector_file: Path | None, bar: Bar
) -> dict[str, Any]:
    """What came into the catalogue: all of the file or, when this fails, nothing; and then its vectors into search.

    Raises:
        Unreadable: one of the files cannot be taken.
        Refused: the vectors do not fit the encoder; or not all of them were taken, though the collection was.
        Failure, grpc.aio.AioRpcError: the catalogue refuses it, or there is no search to take vectors.
    """
    with opened(file) as connection:
        collection = await asyncio.to_thread(examined, connection)
        vectors, space = None, ""
        if vector_file is not None:
            vectors = await asyncio.to_thread(vectors_of, collection, vector_file)
            space = await _space(stack.search, vectors.dimensions)
        bar.total(collection.tags + collection.groups + collection.items + (len(vectors.rows) if vectors else 0))
        made = await stack.catalogue.import_collection(_told(parts_of(collection, name, addresses), bar))
    if vectors is None:
        return _out(made, collection)
    return {**_out(made, collection), "vectors": await _put(stack.search, space, made, vectors, bar)}


async def _space(search: SearchClient, dimensions: int) -> str:
    """Where vectors of so many numbers belong: to the encoder that answers, which is loaded for it.

    Raises:
        Refused: its vectors have another length.
        Failure: 503, there is none.
    """
    await search.ask(search.stub.EmbedTexts, search_pb2.EmbedTextsRequest(texts=["a photograph"]), _LOADING_S)
    encoder = (await search.models()).encoder
    if encoder.dimensions != dimensions:
        raise Refused(
            f"The vectors have {dimensions} numbers, those of the encoder in use ({encoder.name} {encoder.model}) "
            f"{encoder.dimensions}: they cannot be compared. Set FRAMEWELL_ENCODER to the model that made them."
        )
    return encoder.space


async def _put(search: SearchClient, space: str, made: pb.Collection, vectors: Vectors, bar: Bar) -> int:
    """How many search has taken.

    Raises:
        Refused: it stopped taking them.
    """
    written, batches = 0, vectors.batches()
    try:
        while (batch := await asyncio.to_thread(next, batches, None)) is not None:
            ids, rows = batch
            request = search_pb2.PutVectorsRequest(
                space=space,
                item_ids=[made.id_base + one for one in ids],
                vectors=[search_pb2.Vector(values=row) for row in rows],
            )
            written += await _sent(search, request)
            bar.advance(len(ids))
    except (Failure, Refused, grpc.aio.AioRpcError) as error:
        reason = failure_of(error).message if not isinstance(error, Refused) else str(error)
        raise Refused(
            f"The collection {made.slug} is imported, but only {written} of its {len(vectors.rows)} vectors: {reason}"
        ) from error
    return written


async def _sent(search: SearchClient, request: search_pb2.PutVectorsRequest) -> int:
    """Writing vectors twice is the same as once, so a service that is started again meanwhile goes unnoticed."""
    for tries_left in reversed(range(_TRIES)):
        try:
            return await search.put_vectors(request)
        except Failure:
            if not tries_left:
                raise
        await asyncio.sleep(_PAUSE_S)
    raise AssertionError("the last try answers or raises")


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

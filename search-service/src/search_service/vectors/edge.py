"""Vectors in this process, on this disk: Qdrant Edge, one shard a collection. Only here is the engine's API known.

What is in `folder`: `shards/<name>/`, one for each collection, and `collections.json`, which says what there is and
what the aliases mean. A shard that is not in it was being made or dropped, and goes at the next start.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
import qdrant_edge as engine
from media_common.errors import ServiceError

from search_service.domain.errors import NoSuchVectors, StoreUnavailable, WrongDimensions
from search_service.domain.filters import EVERYTHING, All, Any, Between, Filter, Has, Ids, Not, Payload, simplified
from search_service.domain.vectors import DEFAULT_EF, FieldKind, Hit, Point, Vector, by_payload, checked, checked_name

logger = logging.getLogger(__name__)
T = TypeVar("T")

#: Reads at a time. The engine has threads of its own; more of ours would only wait for them.
_READERS: Final = 4
#: A killed process loses nothing (the engine's log is with the operating system); a power cut loses this much, and
#: what is lost is embedded again. Flushing after every batch costs more than the batch.
_FLUSH_S: Final = 5.0
_KINDS: Final = {
    "integer": engine.PayloadSchemaType.Integer,
    "float": engine.PayloadSchemaType.Float,
    "keyword": engine.PayloadSchemaType.Keyword,
}
_LARGEST: Final = 1.7e308
#: Neighbours and candidates of the graph: measured in bench/vectors.py.
_GRAPH: Final = engine.HnswIndexConfig(m=16, ef_construct=100, full_scan_threshold=10_000)


class EdgeStore:
    """Implements `VectorStore`. One process at a time: the engine locks its files."""

    def __init__(self, folder: Path, indexes: Mapping[str, FieldKind]) -> None:
        """
        Args:
            indexes: payload fields that filters ask for; they are indexed when a collection is made.

        Raises:
            StoreUnavailable: the folder cannot be used.
        """
        self._folder = folder
        self._indexes = indexes
        self._shards: dict[str, engine.EdgeShard] = {}
        self._changed: dict[str, float] = {}  # name -> when the engine was last made to flush
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="vectors")
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="vectors-writer")
        self._optimiser = ThreadPoolExecutor(1, thread_name_prefix="vectors-optimiser")
        self._using = threading.Lock()
        try:
            (folder / "shards").mkdir(parents=True, exist_ok=True)
            self._dimensions, self._aliases = self._read()
            self._drop_unlisted()
        except OSError as error:
            raise StoreUnavailable(f"Vectors cannot be kept in {folder}: {error.strerror}.") from error

    # ---- collections ----

    async def ensure(self, name: str, dimensions: int) -> None:
        checked_name(name)
        await self._written(self._ensure, name, dimensions)

    def _ensure(self, name: str, dimensions: int) -> None:
        there = self._dimensions.get(name)
        if there is not None:
            if there != dimensions:
                raise WrongDimensions(f"Vectors of {name} have {there} numbers, not {dimensions}.")
            return
        place = self._place(name)
        shutil.rmtree(place, ignore_errors=True)
        vectors = engine.EdgeVectorParams(size=dimensions, distance=engine.Distance.Cosine)
        shard = engine.EdgeShard.create(str(place), engine.EdgeConfig(vectors=vectors, hnsw_config=_GRAPH))
        for field, kind in self._indexes.items():
            shard.update(engine.UpdateOperation.create_field_index(field, _KINDS[kind]))
        shard.flush()
        self._dimensions[name] = dimensions
        try:
            self._write()
        except OSError:  # unlisted it would be gone after the next start
            del self._dimensions[name]
            shard.close()
            raise
        self._shards[name] = shard

    async def collections(self) -> Mapping[str, int]:
        return dict(self._dimensions)

    async def drop(self, name: str) -> None:
        await self._written(self._drop, name)

    def _drop(self, name: str) -> None:
        if self._dimensions.pop(name, None) is None:
            return
        self._aliases = {alias: meant for alias, meant in self._aliases.items() if meant != name}
        self._write()
        if (shard := self._shards.pop(name, None)) is not None:
            shard.close()
        shutil.rmtree(self._place(name), ignore_errors=True)

    async def set_alias(self, alias: str, name: str) -> None:
        checked_name(alias)
        await self._written(self._set_alias, alias, name)

    def _set_alias(self, alias: str, name: str) -> None:
        if name not in self._dimensions:
            raise NoSuchVectors(f"There are no vectors of {name}.")
        self._aliases = {**self._aliases, alias: name}
        self._write()

    async def aliases(self) -> Mapping[str, str]:
        return dict(self._aliases)

    # ---- points ----

    async def upsert(self, name: str, points: Sequence[Point]) -> None:
        await self._written(self._upsert, name, points)

    def _upsert(self, name: str, points: Sequence[Point]) -> None:
        dimensions = self._dimensions_of(name)
        ready = [
            engine.Point(point.point_id, checked(point.vector, dimensions).tolist(), dict(point.payload))
            for point in points
        ]
        self._update(name, engine.UpdateOperation.upsert_points(ready))

    async def set_payload(self, name: str, payloads: Mapping[int, Payload]) -> None:
        await self._written(self._set_payload, name, payloads)

    def _set_payload(self, name: str, payloads: Mapping[int, Payload]) -> None:
        there = {int(record.id) for record in self._shard(name).retrieve(list(payloads), False, False)}
        for ids, fields in by_payload({key: payloads[key] for key in sorted(there)}):
            self._update(name, engine.UpdateOperation.set_payload(list(ids), dict(fields)))

    async def delete(self, name: str, ids: Sequence[int]) -> None:
        await self._written(lambda: self._update(name, engine.UpdateOperation.delete_points(list(ids))))

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
        wanted = checked(query, self._dimensions_of(name))
        request = engine.QueryRequest(
            limit=limit,
            query=engine.Query.Nearest(wanted.tolist()),
            filter=_filter(filter),
            with_payload=False,
            with_vector=False,
            params=engine.SearchParams(hnsw_ef=max(ef, limit), exact=exact),
        )
        found = await self._read_from(name, lambda shard: shard.query(request))
        return sorted((Hit(int(hit.id), hit.score) for hit in found), key=lambda hit: (-hit.score, hit.point_id))

    async def vectors(self, name: str, ids: Sequence[int]) -> dict[int, Vector]:
        wanted: list[engine.PointId] = list(ids)
        records = await self._read_from(name, lambda shard: shard.retrieve(wanted, False, True))
        return {int(record.id): np.asarray(record.vector, np.float32) for record in records}

    async def payloads(self, name: str, ids: Sequence[int], fields: Sequence[str] = ()) -> dict[int, Payload]:
        wanted: list[engine.PointId] = list(ids)
        records = await self._read_from(name, lambda shard: shard.retrieve(wanted, list(fields) or True, False))
        return {int(record.id): record.payload or {} for record in records}

    async def count(self, name: str, filter: Filter = EVERYTHING) -> int:
        request = engine.CountRequest(exact=True, filter=_filter(filter))
        return await self._read_from(name, lambda shard: shard.count(request))

    async def ids(self, name: str, filter: Filter = EVERYTHING, *, after: int = -1, limit: int = 10_000) -> list[int]:
        request = engine.ScrollRequest(
            offset=max(after + 1, 0), limit=limit, filter=_filter(filter), with_payload=False, with_vector=False
        )
        records, _ = await self._read_from(name, lambda shard: shard.scroll(request))
        return [int(record.id) for record in records]

    async def optimise(self, name: str) -> None:
        shard = self._shard(name)
        with _translated():
            built = await asyncio.get_running_loop().run_in_executor(self._optimiser, shard.optimize)
        if built:
            logger.info("built the index of %s: %s", name, shard.info())

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self._close)

    def _close(self) -> None:
        for threads in (self._optimiser, self._writer, self._readers):
            threads.shutdown(wait=True)
        for shard in self._shards.values():
            shard.flush()
            shard.close()
        self._shards.clear()

    # ---- the engine ----

    async def _written(self, work: Callable[..., None], *arguments: object) -> None:
        with _translated():
            await asyncio.get_running_loop().run_in_executor(self._writer, work, *arguments)

    async def _read_from(self, name: str, work: Callable[[engine.EdgeShard], T]) -> T:
        with _translated():
            return await asyncio.get_running_loop().run_in_executor(self._readers, lambda: work(self._shard(name)))

    def _update(self, name: str, operation: engine.UpdateOperation) -> None:
        shard = self._shard(name)
        shard.update(operation)
        now = time.monotonic()
        if now - self._changed.setdefault(name, now) > _FLUSH_S:
            self._changed[name] = now
            shard.flush()

    def _shard(self, name: str) -> engine.EdgeShard:
        """The shard of a collection or an alias, opened when it is first asked for.

        Raises:
            StoreUnavailable: its files cannot be opened.
        """
        name = self._meant(name)
        with self._using:
            if name not in self._shards:
                try:
                    self._shards[name] = engine.EdgeShard.load(str(self._place(name)))
                except Exception as error:  # the engine raises nothing narrower
                    raise StoreUnavailable(f"The vectors of {name} cannot be opened: {error}.") from error
            return self._shards[name]

    def _dimensions_of(self, name: str) -> int:
        return self._dimensions[self._meant(name)]

    def _meant(self, name: str) -> str:
        meant = self._aliases.get(name, name)
        if meant not in self._dimensions:
            raise NoSuchVectors(f"There are no vectors of {name}.")
        return meant

    # ---- what there is ----

    def _place(self, name: str) -> Path:
        return self._folder / "shards" / name

    def _read(self) -> tuple[dict[str, int], dict[str, str]]:
        try:
            facts = json.loads((self._folder / "collections.json").read_text())
        except FileNotFoundError:
            return {}, {}
        except ValueError as error:
            raise StoreUnavailable(f"{self._folder}/collections.json is damaged: {error}.") from error
        return dict(facts["dimensions"]), dict(facts["aliases"])

    def _write(self) -> None:
        place = self._folder / "collections.json"
        text = json.dumps({"dimensions": self._dimensions, "aliases": self._aliases}, indent=2)
        with open(place.with_suffix(".new"), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(place.with_suffix(".new"), place)

    def _drop_unlisted(self) -> None:
        for place in (self._folder / "shards").iterdir():
            if place.name not in self._dimensions:
                shutil.rmtree(place, ignore_errors=True)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except ServiceError:
        raise
    except Exception as error:
        if type(error) is not Exception and not isinstance(error, OSError):
            raise  # a bug of ours: the engine raises nothing narrower than `Exception`, for a full disk too
        logger.exception("the engine of vectors failed")
        raise StoreUnavailable(f"The vectors cannot be used now: {error}.") from error


def _filter(tree: Filter) -> engine.Filter | None:
    plain = simplified(tree)
    return None if plain == EVERYTHING else engine.Filter(must=[_condition(plain)])


def _condition(tree: Filter) -> engine.ConditionType:
    """The same tree in the engine's words. "Nothing" is "no id" there: an empty list of conditions would be true."""
    match tree:
        case All(parts):
            return engine.Filter(must=[_condition(part) for part in parts])
        case Any(parts):
            return engine.Filter(should=[_condition(part) for part in parts]) if parts else _none()
        case Not(part):
            return engine.Filter(must_not=[_condition(part)])
        case Has(field, values):
            return engine.FieldCondition(key=field, match=_any(values))
        case Between(field, lower, upper):
            # Without a bound any number will do, and nothing that is no number.
            gte = -_LARGEST if lower is None else float(lower)
            lte = None if upper is None else float(upper)
            return engine.FieldCondition(key=field, range=engine.RangeFloat(gte=gte, lte=lte))
        case Ids(ids):
            return engine.HasIdCondition({key for key in ids if key >= 0})


def _any(values: frozenset[int] | frozenset[str]) -> engine.MatchAny:
    texts = sorted(value for value in values if isinstance(value, str))
    return engine.MatchAny(texts or sorted(value for value in values if isinstance(value, int)))


def _none() -> engine.HasIdCondition:
    return engine.HasIdCondition(set())

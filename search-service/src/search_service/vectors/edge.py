"""Vectors in this process, on this disk: Qdrant Edge, one shard a collection. Only here is the engine's API known.

What is in `folder`: `shards/`, with a folder for each collection, and `collections.json`, which says what there is,
where it is and what the aliases mean. A shard that is not in it was being made, built or dropped, and goes at the next
start.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar
from uuid import uuid4

import numpy as np
import qdrant_edge as engine
from media_common.errors import ServiceError

from search_service.domain.errors import NoSuchVectors, StoreUnavailable, WrongDimensions
from search_service.domain.filters import EVERYTHING, Filter, Payload
from search_service.domain.vectors import (
    DEFAULT_EF,
    FieldKind,
    Hit,
    Point,
    Vector,
    by_payload,
    checked,
    checked_name,
    possible,
)
from search_service.vectors.building import Build, bring_over, built, check_room
from search_service.vectors.edge_asking import Asking
from search_service.vectors.edge_registry import Registry
from search_service.vectors.edge_usual import Usual

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
#: Neighbours and candidates of the graph: measured in bench/vectors.py.
_GRAPH: Final = engine.HnswIndexConfig(m=16, ef_construct=100, full_scan_threshold=10_000)
#: The index walks over numbers of a byte each, a quarter of what memory has to bring: two thirds of the time, of the
#: building too. What it finds is compared by its true numbers.
_BYTES: Final = engine.ScalarQuantizationConfig(type=engine.ScalarType.Int8, quantile=0.99, always_ram=True)
#: Bytes of vectors outside the index that a search looks at one by one: fewer than the engine itself would build for.
_SCANNED: Final = 10_000 * 1024
#: Of the vectors in an index, how many may be gone before it is built anew, and in how large an index.
_GONE: Final = 0.2
_WORTH_VACUUM: Final = 1000
_REST_S: Final = 2.0


class EdgeStore:
    """Implements `VectorStore`. One process at a time: the engine locks its files."""

    def __init__(
        self,
        folder: Path,
        indexes: Mapping[str, FieldKind],
        nearly_all: Collection[str] = (),
        rest_s: float = _REST_S,
    ) -> None:
        """
        Args:
            indexes: payload fields that filters ask for; they are indexed when a collection is made.
            nearly_all: those of them whose conditions nearly every point passes.
            rest_s: so long after the last write it is found out what nearly every point passes.

        Raises:
            StoreUnavailable: the folder cannot be used.
        """
        self._folder = folder
        self._indexes = indexes
        self._shards: dict[str, engine.EdgeShard] = {}
        self._changed: dict[str, float] = {}  # name -> when the engine was last made to flush
        self._fresh: Counter[str] = Counter()  # name -> points written since its index was built
        self._builds: dict[str, Build] = {}
        self._nearly_all, self._rest_s = nearly_all, rest_s
        self._usual: dict[str, Usual] = {}
        self._building = asyncio.Lock()
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="vectors")
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="vectors-writer")
        self._using = threading.Condition()
        self._used: Counter[int] = Counter()  # readings of a shard that are under way, by its identity
        try:
            self._registry = Registry(folder)
        except OSError as error:
            raise StoreUnavailable(f"Vectors cannot be kept in {folder}: {error.strerror}.") from error

    # ---- collections ----

    async def ensure(self, name: str, dimensions: int) -> None:
        checked_name(name)
        await self._written(self._ensure, name, dimensions)

    def _ensure(self, name: str, dimensions: int) -> None:
        there = self._registry.dimensions.get(name)
        if there is not None:
            if there != dimensions:
                raise WrongDimensions(f"Vectors of {name} have {there} numbers, not {dimensions}.")
            return
        place = self._registry.place(name)
        shutil.rmtree(place, ignore_errors=True)
        vectors = engine.EdgeVectorParams(size=dimensions, distance=engine.Distance.Cosine)
        made = engine.EdgeConfig(vectors=vectors, hnsw_config=_GRAPH, quantization_config=_BYTES)
        shard = engine.EdgeShard.create(str(place), made)
        for indexed, kind in self._indexes.items():
            shard.update(engine.UpdateOperation.create_field_index(indexed, _KINDS[kind]))
        shard.flush()
        try:
            self._registry.write(dimensions={**self._registry.dimensions, name: dimensions})
        except OSError:  # unlisted it would be gone after the next start
            shard.close()
            raise
        self._shards[name] = shard

    async def collections(self) -> Mapping[str, int]:
        return dict(self._registry.dimensions)

    async def drop(self, name: str) -> None:
        await self._written(self._drop, name)

    def _drop(self, name: str) -> None:
        registry = self._registry
        if name not in registry.dimensions:
            return
        place = registry.place(name)
        registry.write(
            {there: numbers for there, numbers in registry.dimensions.items() if there != name},
            {alias: meant for alias, meant in registry.aliases.items() if meant != name},
            {there: folder for there, folder in registry.places.items() if there != name},
        )
        self._builds.pop(name, None)
        self._fresh.pop(name, None)
        self._usual.pop(name, None)
        with self._using:
            shard = self._shards.pop(name, None)
        if shard is not None:
            self._close_unused(shard)
        shutil.rmtree(place, ignore_errors=True)

    async def set_alias(self, alias: str, name: str) -> None:
        checked_name(alias)
        await self._written(self._set_alias, alias, name)

    def _set_alias(self, alias: str, name: str) -> None:
        if name not in self._registry.dimensions:
            raise NoSuchVectors(f"There are no vectors of {name}.")
        self._registry.write(aliases={**self._registry.aliases, alias: name})

    async def aliases(self) -> Mapping[str, str]:
        return dict(self._registry.aliases)

    # ---- points ----

    async def upsert(self, name: str, points: Sequence[Point]) -> None:
        await self._written(self._upsert, name, points)

    def _upsert(self, name: str, points: Sequence[Point]) -> None:
        dimensions = self._dimensions_of(name)
        ready = [
            engine.Point(point.point_id, checked(point.vector, dimensions).tolist(), dict(point.payload))
            for point in points
        ]
        self._update(name, engine.UpdateOperation.upsert_points(ready), [point.point_id for point in points])

    async def set_payload(self, name: str, payloads: Mapping[int, Payload]) -> None:
        await self._written(self._set_payload, name, payloads)

    def _set_payload(self, name: str, payloads: Mapping[int, Payload]) -> None:
        there = {int(record.id) for record in self._shard(name).retrieve([*possible(payloads)], False, False)}
        for ids, fields in by_payload({key: payloads[key] for key in sorted(there)}):
            self._update(name, engine.UpdateOperation.set_payload(list(ids), dict(fields)), ids)

    async def delete(self, name: str, ids: Sequence[int]) -> None:
        wanted = possible(ids)
        await self._written(lambda: self._update(name, engine.UpdateOperation.delete_points([*wanted]), wanted))

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

        def found(shard: engine.EdgeShard, meant: str) -> list[Hit]:
            if exact:
                return Asking(shard).exact(wanted, limit, filter)
            return Asking(shard).nearest(wanted, limit, filter, ef, self._usual_of(meant))

        return await self._read_from(name, found)

    async def vectors(self, name: str, ids: Sequence[int]) -> dict[int, Vector]:
        wanted: list[engine.PointId] = [*possible(ids)]
        records = await self._read_from(name, lambda shard, _: shard.retrieve(wanted, False, True))
        return {int(record.id): np.asarray(record.vector, np.float32) for record in records}

    async def payloads(self, name: str, ids: Sequence[int], fields: Sequence[str] = ()) -> dict[int, Payload]:
        wanted: list[engine.PointId] = [*possible(ids)]
        records = await self._read_from(name, lambda shard, _: shard.retrieve(wanted, list(fields) or True, False))
        return {int(record.id): record.payload or {} for record in records}

    async def count(self, name: str, filter: Filter = EVERYTHING) -> int:
        return await self._read_from(name, lambda shard, _: Asking(shard).count(filter))

    async def ids(self, name: str, filter: Filter = EVERYTHING, *, after: int = -1, limit: int = 10_000) -> list[int]:
        return await self._read_from(name, lambda shard, _: Asking(shard).ids(filter, limit, after))

    async def optimise(self, name: str) -> None:
        name = self._registry.meant(name)
        async with self._building:
            if not await self._read_from(name, lambda shard, _: self._is_wanting(name, shard)):
                return
            with _translated():
                build = await asyncio.get_running_loop().run_in_executor(self._writer, self._copied, name)
                try:
                    await built(build.place)
                    await asyncio.get_running_loop().run_in_executor(self._writer, self._take_over, build)
                finally:
                    await asyncio.get_running_loop().run_in_executor(self._writer, self._end, build)

    def _is_wanting(self, name: str, shard: engine.EdgeShard) -> bool:
        """Whether there is enough to build, or enough gone."""
        info = shard.info()
        indexed, points = info.indexed_vectors_count, info.points_count
        # A point whose payload is written moves out of the index, as one that is replaced does.
        fresh = max(points - indexed, min(points, self._fresh[name]))
        if fresh * self._registry.dimensions[name] * 4 >= _SCANNED:
            return True
        return indexed >= _WORTH_VACUUM and indexed - points > _GONE * indexed

    def _copied(self, name: str) -> Build:
        build = Build(name, self._folder / "shards" / f"{name}.{uuid4().hex}", self._fresh[name])
        check_room(self._registry.place(name))
        self._shard(name).flush()
        try:
            shutil.copytree(self._registry.place(name), build.place)
        except OSError:
            shutil.rmtree(build.place, ignore_errors=True)
            raise
        self._builds[name] = build
        self._fresh[name] = 0
        return build

    def _take_over(self, build: Build) -> None:
        """Bring over what was written meanwhile, and search the copy from now on."""
        name = build.name
        if self._builds.get(name) is not build:  # dropped meanwhile
            return
        before, old_place = self._shard(name), self._registry.place(name)
        shard = engine.EdgeShard.load(str(build.place))
        try:
            bring_over(before, shard, sorted(build.touched))
            shard.flush()
            self._registry.write(places={**self._registry.places, name: build.place.name})
        except BaseException:
            shard.close()
            raise
        with self._using:
            self._shards[name] = shard
        logger.info("built the index of %s: %s", name, shard.info())
        self._close_unused(before)
        shutil.rmtree(old_place, ignore_errors=True)

    def _end(self, build: Build) -> None:
        if self._builds.get(build.name) is build:
            del self._builds[build.name]
        if self._registry.places.get(build.name) != build.place.name:
            self._fresh[build.name] += build.fresh
            shutil.rmtree(build.place, ignore_errors=True)

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self._close)

    def _close(self) -> None:
        for threads in (self._writer, self._readers):
            threads.shutdown(wait=True)
        for shard in self._shards.values():
            shard.flush()
            shard.close()
        self._shards.clear()

    # ---- the engine ----

    async def _written(self, work: Callable[..., None], *arguments: object) -> None:
        with _translated():
            await asyncio.get_running_loop().run_in_executor(self._writer, work, *arguments)

    async def _read_from(self, name: str, work: Callable[[engine.EdgeShard, str], T]) -> T:
        """
        Args:
            work: given the shard and the collection that it is of, whatever an alias means by then.
        """
        with _translated():
            return await asyncio.get_running_loop().run_in_executor(self._readers, self._read_by, name, work)

    def _read_by(self, name: str, work: Callable[[engine.EdgeShard, str], T]) -> T:
        with self._using:
            name = self._registry.meant(name)
            shard = self._shard(name)
            self._used[id(shard)] += 1
        try:
            return work(shard, name)
        finally:
            with self._using:
                self._used[id(shard)] -= 1
                self._using.notify_all()

    def _close_unused(self, shard: engine.EdgeShard) -> None:
        """When its last reading is over."""
        with self._using:
            self._using.wait_for(lambda: not self._used[id(shard)])
            del self._used[id(shard)]
        shard.close()

    def _update(self, name: str, operation: engine.UpdateOperation, ids: Iterable[int]) -> None:
        shard, name = self._shard(name), self._registry.meant(name)
        touched = set(ids)
        if (build := self._builds.get(name)) is not None:
            build.touched |= touched
        self._fresh[name] += len(touched)
        with self._usual_of(name).writing(touched):
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
        name = self._registry.meant(name)
        with self._using:
            if name not in self._shards:
                try:
                    self._shards[name] = engine.EdgeShard.load(str(self._registry.place(name)))
                except Exception as error:  # the engine raises nothing narrower
                    raise StoreUnavailable(f"The vectors of {name} cannot be opened: {error}.") from error
            return self._shards[name]

    def _usual_of(self, name: str) -> Usual:
        # In one step: whoever writes and whoever reads must have the same.
        return self._usual.setdefault(name, Usual(self._nearly_all, self._rest_s))

    def _dimensions_of(self, name: str) -> int:
        return self._registry.dimensions[self._registry.meant(name)]


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

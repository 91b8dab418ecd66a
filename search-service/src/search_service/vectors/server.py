"""Vectors in a Qdrant server or cluster. Only here is its client's API known."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any as Anything
from typing import Final
from urllib.parse import urlsplit

import httpx
import numpy as np
from qdrant_client import AsyncQdrantClient, models
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from search_service.domain.errors import NoSuchVectors, StoreUnavailable, WrongDimensions
from search_service.domain.filters import EVERYTHING, All, Any, Between, Filter, Has, Ids, Not, Payload, simplified
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

_KINDS: Final = {
    "integer": models.PayloadSchemaType.INTEGER,
    "float": models.PayloadSchemaType.FLOAT,
    "keyword": models.PayloadSchemaType.KEYWORD,
}
_LARGEST: Final = 1.7e308
#: The official image's port; a server that does not listen there is spoken to over HTTP.
GRPC_PORT: Final = 6334
_PROBE_S: Final = 1.0
_TIMEOUT_S: Final = 30


async def connected(url: str, api_key: str, indexes: Mapping[str, FieldKind], prefix: str) -> QdrantStore:
    """A store on the server at `url`, over gRPC where it answers.

    Raises:
        StoreUnavailable: there is no Qdrant.
    """
    parts = urlsplit(url)
    over_grpc = await _accepts(parts.hostname or "", GRPC_PORT)
    with warnings.catch_warnings():
        # A key over plain HTTP: inside one host or a private network that is how it is set up.
        warnings.simplefilter("ignore", UserWarning)
        client = AsyncQdrantClient(
            url=url,
            api_key=api_key or None,
            prefer_grpc=over_grpc,
            grpc_port=GRPC_PORT,
            timeout=_TIMEOUT_S,
            check_compatibility=False,  # it asks over the network while it is made; `collections` asks below
        )
    store = QdrantStore(client, indexes, prefix)
    try:
        await store.collections()
    except BaseException:
        await client.close()
        raise
    return store


async def _accepts(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), _PROBE_S)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


class QdrantStore:
    """Implements `VectorStore`. Its collections carry a prefix, so that a shared server's others are left alone."""

    def __init__(self, client: AsyncQdrantClient, indexes: Mapping[str, FieldKind], prefix: str) -> None:
        self._client = client
        self._indexes = indexes
        self._prefix = prefix
        self._dimensions: dict[str, int] = {}  # of collections and aliases, as last seen

    async def ensure(self, name: str, dimensions: int) -> None:
        there = (await self.collections()).get(checked_name(name))
        if there is None:
            vectors = models.VectorParams(size=dimensions, distance=models.Distance.COSINE)
            async with self._asked():
                await self._client.create_collection(self._prefix + name, vectors_config=vectors)
        elif there != dimensions:
            raise WrongDimensions(f"Vectors of {name} have {there} numbers, not {dimensions}.")
        async with self._asked(name):
            for field, kind in self._indexes.items():  # again where a start was cut short
                await self._client.create_payload_index(self._prefix + name, field, _KINDS[kind], wait=True)

    async def collections(self) -> Mapping[str, int]:
        found = {}
        async with self._asked():
            names = [entry.name for entry in (await self._client.get_collections()).collections]
            for name in names:
                if name.startswith(self._prefix):
                    found[name.removeprefix(self._prefix)] = await self._size(name)
        return found

    async def drop(self, name: str) -> None:
        self._dimensions.clear()
        async with self._asked():
            # The server drops a collection's aliases with it; said first, since not every version does.
            gone: list[models.AliasOperations] = [
                models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=self._prefix + alias))
                for alias, meant in (await self.aliases()).items()
                if meant == name
            ]
            if gone:
                await self._client.update_collection_aliases(change_aliases_operations=gone)
            await self._client.delete_collection(self._prefix + name)

    async def set_alias(self, alias: str, name: str) -> None:
        checked_name(alias)
        self._dimensions.clear()
        steps: list[models.AliasOperations] = []
        if alias in await self.aliases():
            steps.append(models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=self._prefix + alias)))
        made = models.CreateAlias(collection_name=self._prefix + name, alias_name=self._prefix + alias)
        steps.append(models.CreateAliasOperation(create_alias=made))
        async with self._asked(name):
            await self._client.update_collection_aliases(change_aliases_operations=steps)

    async def aliases(self) -> Mapping[str, str]:
        async with self._asked():
            said = (await self._client.get_aliases()).aliases
        mine = [entry for entry in said if entry.alias_name.startswith(self._prefix)]
        strip = self._prefix
        return {entry.alias_name.removeprefix(strip): entry.collection_name.removeprefix(strip) for entry in mine}

    async def upsert(self, name: str, points: Sequence[Point]) -> None:
        dimensions = await self._dimensions_of(name)
        ready = [
            models.PointStruct(
                id=point.point_id, vector=checked(point.vector, dimensions).tolist(), payload=dict(point.payload)
            )
            for point in points
        ]
        if ready:
            async with self._asked(name):
                await self._client.upsert(self._prefix + name, ready, wait=True)

    async def set_payload(self, name: str, payloads: Mapping[int, Payload]) -> None:
        async with self._asked(name):
            records = await self._client.retrieve(self._prefix + name, possible(payloads), with_payload=False)
            for ids, fields in by_payload({int(record.id): payloads[int(record.id)] for record in records}):
                await self._client.set_payload(self._prefix + name, dict(fields), points=list(ids), wait=True)

    async def delete(self, name: str, ids: Sequence[int]) -> None:
        async with self._asked(name):
            await self._client.delete(self._prefix + name, models.PointIdsList(points=possible(ids)), wait=True)

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
        wanted = checked(query, await self._dimensions_of(name))
        async with self._asked(name):
            found = await self._client.query_points(
                self._prefix + name,
                query=wanted.tolist(),
                limit=limit,
                query_filter=_filter(filter),
                search_params=models.SearchParams(hnsw_ef=max(ef, limit), exact=exact),
                with_payload=False,
                with_vectors=False,
            )
        hits = (Hit(int(hit.id), hit.score) for hit in found.points)
        return sorted(hits, key=lambda hit: (-hit.score, hit.point_id))

    async def vectors(self, name: str, ids: Sequence[int]) -> dict[int, Vector]:
        async with self._asked(name):
            records = await self._client.retrieve(
                self._prefix + name, possible(ids), with_payload=False, with_vectors=True
            )
        return {int(record.id): np.asarray(record.vector, np.float32) for record in records}

    async def payloads(self, name: str, ids: Sequence[int], fields: Sequence[str] = ()) -> dict[int, Payload]:
        async with self._asked(name):
            records = await self._client.retrieve(self._prefix + name, possible(ids), with_payload=list(fields) or True)
        return {int(record.id): record.payload or {} for record in records}

    async def count(self, name: str, filter: Filter = EVERYTHING) -> int:
        async with self._asked(name):
            return (await self._client.count(self._prefix + name, _filter(filter), exact=True)).count

    async def ids(self, name: str, filter: Filter = EVERYTHING, *, after: int = -1, limit: int = 10_000) -> list[int]:
        async with self._asked(name):
            records, _ = await self._client.scroll(
                self._prefix + name,
                _filter(filter),
                limit=limit,
                offset=max(after + 1, 0),
                with_payload=False,
                with_vectors=False,
            )
        return [int(record.id) for record in records]

    async def optimise(self, name: str) -> None:
        """The server builds its indexes by itself."""
        await self._dimensions_of(name)

    async def close(self) -> None:
        await self._client.close()

    async def _dimensions_of(self, name: str) -> int:
        if name not in self._dimensions:
            async with self._asked(name):
                self._dimensions[name] = await self._size(self._prefix + name)
        return self._dimensions[name]

    async def _size(self, full_name: str) -> int:
        vectors = (await self._client.get_collection(full_name)).config.params.vectors
        return vectors.size if isinstance(vectors, models.VectorParams) else 0

    @asynccontextmanager
    async def _asked(self, name: str = "") -> AsyncIterator[None]:
        """Every failure of the client as one of ours."""
        with _translated(name):
            yield


@contextmanager
def _translated(name: str) -> Iterator[None]:
    try:
        yield
    except (NoSuchVectors, StoreUnavailable, WrongDimensions):
        raise
    except UnexpectedResponse as error:
        if error.status_code == 404:
            raise NoSuchVectors(f"There are no vectors of {name}.") from error
        raise StoreUnavailable(f"The Qdrant server refuses: {error.status_code} {error.reason_phrase}.") from error
    except (ResponseHandlingException, httpx.HTTPError, OSError) as error:
        raise StoreUnavailable(f"The Qdrant server cannot be reached: {error}.") from error
    except Exception as error:
        status = _grpc_status(error)
        if status is None:
            raise
        if status == "NOT_FOUND":
            raise NoSuchVectors(f"There are no vectors of {name}.") from error
        raise StoreUnavailable(f"The Qdrant server refuses: {status}.") from error


def _grpc_status(error: Exception) -> str | None:
    """The status' name, when it came over gRPC (`grpc.aio.AioRpcError`; named so that HTTP needs no gRPC)."""
    code: Anything = getattr(error, "code", None)
    return getattr(code(), "name", None) if callable(code) else None


def _filter(tree: Filter) -> models.Filter | None:
    plain = simplified(tree)
    return None if plain == EVERYTHING else models.Filter(must=[_condition(plain)])


def _condition(tree: Filter) -> models.Condition:
    """The same tree in the engine's words. "Nothing" is "no id" there: an empty list of conditions would be true."""
    match tree:
        case All(parts):
            return models.Filter(must=[_condition(part) for part in parts])
        case Any(parts):
            return models.Filter(should=[_condition(part) for part in parts]) if parts else _none()
        case Not(part):
            return models.Filter(must_not=[_condition(part)])
        case Has(field, values):
            return models.FieldCondition(key=field, match=models.MatchAny(any=sorted(values)))
        case Between(field, lower, upper):
            # Without a bound any number will do, and nothing that is no number.
            gte = -_LARGEST if lower is None else float(lower)
            lte = None if upper is None else float(upper)
            return models.FieldCondition(key=field, range=models.Range(gte=gte, lte=lte))
        case Ids(ids):
            return models.HasIdCondition(has_id=sorted(key for key in ids if key >= 0))


def _none() -> models.HasIdCondition:
    return models.HasIdCondition(has_id=[])

"""What is asked of one shard of Qdrant Edge."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import qdrant_edge as engine

from search_service.domain.filters import Filter, Ids, both
from search_service.domain.vectors import Hit, Vector
from search_service.vectors.edge_filters import translated
from search_service.vectors.edge_usual import Usual

#: Of what the walk finds anyway, twice as many are compared by their true numbers, where it finds so many.
_OVERSAMPLING: Final = 2.0
#: More than what falls out on average of what a walk finds: they need not lie evenly.
_SPARE: Final = 1.5
_SPARE_AT_LEAST: Final = 8


@dataclass(frozen=True, slots=True)
class Asking:
    """A shard that is read. Every call may raise what the engine raises."""

    shard: engine.EdgeShard

    def count(self, filter: Filter) -> int:
        return self.shard.count(engine.CountRequest(exact=True, filter=translated(filter)))

    def ids(self, filter: Filter, limit: int, after: int = -1) -> list[int]:
        """The first in ascending order."""
        request = engine.ScrollRequest(
            offset=max(after + 1, 0), limit=limit, filter=translated(filter), with_payload=False, with_vector=False
        )
        records, _ = self.shard.scroll(request)
        return [int(record.id) for record in records]

    def exact(self, query: Vector, limit: int, filter: Filter) -> list[Hit]:
        """The nearest of all that pass, best first."""
        quantization = engine.QuantizationSearchParams(ignore=True)
        return self._nearest(query, limit, filter, engine.SearchParams(exact=True, quantization=quantization))

    def nearest(self, query: Vector, limit: int, filter: Filter, ef: int, usual: Usual) -> list[Hit]:
        """What a walk over the graph finds, best first."""
        narrowed = usual.narrowed(filter, self)
        dropped, wanted = narrowed.dropped, limit
        if dropped:
            wanted += max(_SPARE_AT_LEAST, math.ceil(_SPARE * narrowed.share * limit))
        found = self._walked(query, wanted, narrowed.filter, ef)
        if narrowed.is_whole:
            return found
        left = [hit for hit in found if hit.point_id not in dropped]
        if narrowed.written:
            left = sorted([*left, *self.exact(query, limit, both(filter, Ids(narrowed.written)))], key=_best_first)
        left = left[:limit]
        # Where all that is dropped lies nearest, better ones than those written lately may lie behind what was found.
        is_all = len(found) < wanted or (len(left) == limit and _best_first(left[-1]) <= _best_first(found[-1]))
        if not is_all or not usual.still(narrowed):
            return self._walked(query, limit, filter, ef)
        return left

    def _walked(self, query: Vector, limit: int, filter: Filter, ef: int) -> list[Hit]:
        ef = max(ef, limit)
        more = _OVERSAMPLING if limit * _OVERSAMPLING <= ef else None
        quantization = engine.QuantizationSearchParams(rescore=True, oversampling=more)
        return self._nearest(query, limit, filter, engine.SearchParams(hnsw_ef=ef, quantization=quantization))

    def _nearest(self, query: Vector, limit: int, filter: Filter, how: engine.SearchParams) -> list[Hit]:
        request = engine.QueryRequest(
            limit=limit,
            query=engine.Query.Nearest(query.tolist()),
            filter=translated(filter),
            with_payload=False,
            with_vector=False,
            params=how,
        )
        return sorted((Hit(int(hit.id), hit.score) for hit in self.shard.query(request)), key=_best_first)


def _best_first(hit: Hit) -> tuple[float, int]:
    return -hit.score, hit.point_id

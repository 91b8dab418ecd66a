"""The use cases of search over the ports: nearest to words, a picture, an item; feedback; several queries in a row.

Ids in requests and answers are items'; points are their frames. An item's score is that of its best frame.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
from media_common.errors import InvalidArgument

from search_service.domain import feedback, fusion, points, temporal
from search_service.domain.errors import NoSuchVectors, UnknownItem
from search_service.domain.filters import EVERYTHING, Filter, Has, both
from search_service.domain.fusion import Scored
from search_service.domain.vectors import DEFAULT_EF, Hit, Vector, VectorStore

#: Finds of each query among which groups are looked for.
_TEMPORAL_CANDIDATES: Final = 500
#: The object model that is always there: what the encoder says of objects cut out of their pictures.
OBJECTS: Final = "objects"
#: Ids that a store gives at a time.
_PAGE: Final = 10_000
#: Points a place whose items are kept; past that the lot is forgotten.
_MOST_OWNED: Final = 500_000
#: Twice what is wanted, since lots fall unevenly.
_SPARE: Final = 2


#: Asks what the catalogue finds by words: bm25 by item, more is better.
Fits = Callable[[], Awaitable[Mapping[int, float]]]


class Words(Protocol):
    """What turns words into vectors."""

    async def texts(self, batch: Sequence[str]) -> Vector: ...


@dataclass(frozen=True, slots=True)
class Scope:
    """Where to look, and what may come back. Unknown ids in any list are ignored."""

    collection_id: int
    filter: Filter = EVERYTHING
    seen: Sequence[int] = ()  # items that do not come back
    excluded: Sequence[int] = ()  # items that do not come back, nor any of their groups; or groups


@dataclass(frozen=True, slots=True)
class ObjectStart:
    """A detected object that finds shall be like, by what a model says of it."""

    object_id: int
    model: str = OBJECTS


@dataclass(frozen=True, slots=True)
class _Like:
    """Where a search for the like of something starts, and the collections in which vectors can be compared with it."""

    target: Vector
    item_id: int
    places: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Page:
    scored: list[Scored]
    total: int


@dataclass(frozen=True, slots=True)
class Judged:
    """What a person said of items, and perhaps in words."""

    right: Sequence[int] = field(default=())
    wrong: Sequence[int] = field(default=())
    query: str = ""


class Owners:
    """Whose points are, by place: a point is of one item for ever, and to ask the store for those of a thousand finds
    takes much longer than finding them."""

    def __init__(self) -> None:
        self._items: dict[str, dict[int, int]] = {}

    async def of(self, store: VectorStore, place: str, ids: Sequence[int]) -> list[int]:
        """The item of each point."""
        items = self._items.setdefault(place, {})
        if missing := [key for key in ids if key not in items]:
            payloads = await store.payloads(place, missing, (points.ITEM,))
            if len(items) + len(payloads) > _MOST_OWNED:
                items = self._items[place] = {key: items[key] for key in ids if key in items}
            items.update((key, _whole(payload.get(points.ITEM), key)) for key, payload in payloads.items())
        # Deleted between the two questions: the point's own id is as good as any, and hydrating finds nothing.
        return [items.get(key, key) for key in ids]


class Searching:
    def __init__(self, store: VectorStore, words: Words, vectors: str, owners: Owners | None = None) -> None:
        """
        Args:
            vectors: the collection of vectors or the alias that is searched.
            owners: what is known from earlier searches of the same.
        """
        self._store = store
        self._words = words
        self._vectors = vectors
        self._owners = owners or Owners()

    async def nearest(self, scope: Scope, target: Vector, limit: int) -> list[Scored]:
        """The items nearest to a vector, best first: as many as pass, at most `limit`."""
        return await self._nearest(await self._filter(scope), target, limit)

    async def like(self, scope: Scope, start: int | ObjectStart, limit: int) -> list[Scored]:
        """The items nearest to a point's item or to an object, without the item itself.

        Raises:
            UnknownItem: the point has no vector.
            InvalidArgument: the object has none.
        """
        like = await self._start(start)
        narrowed = both(await self._filter(scope), points.without_items([like.item_id]))
        return await self._near(narrowed, like, limit)

    async def paged(
        self,
        scope: Scope,
        text: str,
        start: int | ObjectStart | None,
        *,
        fits: Fits,
        at_least: float,
        offset: int,
        limit: int,
        cap: int,
    ) -> Page:
        """CoreViz' score, a page of it: cosine plus words, likeness to a point or an object, or the mean of both.
        Counted to `cap`.

        Args:
            fits: what the catalogue finds by the text, asked while vectors are compared. It passes the scope's filter,
                whether or not it has a vector.

        Raises:
            UnknownItem: the point has no vector.
            InvalidArgument: the object has none, or neither text nor something to be like is given.
        """
        if start is None and not text:
            raise InvalidArgument("Neither words nor an item to be like are given.")
        if start is None:
            scores = await self._matching(await self._filter(scope), text, _without(fits, scope), cap)
        else:
            like = await self._start(start)
            narrowed = both(await self._filter(scope), points.without_items([like.item_id]))
            scores = {scored.item_id: scored.score for scored in await self._near(narrowed, like, cap)}
            if text:
                others = _without(fits, scope, like.item_id)
                scores = await self._averaged(narrowed, text, others, like, scores, cap)
        return Page(*fusion.page(scores, at_least, offset, limit, cap))

    async def count(self, scope: Scope) -> int:
        """Points that may be found."""
        return await self._store.count(self._vectors, await self._filter(scope))

    async def judged(self, scope: Scope, judged: Judged, limit: int) -> list[Scored]:
        """Relevance feedback: what lies deepest on the right side. What was judged does not come back."""
        filter = await self._filter(scope)
        right, wrong, sample = await asyncio.gather(
            self._marked(scope.collection_id, judged.right),
            self._marked(scope.collection_id, judged.wrong),
            self._sample(scope.collection_id),
        )
        weak: list[Vector] = []
        if judged.query:
            [words] = await self._words.texts([judged.query])
            finds = await self._best(points.within(scope.collection_id), words, feedback.WEAK_POSITIVES)
            found = await self._store.vectors(self._vectors, [hit.point_id for hit in finds.values()])
            weak = list(found.values())
        marks = feedback.Marks(
            self._rows(list(right.values()), sample),
            self._rows(list(wrong.values()), sample),
            self._rows(weak, sample),
            sample,
        )
        if not sample.shape[1]:
            return []
        narrowed = both(filter, points.without_items([*judged.right, *judged.wrong]))
        return await self._nearest(narrowed, feedback.direction(marks), limit)

    async def in_order(self, scope: Scope, texts: Sequence[str], limit: int) -> list[temporal.Match]:
        """Groups in which the texts match one after another, best first; at most `limit`."""
        # Frames come back here, so those that were seen are left out by their own ids, too.
        filter = both(await self._filter(scope), points.without_points(scope.seen))
        targets = await self._words.texts(texts)
        # What is in no group would only take the candidates' places.
        grouped = both(filter, points.in_any_group())
        hits = await asyncio.gather(*(self._hits(grouped, target, _TEMPORAL_CANDIDATES) for target in targets))
        ids = sorted({hit.point_id for found in hits for hit in found})
        payloads = await self._store.payloads(self._vectors, ids, (points.GROUPS,))
        groups = {group for payload in payloads.values() for group in _ids(payload.get(points.GROUPS))}
        members = await self._members(filter, groups)
        scores = [await self._exact_points(target, members) for target in targets]
        matches = []
        for group, listed in members.items():
            if (match := temporal.matched(group, listed, scores)) is not None:
                matches.append(match)
        return temporal.ranked(matches)[:limit]

    # ---- steps ----

    async def _marked(self, collection_id: int, ids: Sequence[int]) -> dict[int, Vector]:
        """Vectors of those of the points that are the collection's: nobody learns of another's by marking its items."""
        payloads = await self._store.payloads(self._vectors, ids, (points.COLLECTION,))
        own = [key for key, payload in payloads.items() if payload.get(points.COLLECTION) == collection_id]
        return await self._store.vectors(self._vectors, own)

    async def _filter(self, scope: Scope) -> Filter:
        groups: set[int] = set()
        if scope.excluded:
            groups.update(scope.excluded)
            excluded = await self._store.payloads(self._vectors, scope.excluded, (points.GROUPS,))
            for payload in excluded.values():
                groups.update(_ids(payload.get(points.GROUPS)))
        return both(
            points.within(scope.collection_id, scope.filter),
            points.without_items([*scope.seen, *scope.excluded]),
            points.without_groups(sorted(groups)),
        )

    async def _hits(self, filter: Filter, target: Vector, limit: int, place: str = "") -> list[Hit]:
        """The nearest points. A graph can miss some that pass a narrow filter: then all of them are looked at."""
        place = place or self._vectors
        hits = await self._store.search(place, target, limit, filter, ef=max(DEFAULT_EF, limit))
        if len(hits) < limit and len(hits) < await self._store.count(place, filter):
            hits = await self._store.search(place, target, limit, filter, exact=True)
        return hits

    async def _near(self, filter: Filter, like: _Like, limit: int) -> list[Scored]:
        """The items that have the most alike, in whichever collection it is."""
        found = await asyncio.gather(*(self._nearest(filter, like.target, limit, place) for place in like.places))
        best: dict[int, float] = {}
        for scored in (one for part in found for one in part):
            best[scored.item_id] = max(best.get(scored.item_id, -1.0), scored.score)
        return fusion.ranked(best)[:limit]

    async def _nearest(self, filter: Filter, target: Vector, limit: int, place: str = "") -> list[Scored]:
        best = await self._best(filter, target, limit, place)
        return [Scored(item_id, hit.score) for item_id, hit in best.items()]

    async def _best(self, filter: Filter, target: Vector, limit: int, place: str = "") -> dict[int, Hit]:
        """The nearest items, best first, and the nearest point of each."""
        best = await self._gathered(filter, target, limit, place)
        ranked = fusion.ranked({item_id: hit.score for item_id, hit in best.items()})[:limit]
        return {scored.item_id: best[scored.item_id] for scored in ranked}

    async def _gathered(self, filter: Filter, target: Vector, limit: int, place: str = "") -> dict[int, Hit]:
        """The nearest items, perhaps some more, and the nearest point of each: more points are asked for until they
        belong to enough items."""
        wanted = limit
        while True:
            hits = await self._hits(filter, target, wanted, place)
            best: dict[int, Hit] = {}
            for hit, item_id in zip(hits, await self._items([hit.point_id for hit in hits], place), strict=True):
                best.setdefault(item_id, hit)
            if len(best) >= limit or len(hits) < wanted:
                return best
            wanted *= 2

    async def _items(self, ids: Sequence[int], place: str = "") -> list[int]:
        return await self._owners.of(self._store, place or self._vectors, ids)

    async def _matching(self, filter: Filter, text: str, fits: Fits, cap: int) -> dict[int, float]:
        """Cosine plus words, of the nearest and of those that the catalogue finds by words."""
        [target] = await self._words.texts([text])
        bm25, near = await asyncio.gather(fits(), self._gathered(filter, target, cap))
        cosines = {item_id: hit.score for item_id, hit in near.items()}
        cosines |= await self._exact(filter, target, bm25.keys() - cosines.keys())
        return fusion.fused(cosines, bm25)

    async def _averaged(
        self, filter: Filter, text: str, fits: Fits, like: _Like, near: dict[int, float], cap: int
    ) -> dict[int, float]:
        """The mean of both scores for candidates of either, none of them guessed."""
        matching = await self._matching(filter, text, fits, cap)
        [words] = await self._words.texts([text])
        missing = matching.keys() - near.keys()
        for place in like.places:
            exact = await self._exact(filter, like.target, missing, place)
            near = near | {key: max(score, near.get(key, 0.0)) for key, score in exact.items()}
        matching |= fusion.fused(await self._exact(filter, words, near.keys() - matching.keys()), {})
        return fusion.averaged(matching, near)

    async def _exact(self, filter: Filter, target: Vector, item_ids: Set[int], place: str = "") -> dict[int, float]:
        """The cosine of the items that pass, each by its best frame (or object, in another place)."""
        if not item_ids:
            return {}
        place = place or self._vectors
        passing = both(filter, Has(points.ITEM, frozenset(item_ids)))
        # Asked of the store: to fetch a thousand vectors takes many times what it takes to compare them.
        wanted = 2 * len(item_ids)
        while len(hits := await self._store.search(place, target, wanted, passing, exact=True)) == wanted:
            wanted *= 4
        items = await self._items([hit.point_id for hit in hits], place)
        scores = {hit.point_id: hit.score for hit in hits}
        return fusion.by_item(scores, dict(zip(scores, items, strict=True)))

    async def _pages(self, place: str, filter: Filter) -> AsyncIterator[list[int]]:
        """All ids that pass."""
        after = -1
        while page := await self._store.ids(place, filter, after=after, limit=_PAGE):
            yield page
            if len(page) < _PAGE:
                return
            after = page[-1]

    async def _members(self, filter: Filter, groups: set[int]) -> dict[int, list[int]]:
        """Points of each group that pass, in order of time."""
        members: dict[int, list[tuple[int, int]]] = {}
        async for ids in self._pages(self._vectors, both(filter, Has(points.GROUPS, frozenset(groups)))):
            payloads = await self._store.payloads(self._vectors, ids, (points.GROUPS, points.ORDER))
            for key, payload in payloads.items():
                for group in groups.intersection(_ids(payload.get(points.GROUPS))):
                    members.setdefault(group, []).append((_whole(payload.get(points.ORDER), 0), key))
        return {group: [key for _, key in sorted(listed)] for group, listed in members.items()}

    async def _exact_points(self, target: Vector, members: Mapping[int, Sequence[int]]) -> dict[int, float]:
        ids = sorted({key for listed in members.values() for key in listed})
        scores: dict[int, float] = {}
        for start in range(0, len(ids), _PAGE):
            vectors = await self._store.vectors(self._vectors, ids[start : start + _PAGE])
            scores |= {key: float(vector @ target) for key, vector in vectors.items()}
        return scores

    async def _sample(self, collection_id: int) -> Vector:
        """A random sample of a collection, the same as long as nothing is added: its lowest lots."""
        whole = points.within(collection_id)
        there = max(1, await self._store.count(self._vectors, whole))
        below = min(points.LOTS, _SPARE * feedback.SAMPLE * points.LOTS // there + 1)
        ids = [key async for page in self._pages(self._vectors, both(whole, points.lots_below(below))) for key in page]
        chosen = sorted(ids, key=lambda key: (points.lot(key), key))[: feedback.SAMPLE]
        vectors = await self._store.vectors(self._vectors, sorted(chosen))
        return np.stack([vectors[key] for key in sorted(vectors)]) if vectors else np.zeros((0, 0), np.float32)

    async def _start(self, start: int | ObjectStart) -> _Like:
        if isinstance(start, int):
            place, key, beside = self._vectors, start, []
        elif start.model == OBJECTS:
            # Whole pictures have vectors of the same encoder: an object may be like one of those too.
            place, key, beside = points.objects_of(self._vectors), start.object_id, [self._vectors]
        else:
            place, key, beside = points.objects_by(start.model), start.object_id, []
        try:
            vectors = await self._store.vectors(place, [key])
            payload = (await self._store.payloads(place, [key], (points.ITEM,))).get(key, {})
        except NoSuchVectors:
            if isinstance(start, int):
                raise
            vectors, payload = {}, {}
        if key in vectors:
            return _Like(vectors[key], _whole(payload.get(points.ITEM), key), (place, *beside))
        if isinstance(start, int):
            raise UnknownItem("This item has no vector yet.")
        raise InvalidArgument(f"This object has no vector of the model '{start.model}'.")

    @staticmethod
    def _rows(vectors: Sequence[Vector], like: Vector) -> Vector:
        return np.stack(vectors) if vectors else np.zeros((0, like.shape[1]), np.float32)


def _without(fits: Fits, scope: Scope, *item_ids: int) -> Fits:
    """The same less these and what the scope leaves out by name."""
    left_out = {*scope.seen, *scope.excluded, *item_ids}

    async def others() -> Mapping[int, float]:
        return {item_id: fit for item_id, fit in (await fits()).items() if item_id not in left_out}

    return others if left_out else fits


def _whole(value: object, otherwise: int) -> int:
    return value if isinstance(value, int) else otherwise


def _ids(value: object) -> list[int]:
    return [one for one in value if isinstance(one, int)] if isinstance(value, list | tuple) else []

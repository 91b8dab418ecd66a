"""A small collection as plain rows, a metadata-service and a search-service that answer from them, and what a filter
means said in the slow and obvious way."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import Any

from exquisitor_world import SLUG, UUID
from fake_fs import Refused
from fake_metadata import FakeMetadata
from fake_search import FakeSearch
from media_common.errors import ErrorCode
from media_proto import metadata_pb2, search_pb2

Value = int | float | str
COLLECTION_ID = 7
BASE = 2**40
TAGTYPES = {1: "text", 2: "int", 3: "dec"}


@dataclass
class Thing:
    """An item. Ids are the collection's own."""

    id: int
    place: float  # a search for words finds the lowest first
    group: int | None = None
    tags: set[int] = field(default_factory=set)
    has_vector: bool = True  # else search does not know it
    is_trashed: bool = False  # which search has not heard of


@dataclass
class Things:
    things: list[Thing]
    tags: dict[int, tuple[int, Value]]  # tagset and value
    group_tags: dict[int, set[int]]

    def carried(self, thing: Thing) -> set[int]:
        return thing.tags | self.group_tags.get(thing.group or 0, set())

    def passes(self, thing: Thing, node: Any) -> bool:
        """By the note's grammar, from JSON."""
        if "children" in node:
            of = all if node["operator"] == "AND" else any
            found = of(self.passes(thing, child) for child in node["children"])
        else:
            found = self._leaf(thing, node["filter"])
        return found != bool(node.get("not_"))

    def _leaf(self, thing: Thing, leaf: Any) -> bool:
        tags = {tag for tag in self.carried(thing) if self.tags[tag][0] == leaf["id"]}
        constraint = leaf["constraint"]
        if "value_ids" in constraint:
            wanted = set(constraint["value_ids"])
            return wanted <= tags if constraint.get("operator") == "AND" else bool(wanted & tags)
        return any(_within(self.tags[tag][1], constraint) for tag in tags)

    def best(self, keep: Any, n: int) -> list[int]:
        """The nearest things that are kept."""
        return [thing.id for thing in sorted(self.things, key=lambda one: (one.place, one.id)) if keep(thing)][:n]

    # --- as services ---
    def serve(self, metadata: FakeMetadata, search: FakeSearch) -> None:
        metadata.answers.update(
            GetCollection=_collection,
            FindTags=self._found_tags,
            FindGroups=self._groups,
            FindUnlisted=self._unlisted,
            ListPassing=self._passing,
        )
        search.answers.update(FindNearest=self._nearest, FindJudged=self._nearest, FindInOrder=self._in_order)

    def _found_tags(self, request: metadata_pb2.FindTagsRequest) -> metadata_pb2.FoundTags:
        assert request.collection == SLUG
        answer = metadata_pb2.FoundTags()
        for choice in request.choices:
            of_set = {tag for tag, (tagset, _) in self.tags.items() if tagset == choice.tagset_id}
            if choice.is_range:
                bounds = {
                    name: _value_of(getattr(choice, kind))
                    for name, kind in (("lower_bound", "lower"), ("upper_bound", "upper"))
                    if choice.HasField(kind)
                }
                of_set = {tag for tag in of_set if _within(self.tags[tag][1], bounds)}
            else:
                of_set &= set(choice.tag_ids)
            answer.by_choice.add(ids=[BASE + tag for tag in sorted(of_set)])
        return answer

    def _groups(self, request: metadata_pb2.FindGroupsRequest) -> metadata_pb2.ItemIds:
        assert request.collection == SLUG
        asked = {*request.relative_ids}
        return metadata_pb2.ItemIds(
            ids=sorted({BASE + thing.group for thing in self.things if thing.id in asked and thing.group})
        )

    def _unlisted(self, request: metadata_pb2.FindUnlistedRequest) -> metadata_pb2.ItemIds:
        assert request.collection == SLUG
        listed = {BASE + thing.id for thing in self.things if not thing.is_trashed}
        return metadata_pb2.ItemIds(ids=set(request.item_ids) - listed)

    def _passing(self, request: metadata_pb2.ListPassingRequest) -> metadata_pb2.PassingItems:
        root = json.loads(request.filters_json)["root"]
        excluded = {*request.excluded}
        gone = {*request.seen, *excluded}
        groups = {thing.group for thing in self.things if thing.id in excluded and thing.group} | excluded
        ids = [
            thing.id
            for thing in self.things
            if thing.id not in gone and thing.group not in groups and (root is None or self.passes(thing, root))
        ]
        page = ids[request.offset : request.offset + request.limit]
        return metadata_pb2.PassingItems(relative_ids=page, total=len(ids))

    def _kept(self, scope: search_pb2.Scope, without: set[int]) -> list[Thing]:
        assert scope.collection_id == COLLECTION_ID
        assert not scope.HasField("filter") or scope.filter.WhichOneof("node"), "it says something"
        excluded = {*scope.excluded}
        gone = {*scope.seen, *excluded, *without}
        known = [thing for thing in self.things if thing.has_vector]
        groups = {thing.group for thing in known if BASE + thing.id in excluded and thing.group}
        groups |= {one - BASE for one in excluded}
        return [
            thing
            for thing in sorted(known, key=lambda one: (one.place, one.id))
            if BASE + thing.id not in gone
            and thing.group not in groups
            and (not scope.HasField("filter") or self._matches(thing, scope.filter))
        ]

    def _matches(self, thing: Thing, filter: search_pb2.Filter) -> bool:
        match filter.WhichOneof("node"):
            case "all":
                found = all(self._matches(thing, part) for part in filter.all.parts)
            case "any":
                found = any(self._matches(thing, part) for part in filter.any.parts)
            case _:
                assert filter.has.field == search_pb2.FIELD_TAG
                found = bool({BASE + tag for tag in self.carried(thing)} & set(filter.has.values))
        return found != filter.negated

    def _nearest(self, request: Any) -> search_pb2.Found:
        judged = {*request.right, *request.wrong} if isinstance(request, search_pb2.FindJudgedRequest) else set()
        kept = self._kept(request.scope, judged)[: request.limit]
        return search_pb2.Found(scored=[search_pb2.Scored(item_id=BASE + one.id, score=-one.place) for one in kept])

    def _in_order(self, request: search_pb2.FindInOrderRequest) -> search_pb2.Matches:
        first: dict[int, Thing] = {}
        for thing in self._kept(request.scope, set()):
            if thing.group:
                first.setdefault(thing.group, thing)
        matches = [
            search_pb2.Match(group_id=BASE + group, score=-thing.place, best_point_id=BASE + thing.id)
            for group, thing in first.items()
        ]
        return search_pb2.Matches(matches=matches[: request.limit])


def made(seed: int = 5, items: int = 300) -> Things:
    chance = random.Random(seed)
    tags: dict[int, tuple[int, Value]] = {}
    for number in range(1, 31):
        tagset = 1 + number % 3
        tags[number] = (tagset, {1: f"label {number:02}", 2: number * 10, 3: number / 4}[tagset])
    groups = {group: set(chance.sample(sorted(tags), 2)) for group in range(1001, 1021)}
    things = [
        Thing(
            number,
            chance.random(),
            chance.choice([None, *groups]),
            set(chance.sample(sorted(tags), chance.randrange(6))),
        )
        for number in range(1, items + 1)
    ]
    return Things(things, tags, groups)


def tree(chance: random.Random, levels: int = 4) -> dict[str, Any]:
    """A random expression."""
    negated = {"not_": chance.random() < 0.3} if chance.random() < 0.6 else {}
    if levels and chance.random() < 0.6:
        children = [tree(chance, levels - 1) for _ in range(chance.randrange(4))]
        group = {"operator": chance.choice(["AND", "OR"]), "children": children, **negated}
        return {"kind": "group", **group} if chance.random() < 0.5 else group
    tagset = chance.randrange(1, 5)
    constraint: dict[str, Any]
    if chance.random() < 0.6:
        constraint = {"value_ids": [chance.randrange(35) for _ in range(chance.randrange(5))]}
        if chance.random() < 0.7:
            constraint["operator"] = chance.choice(["AND", "OR"])
    else:
        bound = {1: lambda: f"label {chance.randrange(35):02}", 2: lambda: chance.randrange(320)}.get(
            tagset, lambda: chance.randrange(32) / 4
        )
        constraint = {name: bound() for name in ("lower_bound", "upper_bound") if chance.random() < 0.7}
    leaf = {"filter": {"id": tagset, "tagtype_id": 1, "constraint": constraint}, **negated}
    return {"kind": "leaf", **leaf} if chance.random() < 0.5 else leaf


def _within(value: Value, bounds: dict[str, Any]) -> bool:
    low, high = bounds.get("lower_bound"), bounds.get("upper_bound")
    if any(bound is not None and isinstance(bound, str) != isinstance(value, str) for bound in (low, high)):
        return False
    return (low is None or value >= low) and (high is None or value <= high)


def _value_of(value: metadata_pb2.Value) -> Value:
    found: Value = getattr(value, value.WhichOneof("value") or "text")
    return found


def _collection(request: metadata_pb2.GetCollectionRequest) -> metadata_pb2.Collection:
    if request.collection != SLUG:
        raise Refused(ErrorCode.COLLECTION_NOT_FOUND, "There is no such collection.")
    return metadata_pb2.Collection(id=COLLECTION_ID, uuid=UUID, slug=SLUG, id_base=BASE)

"""The pages of what passes retrieval filters are what plain rows say."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
from metadata_service.domain.errors import FilterTooLarge
from metadata_service.domain.filters import Branch, Expression, Range, Values, parsed
from metadata_service.domain.groups import GroupKind
from metadata_service.domain.media import Collection, Imported, Kind, Marks
from metadata_service.domain.tags import TagType
from metadata_service.store import collections, frames, media, passing, tagging
from metadata_service.store.groups import add_group
from metadata_service.store.sqlite import Database
from metadata_service.store.transaction import Transaction

TAGSETS = {1: range(10, 20), 2: range(20, 30)}
GROUPS = range(500, 510)
ITEMS = range(1001, 1201)
TRASHED = range(1010, 1015)


@dataclass
class Row:
    group: int | None
    tags: set[int] = field(default_factory=set)


@pytest.fixture
def rows() -> dict[int, Row]:
    chance = random.Random(3)
    tags = [tag for of_set in TAGSETS.values() for tag in of_set]
    return {
        number: Row(chance.choice([None, *GROUPS]), set(chance.sample(tags, chance.randrange(4)))) for number in ITEMS
    }


GROUP_TAGS = {group: 10 + group % 20 for group in GROUPS}


@pytest.fixture
def theirs(database: Database, rows: dict[int, Row]) -> Collection:
    database.write(collections.create, "Another")
    collection = database.write(collections.create, "Theirs", imported=True)

    def fill(txn: Transaction) -> None:
        base = collection.id_base
        for tagset_id, tags in TAGSETS.items():
            tagging.add_tagset(txn, collection, base + tagset_id, f"set {tagset_id}", TagType.NUMERICAL_INT)
            for tag in tags:
                tagging.add_tag(txn, base + tag, base + tagset_id, tag * 10)
        for group in GROUPS:
            made = add_group(txn, collection, GroupKind.IMPORTED, [], relative_id=group, uri=f"{group}")
            tagging.attach_group(txn, collection, made, base + GROUP_TAGS[group])
        for number, row in rows.items():
            given = Imported(number, f"{number}.jpg", Kind.IMAGE, None, row.group, tuple(sorted(row.tags)))
            media.add_imported(txn, collection, given)
        for number in TRASHED:
            media.set_marks(txn, base + number, Marks.TRASHED)

    database.write(fill)
    return collection


def holds(row: Row, node: Expression) -> bool:
    carried = row.tags | ({GROUP_TAGS[row.group]} if row.group else set())
    match node:
        case Branch(every, children, negated):
            found = [holds(row, child) for child in children]
            return (all(found) if every else any(found)) is not negated
        case Values(tagset_id, tag_ids, every, negated):
            of_set = carried & set(TAGSETS.get(tagset_id, ()))
            return (set(tag_ids) <= of_set if every else bool(of_set & set(tag_ids))) is not negated
        case Range(tagset_id, lower, upper, negated):
            assert isinstance(lower, int)
            assert isinstance(upper, int)
            values = [10 * tag for tag in carried & set(TAGSETS.get(tagset_id, ()))]
            return any(lower <= value <= upper for value in values) is not negated


def tree(chance: random.Random, levels: int = 3) -> Expression:
    negated = chance.random() < 0.3
    if levels and chance.random() < 0.6:
        children = tuple(tree(chance, levels - 1) for _ in range(chance.randrange(4)))
        return Branch(chance.random() < 0.5, children, negated)
    if chance.random() < 0.3:
        return Range(chance.choice([1, 2, 3]), chance.randrange(300), chance.randrange(300), negated)
    tags = tuple(chance.randrange(8, 32) for _ in range(chance.randrange(4)))
    return Values(chance.choice([1, 2, 3]), tags, chance.random() < 0.5, negated)


def test_every_page_is_what_the_rows_say(database: Database, theirs: Collection, rows: dict[int, Row]) -> None:
    chance = random.Random(8)
    for _ in range(200):
        filters = chance.choice([None, tree(chance), tree(chance)])
        seen = chance.sample([*range(-5, 5), *ITEMS], chance.randrange(40))
        excluded = chance.sample([*range(-5, 5), *ITEMS, *GROUPS], chance.randrange(4))
        gone = {rows[one].group for one in excluded if one in rows and rows[one].group} | set(excluded)
        wanted = [
            number
            for number, row in rows.items()
            if number not in {*seen, *excluded, *TRASHED}
            and row.group not in gone
            and (filters is None or holds(row, filters))
        ]
        offset, limit = chance.randrange(30), chance.randrange(1, 50)
        found = database.read(passing.page, theirs, filters, seen, excluded, offset, limit)

        assert (found.ids, found.total) == (wanted[offset : offset + limit], len(wanted))


def test_the_groups_of_items_are_theirs_whether_they_have_vectors_or_not(
    database: Database, theirs: Collection, rows: dict[int, Row]
) -> None:
    chance = random.Random(4)
    for _ in range(20):
        some = chance.sample([*range(-5, 5), *ITEMS, *GROUPS], chance.randrange(9))
        found = database.read(passing.groups, theirs, [*some, 2**63 - 1])

        assert sorted(found) == sorted(
            {theirs.id_base + group for one in some if one in rows and (group := rows[one].group)}
        )


def test_what_is_trashed_or_not_there_is_unlisted_and_a_frame_is_as_its_media_is(
    database: Database, theirs: Collection
) -> None:
    base = theirs.id_base

    def framed(txn: Transaction) -> dict[int, list[int]]:
        given = [frames.FrameGiven(at, None, None) for at in (0.0, 1.0, 2.0)]
        return {one: frames.set_frames(txn, base + one, given, True) for one in (TRASHED[0], ITEMS[0])}

    gone, there = database.write(framed).values()
    of_gone = [base + TRASHED[0], *gone[1:]]
    asked = [base + one for one in (*ITEMS, GROUPS[0], 2**33)] + [*gone, *there, 1, -1, 2**63 - 1, -(2**63)]

    found = database.read(passing.unlisted, theirs, asked)

    assert found == {
        *(base + one for one in TRASHED),
        *gone,
        base + GROUPS[0],
        base + 2**33,
        1,
        -1,
        2**63 - 1,
        -(2**63),
    }
    assert database.read(passing.unlisted, theirs, gone[1:]) == set(of_gone)
    assert database.read(passing.unlisted, theirs, there) == database.read(passing.unlisted, theirs, []) == set()


def test_numbers_that_are_no_items_are_passed_over(database: Database, theirs: Collection) -> None:
    odd = [0, -1, 2**32, 2**40, 2**63 - 1, -(2**63)]
    found = database.read(passing.page, theirs, None, odd, odd, 0, 1000)

    assert found.total == len(ITEMS) - len(TRASHED)
    assert database.read(passing.page, theirs, None, [], [], 2**63 - 1, 10).ids == []


# --- the grammar ---
def leaf(ids: list[int]) -> dict[str, object]:
    return {"filter": {"id": 1, "constraint": {"value_ids": ids}}}


def nested(levels: int) -> dict[str, object]:
    node = leaf([1])
    for _ in range(levels):
        node = {"operator": "AND", "children": [node]}
    return node


def test_a_filter_may_have_so_many_levels_ids_ranges_and_expressions_and_no_more() -> None:
    def group(*children: dict[str, object]) -> dict[str, object]:
        return {"root": {"operator": "OR", "children": [*children]}}

    half = list(range(5000))
    ranges: list[dict[str, object]] = [
        {"filter": {"id": 1, "constraint": {"lower_bound": number}}} for number in range(101)
    ]
    for fits in ({"root": nested(31)}, group(leaf(half), leaf(half)), group(*[leaf([1])] * 10_000), group(*ranges[1:])):
        assert parsed(fits) is not None
    for large in (
        {"root": nested(32)},
        group(leaf(half), leaf([*half, 1])),
        group(*[leaf([])] * 20_000),
        group(*ranges),
    ):
        with pytest.raises(FilterTooLarge):
            parsed(large)


def test_a_bound_beyond_64_bits_is_beyond_every_value(database: Database, theirs: Collection) -> None:
    def found(**bounds: int) -> int:
        filters = parsed({"root": {"filter": {"id": 1, "constraint": bounds}}})
        return database.read(passing.page, theirs, filters, [], [], 0, 1).total

    everything = found()
    assert everything > 0
    assert found(upper_bound=10**400) == found(lower_bound=-(10**400)) == everything
    assert found(lower_bound=10**400) == found(upper_bound=-(10**30)) == 0

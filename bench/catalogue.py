"""The catalogue at a million items, asked at the store itself."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Final

from metadata_service.domain.filters import ListQuery, Sort
from metadata_service.domain.media import FILES, Kind
from metadata_service.store import collections, details, listing, retrieval
from metadata_service.store.snapshot import Snapshot

from bench.library import Library, make
from bench.table import Row, at_most, median_s, only_said

#: Rows of a page, as the page asks for them.
_PAGE: Final = 20
_TIMES: Final = 7
ITEMS: Final = int(os.environ.get("BENCH_CATALOGUE_ITEMS", "1000000"))


def measure(work: Path) -> list[Row]:
    began = perf_counter()
    library = make(work / "catalogue.db", ITEMS)
    made_s = perf_counter() - began
    try:
        rows = [only_said("files into the catalogue", ITEMS / made_s, "files/s", "", None, f"{ITEMS:,} files")]
        rows += _pages(library)
        rows.append(_tag_filters(library))
        rows += _retrieval(library)
        rows.append(_move(library))
        rows.append(_after_a_change(library))
    finally:
        library.database.close()
    return rows


def _shown(snapshot: Snapshot, query: ListQuery) -> int:
    """A page with everything that is printed of it."""
    page = listing.page(snapshot, query)
    assert len(details.media(snapshot, page.ids)) == len(page.ids)
    return page.total


def _queries(library: Library) -> Iterator[tuple[str, ListQuery]]:
    """Every scope with every kind, order and direction; every filter with every order."""
    base = ListQuery(library.collection.id, _PAGE)
    scopes = {
        "root": replace(base, recursive=False),
        "all": replace(base, recursive=True),
        "flat folder": replace(base, folder_id=library.flat_folder),
        "folder and below": replace(base, folder_id=library.middle_folder, recursive=True),
    }
    kinds: dict[str, frozenset[Kind] | None] = {
        "": None,
        "image": frozenset({Kind.IMAGE}),
        "document": frozenset({Kind.DOCUMENT}),
        "folder": frozenset({Kind.FOLDER}),
    }
    created = details_created(library)
    filters = {
        "": {},
        "tags": {"tags": ("red", "winter")},
        "tagFilters": {"tag_filters": (("color", ("red", "blue")), ("season", ("winter",)))},
        "sparse tagFilters": {"tag_filters": (("Year", ("2010",)), ("Month", ("3",)), ("Hour", ("4",)))},
        "dates": {"created_from_us": created[0], "created_before_us": created[1]},
    }
    for (scope, query), (kind, wanted), sort, descending in itertools.product(
        scopes.items(), kinds.items(), Sort, (True, False)
    ):
        yield f"{scope} {kind} by {sort.name.lower()}", replace(query, kinds=wanted, sort=sort, descending=descending)
    for (scope, query), (name, given), sort in itertools.product(scopes.items(), filters.items(), Sort):
        yield f"{scope} with {name} by {sort.name.lower()}", replace(query, sort=sort, **given)  # type: ignore[arg-type]


def details_created(library: Library) -> tuple[int, int]:
    """The middle half of the time in which the library was made."""
    low, high = library.database.read(
        lambda s: s.connection.execute(
            "SELECT min(created_us), max(created_us) FROM node WHERE collection_id = ?", (library.collection.id,)
        ).fetchone()
    )
    return low + (high - low) // 4, low + 3 * (high - low) // 4


def _pages(library: Library) -> list[Row]:
    first: list[tuple[float, str]] = []
    deep: list[tuple[float, str]] = []
    for name, query in _queries(library):
        total = library.database.read(_shown, query)  # the arrays of the orders are read here, once
        first.append((1000 * _median(library, partial(_shown, query=query)), name))
        far = replace(query, offset=total * 8 // 10)
        deep.append((1000 * _median(library, partial(_shown, query=far)), name))
    wickson = partial(_newest, library=library)
    first.append((1000 * _median(library, partial(wickson, offset=0)), "newest of two collections"))
    deep.append((1000 * _median(library, partial(wickson, offset=ITEMS * 8 // 10)), "newest of two collections"))
    rows = []
    for what, limit, found in (("first page", 5, first), ("page at 80 %", 100, deep)):
        (slowest, name), (middle, _) = max(found), sorted(found)[len(found) // 2]
        rows.append(at_most(f"slowest {what}", slowest, "ms", limit, "median", middle, f"{len(found)} lists; {name}"))
    ours = 1000 * _median(library, partial(_shown, query=_by_name(library)))
    plain = 1000 * _median(library, partial(_plain, query=_by_name(library)))
    rows.append(only_said("all by name, with its total", ours, "ms", "ORDER BY, LIMIT and count(*)", plain))
    return rows


def _by_name(library: Library) -> ListQuery:
    return ListQuery(library.collection.id, _PAGE, recursive=True, sort=Sort.NAME)


def _plain(snapshot: Snapshot, query: ListQuery) -> None:
    """The page as SQLite finds it, by the index of that order."""
    scope = "FROM node WHERE collection_id = ? AND listed"
    found = snapshot.connection.execute(
        f"SELECT id {scope} ORDER BY name_key DESC, id DESC LIMIT ?",
        (query.collection_id, query.limit),
    )
    details.media(snapshot, [row[0] for row in found])
    snapshot.connection.execute(f"SELECT count(*) {scope}", (query.collection_id,)).fetchone()


def _newest(snapshot: Snapshot, library: Library, offset: int) -> None:
    page = listing.newest(snapshot, [library.collection, library.other], FILES, offset, _PAGE)
    details.media(snapshot, page.ids)


def _median(library: Library, work: Callable[[Snapshot], object]) -> float:
    return median_s(lambda: library.database.read(work), _TIMES)


def _tag_filters(library: Library) -> Row:
    filters = (("color", ("red", "blue", "green")), ("season", ("winter", "summer")))
    query = ListQuery(library.collection.id, _PAGE, recursive=True, sort=Sort.NAME, tag_filters=filters)
    total = library.database.read(_shown, query)
    figure = 1000 * _median(library, partial(_shown, query=query))
    return at_most("tagFilters of two dense groups", figure, "ms", 20, "", None, f"{total:,} match")


def _retrieval(library: Library) -> list[Row]:
    """Other items each time: what was read lately is kept."""
    chance = random.Random(2)
    sets = [found.id for found in library.database.read(retrieval.tagsets, library.collection)[:3]]

    def some(count: int) -> list[int]:
        return [chance.randrange(1, ITEMS) for _ in range(count)]

    def base(snapshot: Snapshot) -> None:
        retrieval.base(snapshot, library.collection, some(100))

    def detailed(snapshot: Snapshot) -> None:
        items = retrieval.base(snapshot, library.collection, some(100))
        retrieval.tags(snapshot, library.collection, [item.media_id for item in items], sets)

    def related(snapshot: Snapshot) -> None:
        retrieval.related(snapshot, library.collection, some(10))

    return [
        only_said("base of 100 ids", 1000 * _median(library, base), "ms", "", None),
        only_said("details of 100 ids", 1000 * _median(library, detailed), "ms", "", None),
        only_said("related of 10 ids", 1000 * _median(library, related), "ms", "", None),
    ]


def _move(library: Library) -> Row:
    target = library.database.write(collections.ensure_folder, library.collection, b"archive/old")
    parents = itertools.cycle((target, library.collection.root_folder_id))

    def move() -> None:
        library.database.write(collections.relocate, library.moved_folder, next(parents))

    files = library.database.read(
        lambda s: s.connection.execute(
            "SELECT items_below FROM folder WHERE id = ?", (library.moved_folder,)
        ).fetchone()
    )[0]
    return at_most("moving a folder", 1000 * median_s(move, 5), "ms", 50, "", None, f"{files:,} listed files in it")


def _after_a_change(library: Library) -> Row:
    """A filtered page by name just after a folder was renamed: the array of the order is put right first."""
    filters = (("color", ("red", "blue", "green")),)
    query = ListQuery(library.collection.id, _PAGE, recursive=True, sort=Sort.NAME, tag_filters=filters)
    names = itertools.cycle((b"moved", b"moved too"))

    def renamed_and_shown() -> None:
        library.database.write(
            collections.relocate, library.moved_folder, library.collection.root_folder_id, next(names)
        )
        library.database.read(_shown, query)

    renamed_and_shown()
    return only_said(
        "renaming a folder, then a filtered page by name", 1000 * median_s(renamed_and_shown, 5), "ms", "", None
    )

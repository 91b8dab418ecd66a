"""A catalogue of any size, made straight in the store, always the same."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from metadata_service.domain.groups import GroupKind
from metadata_service.domain.media import Collection, Facts, FileSeen, Kind, Marks
from metadata_service.domain.tags import TagType
from metadata_service.store import collections, media, tagging
from metadata_service.store.groups import add_group
from metadata_service.store.sqlite import Database
from metadata_service.store.transaction import Transaction

#: Files that are added in one transaction, as an indexer does.
BATCH: Final = 5000
#: Folders that hold the files of the one that is moved.
MOVED_FOLDERS: Final = 200

_CAMERAS: Final = ("NIKON D90", "Canon EOS R5", "SONY ILCE-7M3", "Apple iPhone 12", "FUJIFILM X-T3", None)
_COLORS: Final = ("red", "blue", "green", "black")
_SEASONS: Final = ("spring", "summer", "autumn", "winter")
_WORDS: Final = ("harbour", "mountain", "street", "portrait", "market", "garden", "night", "river")
_START: Final = datetime(2005, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Library:
    """What was made, and the places that are asked for."""

    database: Database
    collection: Collection
    other: Collection
    flat_folder: int  # a tenth of all files, directly in it
    middle_folder: int  # a hundredth, in folders of its own
    moved_folder: int  # 40,000 files, or a tenth where that is less
    groups: list[int]


def make(file: Path, items: int, in_place: bool = True) -> Library:
    """A library of so many files in one collection, and a small second one.

    Args:
        in_place: both are of review paths, which a running product would look for and hide.
    """
    database = Database(file)
    roots = (b"/library", b"/other") if in_place else (None, None)
    collection = database.write(collections.create, "Library", slug="library", root_path=roots[0])
    other = database.write(collections.create, "Other", slug="other", root_path=roots[1])
    chance = random.Random(1)
    groups: list[int] = []
    batch: list[FileSeen] = []
    for seen in _files(items, chance):
        batch.append(seen)
        if len(batch) == BATCH:
            groups += database.write(_add, collection, batch, chance)
            batch = []
    groups += database.write(_add, collection, batch, chance)
    database.write(_add, other, list(_files(min(items, 2000), chance)), chance)
    places = {
        name: database.write(collections.ensure_folder, collection, name.encode())
        for name in ("flat", "middle", "moved")
    }
    return Library(database, collection, other, places["flat"], places["middle"], places["moved"], groups)


def _files(items: int, chance: random.Random) -> Iterator[FileSeen]:
    moved = min(40_000, items // 10)
    for number in range(items):
        taken = _START + timedelta(seconds=number * 600_000_000 // items, milliseconds=chance.randrange(3000))
        if number % 10 == 3:
            folder = "flat"
        elif number % 100 == 7:
            folder = f"middle/{number // 100 % 40:02}"
        elif number % (items // moved) == 5 and number // (items // moved) < moved:
            folder = f"moved/{number // (items // moved) % MOVED_FOLDERS:03}"
        else:
            folder = f"{taken.year}/{taken.month:02}/{taken.day:02}"
        kind = chance.choices((Kind.IMAGE, Kind.VIDEO, Kind.DOCUMENT), (92, 7, 1))[0]
        marks = chance.choices((Marks.NONE, Marks.SEEN, Marks.SEEN | Marks.LOCKED, Marks.TRASHED), (60, 33, 4, 3))[0]
        facts = Facts(
            size_bytes=chance.randrange(10_000, 9_000_000),
            modified_us=int(taken.timestamp() * 1e6),
            width_px=4000,
            height_px=3000,
            taken_us=int(taken.timestamp() * 1e6),
            camera=chance.choice(_CAMERAS),
        )
        name = f"{chance.choice(_WORDS)} {chance.randrange(10**6):06}-{number}.jpg"
        yield FileSeen(f"{folder}/{name}".encode(), kind, marks, facts, number + 1)


def _add(txn: Transaction, collection: Collection, batch: list[FileSeen], chance: random.Random) -> list[int]:
    sets = {name: tagging.tagset(txn, collection, name, TagType.ALPHANUMERICAL)[0] for name in ("color", "season")}
    groups, burst = [], []
    for number, seen in enumerate(batch):
        node_id, _ = media.upsert_file(txn, collection, seen)
        for name, values in (("color", _COLORS), ("season", _SEASONS)):
            if chance.random() < 0.8:
                tag_id = tagging.tag(txn, collection, sets[name], chance.choice(values))
                tagging.attach(txn, collection, node_id, tag_id)
        if number % 5 == 0:
            media.edit(txn, node_id, None, {"description": f"{chance.choice(_WORDS)} at {chance.choice(_WORDS)}"})
        if number % 50 == 1:
            media.edit(txn, node_id, None, {"prompt": f"a {chance.choice(_WORDS)}"})
        if number % 100 < 5:
            burst.append(node_id)
        elif burst:
            groups.append(add_group(txn, collection, GroupKind.BURST, burst))
            burst = []
    return groups

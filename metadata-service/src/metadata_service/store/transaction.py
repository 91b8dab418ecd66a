"""One writing transaction: the connection, the sets and counters it changes, new ids and the time.

The modules beside this one are functions of a `Transaction` (writing) or of a `Snapshot` (reading).
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from typing import Any
from uuid import UUID

from pyroaring import BitMap

from metadata_service.domain.errors import CollectionNotFound, IdOutOfRange
from metadata_service.domain.ids import POSITIONS
from metadata_service.domain.media import COUNTED, Collection, Kind, Marks, Source
from metadata_service.store.bits import Changes, Family, listed_family
from metadata_service.store.orders import Orders
from metadata_service.store.paths import ids_of
from metadata_service.store.words import write_words

_COLLECTION = (
    "SELECT id, uuid, slug, name, icon, id_base, root_folder_id, root_path, originals_url, thumbnails_url, created_us "
    "FROM collection "
)


class Transaction:
    """What a write works with; `finish` before the commit."""

    def __init__(self, connection: sqlite3.Connection, orders: Orders, now_us: int) -> None:
        self.connection = connection
        self.bits = Changes()
        self._orders = orders
        self._now_us = now_us
        self._sequences: dict[str, int] = {}
        self._collections: dict[int, Collection] = {}
        self._paths: dict[int, bytes] = {}
        self._reordered: dict[int, BitMap] = {}
        self._items_below: Counter[int] = Counter()
        #: Folders in which something came, went or changed.
        self._looked_into: set[int] = set()
        self._tag_uses: Counter[int] = Counter()
        self._reworded: set[int] = set()
        #: What this transaction has looked up or made, by a name and its key: tagsets, tags, folders of paths.
        self.known: dict[tuple[Any, ...], int] = {}
        #: Shots that came, went or changed, by collection, folder, camera, time and id: `bursts.settle` looks at those
        #: round them.
        self.shots: set[tuple[int, int, str, int, int]] = set()

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        return self.connection.execute(statement, values)

    def one(self, statement: str, *values: Any) -> Any:
        """The first column of the first row; None without a row."""
        row = self.connection.execute(statement, values).fetchone()
        return None if row is None else row[0]

    def tick(self) -> int:
        """The time, in microseconds; never the same twice and never earlier than before, whatever the clock does."""
        now = max(self._now_us, self._next("clock", 0) + 1)
        self._sequences["clock"] = now
        return now

    def next_id(self, collection: Collection) -> int:
        """A new id for an item, group or frame: of the one sequence, or of an imported collection's own."""
        name = "item" if collection.id_base == 0 else f"item:{collection.id}"
        value = self._next(name, 0) + 1
        if value >= POSITIONS:
            raise IdOutOfRange("The sequence of item ids has come to its end.")
        self._sequences[name] = value
        return collection.id_base + value

    def reserve(self, collection: Collection, last: int) -> None:
        """Begin an imported collection's sequence after `last`, so that its own numbers stay free."""
        name = f"item:{collection.id}"
        self._sequences[name] = max(self._next(name, 0), last)

    def next_of(self, sequence: str, step: int = 1) -> int:
        value = self._next(sequence, 0) + step
        self._sequences[sequence] = value
        return value

    def _next(self, name: str, default: int) -> int:
        if name not in self._sequences:
            value = self.one("SELECT value FROM sequence WHERE name = ?", name)
            self._sequences[name] = default if value is None else value
        return self._sequences[name]

    def collection(self, collection_id: int) -> Collection:
        if collection_id not in self._collections:
            self._collections[collection_id] = collection_of(self.connection, collection_id)
        return self._collections[collection_id]

    def forget_collection(self, collection_id: int) -> None:
        """Its row has changed."""
        self._collections.pop(collection_id, None)

    def path(self, folder_id: int) -> bytes:
        if folder_id not in self._paths:
            self._paths[folder_id] = bytes(self.one("SELECT path FROM folder WHERE id = ?", folder_id))
        return self._paths[folder_id]

    def forget_paths(self) -> None:
        """Folders have moved."""
        self._paths.clear()
        self.known.clear()

    def place(self, collection: Collection, node_id: int, parent_id: int, added: bool) -> None:
        """Put a node into the sets of the folders above it, or take it out."""
        position = node_id - collection.id_base
        self.bits.put(Family.CHILDREN, parent_id, position, added)
        above = ids_of(self.path(parent_id))
        self._looked_into.update(above)
        for folder_id in above:
            self.bits.put(Family.BELOW, folder_id, position, added)

    def relist(
        self, collection: Collection, node_id: int, kind: Kind, parent_id: int, old: Marks | None, new: Marks | None
    ) -> None:
        """Follow a change of marks in the sets and the counters; None: the node is not there."""
        position = node_id - collection.id_base
        was, shall = old is not None and old.listed, new is not None and new.listed
        if was != shall:
            self.bits.put(listed_family(kind), collection.id, position, shall)
            self.reordered(collection, node_id)
            self._looked_into.update(ids_of(self.path(parent_id)))
            if kind in COUNTED:
                self.count_above(ids_of(self.path(parent_id)), 1 if shall else -1)
        if kind is not Kind.FOLDER:
            if was != shall and old is not None:
                self.to_tell(collection, node_id)
            was, shall = old is not None and old.present, new is not None and new.present
            if was != shall:
                self.bits.put(Family.PRESENT, collection.id, position, shall)
                if old is not None:
                    self._reappeared(collection, node_id, kind, shall)

    def _reappeared(self, collection: Collection, node_id: int, kind: Kind, present: bool) -> None:
        """Search forgets what is not there; what comes back is new to it."""
        self.to_tell(collection, node_id)
        if present:
            self.to_embed(collection, node_id, kind)
        else:
            self.bits.remove(Family.EMBEDDED, collection.id, node_id - collection.id_base)

    def to_embed(self, collection: Collection, node_id: int, kind: Kind) -> None:
        """The item's pixels may be others than search has seen."""
        if kind in COUNTED:
            self.bits.add(Family.TO_EMBED, collection.id, node_id - collection.id_base)

    def to_tell(self, collection: Collection, node_id: int) -> None:
        """What search filters the item by is something else now."""
        self.bits.add(Family.TO_TELL, collection.id, node_id - collection.id_base)

    def count_above(self, folder_ids: list[int], step: int) -> None:
        """So many more listed images and videos are below each of the folders."""
        for folder_id in folder_ids:
            self._items_below[folder_id] += step

    def below(self, folder_id: int) -> int:
        """What `count_above` has made of a folder's counter up to now."""
        return int(self.one("SELECT items_below FROM folder WHERE id = ?", folder_id)) + self._items_below[folder_id]

    def reworded(self, node_id: int) -> None:
        """What a text search finds the item by has changed."""
        self._reworded.add(node_id)

    def reordered(self, collection: Collection, node_id: int) -> None:
        """A node's place in an order by text may be another, or none."""
        self._reordered.setdefault(collection.id, BitMap()).add(node_id - collection.id_base)

    def used(self, tag_id: int, step: int) -> None:
        self._tag_uses[tag_id] += step

    def finish(self) -> None:
        """Write what was gathered. After it, only the commit."""
        self._show_folders()
        self.bits.write(self.connection)
        self.connection.executemany(
            "UPDATE folder SET items_below = items_below + ? WHERE id = ?",
            [(step, folder_id) for folder_id, step in self._items_below.items() if step],
        )
        self.connection.executemany(
            "UPDATE tag SET uses = uses + ? WHERE id = ?",
            [(step, tag_id) for tag_id, step in self._tag_uses.items() if step],
        )
        write_words(self.connection, sorted(self._reworded))
        self.connection.executemany(
            "INSERT INTO sequence VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            list(self._sequences.items()),
        )
        for collection_id, positions in self._reordered.items():
            self.execute("UPDATE collection SET version = version + 1 WHERE id = ?", collection_id)
            version = self.one("SELECT version FROM collection WHERE id = ?", collection_id)
            self._orders.changed(collection_id, version, positions)

    def _show_folders(self) -> None:
        """A folder on a disk is as trashed as what is in it: it is listed while something listed is below it."""
        for folder_id in sorted(self._looked_into | self._items_below.keys()):
            collection_id, parent_id, marks, source, items_below = self.execute(
                "SELECT node.collection_id, parent_id, marks, source, items_below "
                "FROM node JOIN folder ON folder.id = node.id WHERE node.id = ?",
                folder_id,
            ).fetchone()
            if parent_id is None or source != Source.IN_PLACE:
                continue
            collection, old = self.collection(collection_id), Marks(marks)
            is_shown = items_below + self._items_below[folder_id] > 0 or self._holds_others(collection, folder_id)
            new = old & ~Marks.TRASHED if is_shown else old | Marks.TRASHED
            if new != old:
                self.execute("UPDATE node SET marks = ?, listed = ? WHERE id = ?", int(new), int(new.listed), folder_id)
                self.relist(collection, folder_id, Kind.FOLDER, parent_id, old, new)

    def _holds_others(self, collection: Collection, folder_id: int) -> bool:
        """Whether something listed that no counter counts is below: a document, a folder that somebody made here."""
        below = self.bits.load(self.connection, Family.BELOW, folder_id)
        for kind in set(Kind) - COUNTED:
            listed = below & self.bits.load(self.connection, listed_family(kind), collection.id)
            if kind is not Kind.FOLDER:
                if listed:
                    return True
                continue
            for position in listed:
                if self.one("SELECT source FROM node WHERE id = ?", collection.id_base + position) != Source.IN_PLACE:
                    return True
        return False


def collection_of(connection: sqlite3.Connection, collection_id: int) -> Collection:
    """
    Raises:
        CollectionNotFound: there is none with this number.
    """
    return _collection(connection.execute(_COLLECTION + "WHERE id = ?", (collection_id,)).fetchone())


def collection_by(connection: sqlite3.Connection, column: str, value: object) -> Collection:
    """The collection by `uuid`, `slug` or `root_path`.

    Raises:
        CollectionNotFound: there is none, or it is still being imported.
    """
    return _collection(connection.execute(f"{_COLLECTION} WHERE {column} = ? AND complete", (value,)).fetchone())


def all_collections(connection: sqlite3.Connection) -> list[Collection]:
    return [_collection(row) for row in connection.execute(_COLLECTION + "WHERE complete ORDER BY id")]


def _collection(row: Any) -> Collection:
    if row is None:
        raise CollectionNotFound
    return Collection(row[0], UUID(bytes=row[1]), *row[2:])

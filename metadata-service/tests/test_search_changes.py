"""Whatever is done to the catalogue, search is told to look again at every item that it would see differently."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from media_common.errors import ServiceError
from media_common.testing import quick_folder
from metadata_service.domain.disk import Content, Inside, Looked
from metadata_service.domain.groups import GroupKind
from metadata_service.domain.imports import Begin, GivenTag, GivenTagset
from metadata_service.domain.media import COUNTED, Collection, Facts, FileSeen, Imported, Kind, Marks, Upload
from metadata_service.domain.tags import TagType
from metadata_service.store import (
    collections,
    frames,
    imports,
    indexing,
    insides,
    media,
    search_facts,
    search_jobs,
    tagging,
    twins,
    uploads,
)
from metadata_service.store.bits import load
from metadata_service.store.groups import add_group
from metadata_service.store.search_facts import SearchFacts
from metadata_service.store.search_jobs import Lane
from metadata_service.store.snapshot import Snapshot
from metadata_service.store.sqlite import Database
from metadata_service.store.transaction import Transaction

ROOT = b"/r"
FILES = st.sampled_from([b"a/1.jpg", b"a/2.jpg", b"a/3.jpg", b"b/1.jpg", b"b/c/1.mp4", b"b/c/2.mp4"])
SIZES = st.integers(1, 2)
KINDS = st.sampled_from([Kind.IMAGE, Kind.VIDEO, Kind.DOCUMENT])
REVIEW = st.sampled_from([Marks.NONE, Marks.SEEN, Marks.TRASHED, Marks.LOCKED])
LABELS = st.sampled_from(["color", "season"])
VALUES = st.sampled_from(["red", "blue"])


class Catalogued(RuleBasedStateMachine):
    """A search that looks only at what it is told to, whenever it comes to it, beside a catalogue that changes."""

    nodes = Bundle("nodes")
    folders = Bundle("folders")

    @initialize(target=folders)
    def begin(self) -> int:
        self.directory = tempfile.TemporaryDirectory(dir=quick_folder())
        ticks = itertools.count(1_000)
        self.database = Database(Path(self.directory.name) / "catalogue.db", clock=lambda: next(ticks))
        self.collection = self.database.write(indexing.collection_for, ROOT)
        self.serial = self.steps = 0
        self.seen: dict[int, SearchFacts] = {}
        self.unread: dict[Lane, bool] = dict.fromkeys(Lane, False)
        return self.collection.root_folder_id

    def teardown(self) -> None:
        if hasattr(self, "database"):
            self.database.close()
            self.directory.cleanup()

    def _done(self, work: Callable[..., Any], *args: Any) -> None:
        """Something that a rule of the catalogue may refuse."""
        try:
            self.database.write(work, *args)
        except ServiceError:
            return

    # What people and disks do

    @rule(target=folders, parent=folders)
    def make_folder(self, parent: int) -> int:
        return self.database.write(collections.create_folder, self.collection, parent, "made")

    @rule(target=nodes, parent=folders, kind=KINDS)
    def upload(self, parent: int, kind: Kind) -> int:
        return self._uploaded(parent, kind, None)

    @rule(target=nodes, node=nodes)
    def upload_version(self, node: int) -> int:
        try:
            return self._uploaded(None, Kind.IMAGE, node)
        except ServiceError:
            return node

    def _uploaded(self, parent: int | None, kind: Kind, version_of: int | None) -> int:
        self.serial += 1
        sha256 = self.serial.to_bytes(32, "big")
        given = Upload("u", kind, sha256, Facts(size_bytes=1), "", parent, version_of)
        return self.database.write(media.add_upload, self.collection, given)

    @rule(number=st.integers(1, 5), taken=st.sampled_from([None, 0, 5]))
    def describe_upload(self, number: int, taken: int | None) -> None:
        self.database.write(uploads.describe, number.to_bytes(32, "big"), Facts(taken_us=taken, duration_s=2.0))

    @rule(target=nodes, path=FILES, size=SIZES, inode=st.integers(1, 4), marks=REVIEW)
    def find(self, path: bytes, size: int, inode: int, marks: Marks) -> int:
        kind = Kind.VIDEO if path.endswith(b"mp4") else Kind.IMAGE
        full = ROOT + b"/" + path
        looked = Looked(full, FileSeen(full, kind, marks, Facts(size_bytes=size), inode), False)
        moved = self.database.read(indexing.maybe_moved, ROOT, [looked])
        old = [Looked(move.old_path, None, True) for move in moved]
        gone = frozenset(move.old_path for move in moved)
        self.database.write(indexing.apply, ROOT, [looked, *old], moved, gone)
        found = self.database.read(lambda s: media.at_path(s.connection, self.collection, path))
        assert found is not None
        return found

    @rule(path=FILES)
    def lose(self, path: bytes) -> None:
        full = ROOT + b"/" + path
        self.database.write(indexing.apply, ROOT, [Looked(full, None, True)], [], frozenset({full}))

    @rule(node=nodes, taken=st.integers(0, 3), camera=st.sampled_from([None, "X"]))
    def look_into(self, node: int, taken: int, camera: str | None) -> None:
        size, mtime, inode = self._row(node, "size_bytes, modified_us, inode")
        if inode is not None:
            facts = Facts(size, mtime, taken_us=taken * 2_000_000, camera=camera)
            self.database.write(insides.describe, self.collection, [(node, Inside(facts, inode))])
            content = Content(size.to_bytes(32, "big"), size, mtime, inode)
            hashed = [(node, content)]
            found = self.database.read(twins.find, self.collection, hashed)
            self.database.write(insides.set_hashes, self.collection, hashed)
            self.database.write(twins.follow, self.collection, found)

    @rule(hidden=st.just(True))
    def hide(self, hidden: bool) -> None:
        self.database.write(indexing.hide_root, ROOT)

    @rule(node=nodes, marks=REVIEW)
    def mark(self, node: int, marks: Marks) -> None:
        self.database.write(media.set_marks, node, marks)

    @rule(node=st.one_of(nodes, folders), trashed=st.booleans())
    def trash(self, node: int, trashed: bool) -> None:
        self._done(uploads.set_trashed if trashed else uploads.untrash, [self._uuid(node)])

    @rule(folder=folders)
    def trash_folder(self, folder: int) -> None:
        self._done(uploads.trash_folder, self._uuid(folder))

    @rule(every=st.just(None))
    def purge(self, every: None) -> None:
        self.database.write(uploads.purge, every)

    @rule(node=nodes)
    def select(self, node: int) -> None:
        self._done(media.select_version, node)

    @rule(node=nodes)
    def drop_version(self, node: int) -> None:
        self._done(media.delete_version, node, node)

    @rule(node=st.one_of(nodes, folders), name=VALUES)
    def rename(self, node: int, name: str) -> None:
        self.database.write(media.edit, node, name, None)

    @rule(node=nodes, label=LABELS, value=VALUES)
    def tag(self, node: int, label: str, value: str) -> None:
        self._done(tagging.add, self._of(node), node, label, value)

    @rule(node=nodes, label=LABELS)
    def untag(self, node: int, label: str) -> None:
        self._done(tagging.remove, self._of(node), node, label, None)

    @rule(node=nodes, old=LABELS, new=LABELS)
    def relabel(self, node: int, old: str, new: str) -> None:
        self._done(tagging.relabel, self._of(node), node, old, new)

    @rule(node=nodes, tags=st.dictionaries(LABELS, st.lists(VALUES, max_size=2), max_size=2))
    def replace_tags(self, node: int, tags: dict[str, list[str]]) -> None:
        self._done(tagging.replace, self._of(node), node, tags)

    @rule(node=st.one_of(nodes, folders), parent=folders)
    def move(self, node: int, parent: int) -> None:
        self._done(collections.move, node, parent)

    @rule(name=st.sampled_from([b"a", b"b", b"b/c"]), to=st.sampled_from([b"", b"a", b"new"]))
    def move_on_disk(self, name: bytes, to: bytes) -> None:
        def moved(txn: Transaction) -> None:
            folder = media.find_file(txn, self.collection, name)
            target = collections.ensure_folder(txn, self.collection, to)
            taken = media.find_file(txn, self.collection, to + b"/" + name)
            if folder is not None and taken is None:
                collections.relocate(txn, folder, target)

        self._done(moved)

    @rule(members=st.lists(nodes, min_size=1, max_size=3), value=VALUES)
    def group(self, members: list[int], value: str) -> None:
        own = [node for node in members if self._of(node) == self.collection]

        def grouped(txn: Transaction) -> None:
            group = add_group(txn, self.collection, GroupKind.IMPORTED, own)
            tagset_id, _ = tagging.tagset(txn, self.collection, "color", TagType.ALPHANUMERICAL)
            tagging.attach_group(txn, self.collection, group, tagging.tag(txn, self.collection, tagset_id, value))

        self.database.write(grouped)

    @rule(target=nodes, shown=st.booleans())
    def bring_in(self, shown: bool) -> int:
        self.serial += 1
        begin = Begin(
            f"theirs-{self.serial}", "https://x/o", "https://x/t", 9, (GivenTagset(1, "color", TagType.ALPHANUMERICAL),)
        )
        imported = self.database.write(imports.begin, begin)
        self.database.write(imports.add_tags, imported, [GivenTag(5, 1, "red")])
        rows = [Imported(7, None, Kind.OTHER, tag_ids=(5,), is_group=True), Imported(8, "8.jpg", Kind.IMAGE, None, 7)]
        self.database.write(imports.add_items, imported, rows, 9)
        if shown:
            self.database.write(imports.complete, imported)
        return imported.id_base + 8

    # What search does

    @rule(node=nodes)
    def a_vector_comes_from_outside(self, node: int) -> None:
        for facts in self._facts([node]):
            self.seen[node] = facts
        self.database.write(frames.set_embedded, [node], True)

    @rule(lane=st.sampled_from(Lane), most=st.integers(1, 3))
    def search_reads_a_batch(self, lane: Lane, most: int) -> None:
        """Again and again the same one, until it is noted that it has arrived."""
        batch = self.database.write(search_jobs.next_batch, lane, most)
        self._read(batch)
        self.unread[lane] = False

    @rule(lane=st.sampled_from(Lane), most=st.integers(1, 3))
    def it_is_noted_that_a_batch_has_arrived(self, lane: Lane, most: int) -> None:
        if not self.unread[lane]:
            self.unread[lane] = bool(self.database.write(search_jobs.next_batch, lane, most, sent=True))

    def _read(self, batch: list[int]) -> None:
        found = {facts.media_id: facts for facts in self._facts(batch)}
        for node in batch:
            self.seen.pop(node, None)
            if node in found and (found[node].pixels is not None or found[node].embedded):
                self.seen[node] = found[node]

    # What must be true

    @invariant()
    def what_search_would_see_differently_waits_for_it(self) -> None:
        if not hasattr(self, "database"):
            return
        told = {lane: self._waiting(lane) for lane in Lane}
        now = {facts.media_id: facts for facts in self._facts(self._everything())}
        for node in now.keys() | self.seen.keys():
            old, new = self.seen.get(node), now.get(node)
            if old is None and new is not None and (new.pixels is None or new.kind not in COUNTED):
                continue  # nothing to find it by
            if old is None or new is None:
                assert node in told[Lane.FACTS if new is None else Lane.EMBED], (old, new)
                continue
            if old.seal != new.seal and new.kind in COUNTED:
                assert node in told[Lane.EMBED], (old, new)
            if _filtered(old) != _filtered(new):
                assert node in told[Lane.FACTS], (old, new)
        self.steps += 1
        if self.steps % 4:  # most changes meet a search that has seen everything
            self._catch_up()

    def _catch_up(self) -> None:
        for lane in Lane:
            batch = self.database.write(search_jobs.next_batch, lane, 1000)
            while batch:
                self._read(batch)
                batch = self.database.write(search_jobs.next_batch, lane, 1000, sent=True)
            self.unread[lane] = False

    def _waiting(self, lane: Lane) -> set[int]:
        families = [lane.waiting, *([lane.in_hand] if self.unread[lane] else [])]

        def found(snapshot: Snapshot) -> set[int]:
            rows = snapshot.connection.execute("SELECT id, id_base FROM collection").fetchall()
            sets = ((base, load(snapshot.connection, family, owner)) for owner, base in rows for family in families)
            return {base + position for base, positions in sets for position in positions}

        return self.database.read(found)

    def _everything(self) -> list[int]:
        return self.database.read(lambda s: [row[0] for row in s.connection.execute("SELECT id FROM node")])

    def _facts(self, ids: list[int]) -> list[SearchFacts]:
        return self.database.read(search_facts.facts, ids)

    def _row(self, node: int, columns: str) -> Any:
        statement = f"SELECT {columns} FROM node WHERE id = ?"  # noqa: S608 - our own words
        return self.database.read(lambda s: s.connection.execute(statement, (node,)).fetchone())

    def _uuid(self, node: int) -> UUID:
        return UUID(bytes=self._row(node, "uuid")[0])

    def _of(self, node: int) -> Collection:
        return self.database.read(collections.get, self._row(node, "collection_id")[0])


def _filtered(facts: SearchFacts) -> SearchFacts:
    """What search keeps with a vector: the place and the name it asks for when it needs them."""
    return replace(facts, pixels=None, seal="", name="", embedded=False, size_bytes=0)


@pytest.mark.timeout(600)  # thousands of statements beside whatever else the machine does
def test_after_any_changes_search_is_told_of_every_item_it_would_see_differently() -> None:
    run = settings(max_examples=30, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(Catalogued, settings=run)  # type: ignore[no-untyped-call]

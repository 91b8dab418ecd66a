"""Whatever is done to the catalogue, every page of it is what the plain model says."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from media_common.testing import quick_folder
from metadata_service.domain.filters import Branch, Expression, ListQuery, Sort, Values
from metadata_service.domain.groups import GroupKind
from metadata_service.domain.media import Facts, FileSeen, Kind, Marks, Upload
from metadata_service.domain.tags import automatic, written
from metadata_service.store import collections, details, listing, media, retrieval, tagging
from metadata_service.store.groups import add_group
from metadata_service.store.orders import DEFAULTS, Limits
from metadata_service.store.sqlite import Database
from metadata_service.store.transaction import Transaction
from metadata_service.testing import Model, Node

NAMES = st.sampled_from(["a", "B", "b", "Ä", "ä", "A\u0308", "Straße", "strasse", "z z", "É", "\U0001f600", "10", "9"])
TEXTS = st.sampled_from(["", "", "", "a cat", "A cat", "zebra", "ß"])
KINDS = st.sampled_from([Kind.IMAGE, Kind.IMAGE, Kind.VIDEO, Kind.DOCUMENT, Kind.AUDIO])
REVIEW = st.sampled_from([Marks.NONE, Marks.SEEN, Marks.TRASHED, Marks.LOCKED, Marks.LOCKED | Marks.SEEN])
LABELS = st.sampled_from(["color", "season", "2024"])
VALUES = st.sampled_from(["red", "blue", "spring", "Red", "a,b"])


class Machine(RuleBasedStateMachine):
    """Every rule does the same to the database and to the model."""

    limits = DEFAULTS
    nodes = Bundle("nodes")
    folders = Bundle("folders")

    @initialize(target=folders)
    def begin(self) -> int:
        self.directory = tempfile.TemporaryDirectory(dir=quick_folder())
        ticks = itertools.count(1_000)
        file = Path(self.directory.name) / "catalogue.db"
        self.database = Database(file, clock=lambda: next(ticks), limits=self.limits)
        self.collection = self.database.write(collections.create, "Mine")
        self.model = Model(self.collection.root_folder_id)
        self.serial = 0
        self.on_disk: set[int] = set()
        self.disk_folder: int | None = None
        return self.collection.root_folder_id

    def teardown(self) -> None:
        if hasattr(self, "database"):
            self.database.close()
            self.directory.cleanup()

    def _created(self, node_id: int) -> int:
        return self.database.read(lambda s: int(_one(s, "SELECT created_us FROM node WHERE id = ?", node_id)))

    def _noted(self, node_id: int, parent: int, kind: Kind, name: str, marks: Marks = Marks.NONE) -> Node:
        node = Node(node_id, parent, kind, name, self._created(node_id), marks)
        self.model.nodes[node_id] = node
        return node

    def _folder_value(self, folder: int) -> tuple[str, str]:
        names, current = [], folder
        while current != self.model.root:
            names.append(self.model.nodes[current].name)
            current = self.model.nodes[current].parent or 0
        return ("Folder", "/".join(reversed(names)) or ".")

    @rule(target=folders, parent=folders, name=NAMES)
    def make_folder(self, parent: int, name: str) -> int:
        folder = self.database.write(collections.create_folder, self.collection, parent, name)
        self._noted(folder, parent, Kind.FOLDER, name)
        return folder

    @rule(target=nodes, parent=folders, name=NAMES, kind=KINDS, taken=st.sampled_from([None, 0, 1_700_000_000_000_000]))
    def upload(self, parent: int, name: str, kind: Kind, taken: int | None) -> int:
        self.serial += 1
        facts = Facts(size_bytes=1, taken_us=taken, camera="X" if taken else None)
        upload = Upload(name, kind, self.serial.to_bytes(32, "big"), facts, "", parent)
        node_id = self.database.write(media.add_upload, self.collection, upload)
        node = self._noted(node_id, parent, kind, name)
        node.tags |= {(k, written(v)) for k, v in automatic(kind, Marks.NONE, facts).items()}
        return node_id

    @rule(target=nodes, name=NAMES, marks=REVIEW, kind=st.sampled_from([Kind.IMAGE, Kind.VIDEO]))
    def find_file(self, name: str, marks: Marks, kind: Kind) -> int:
        path = f"disk/{name}.{kind.label}".encode()
        seen = FileSeen(path, kind, marks, Facts(size_bytes=2), inode=len(name))
        node_id, _ = self.database.write(media.upsert_file, self.collection, seen)
        again = self.database.write(media.upsert_file, self.collection, seen)
        assert again == (node_id, media.Outcome.SAME)
        parent = self.database.read(lambda s: int(_one(s, "SELECT parent_id FROM node WHERE id = ?", node_id)))
        if parent not in self.model.nodes:
            self._noted(parent, self.model.root, Kind.FOLDER, "disk")
            self.disk_folder = parent
        self.on_disk.add(node_id)
        old = self.model.nodes.get(node_id)
        node = self._noted(node_id, parent, kind, f"{name}.{kind.label}", marks)
        if old is not None:
            node.tags, node.group, node.description, node.prompt = old.tags, old.group, old.description, old.prompt
            node.name = old.name
        node.tags = {tag for tag in node.tags if tag[0] not in ("Type", "Status")}
        node.tags |= {("Type", kind.label), ("Status", marks.status)}
        self._show_folder()
        return node_id

    def _show_folder(self) -> None:
        """A folder on the disk is listed while something listed is below it."""
        folder = self.disk_folder
        if folder is not None:
            below = (node for node in self.model.nodes.values() if folder in self.model.above(node))
            self.model.nodes[folder].marks = Marks.NONE if any(node.marks.listed for node in below) else Marks.TRASHED

    @rule(node=nodes, marks=REVIEW)
    def mark(self, node: int, marks: Marks) -> None:
        self.database.write(media.set_marks, node, marks)
        found = self.model.nodes[node]
        found.marks = marks | (found.marks & (Marks.GONE | Marks.EMPTIED))
        found.tags = {tag for tag in found.tags if tag[0] != "Status"} | {("Status", found.marks.status)}
        self._show_folder()

    @rule(node=nodes, gone=st.booleans())
    def lose(self, node: int, gone: bool) -> None:
        self.database.write(media.set_marks, node, Marks.GONE if gone else Marks.NONE, Marks.GONE)
        found = self.model.nodes[node]
        found.marks = found.marks & ~Marks.GONE | (Marks.GONE if gone else Marks.NONE)
        self._show_folder()

    @rule(node=st.one_of(nodes, folders), name=NAMES, description=TEXTS, prompt=TEXTS)
    def edit(self, node: int, name: str, description: str, prompt: str) -> None:
        if node == self.model.root:
            return
        self.database.write(media.edit, node, name, {"description": description, "prompt": prompt})
        found = self.model.nodes[node]
        found.name, found.description, found.prompt = name, description, prompt

    @rule(node=nodes, label=LABELS, value=VALUES)
    def tag(self, node: int, label: str, value: str) -> None:
        if (label, value) not in self.model.nodes[node].tags:
            self.database.write(tagging.add, self.collection, node, label, value)
            self.model.nodes[node].tags.add((label, value))

    @rule(node=nodes, label=LABELS)
    def untag(self, node: int, label: str) -> None:
        if any(tag[0] == label for tag in self.model.nodes[node].tags):
            self.database.write(tagging.remove, self.collection, node, label, None)
            self.model.nodes[node].tags = {tag for tag in self.model.nodes[node].tags if tag[0] != label}

    @rule(node=nodes, old=LABELS, new=LABELS)
    def relabel(self, node: int, old: str, new: str) -> None:
        tags = self.model.nodes[node].tags
        if any(tag[0] == old for tag in tags):
            self.database.write(tagging.relabel, self.collection, node, old, new)
            self.model.nodes[node].tags = {(new if name == old else name, value) for name, value in tags}

    @rule(node=st.one_of(nodes, folders), parent=folders)
    def move(self, node: int, parent: int) -> None:
        if node in {self.model.root, parent, *self.on_disk} or node in self.model.above(
            self.model.nodes.get(parent) or _nothing()
        ):
            return
        self.database.write(collections.relocate, node, parent)
        self.model.nodes[node].parent = parent

    @rule(first=nodes, second=nodes, label=LABELS, value=VALUES)
    def group(self, first: int, second: int, label: str, value: str) -> None:
        def work(txn: Transaction) -> int:
            group_id = add_group(txn, self.collection, GroupKind.IMPORTED, [first, second])
            tagset_id, _ = tagging.tagset(txn, self.collection, label, tagging.TagType.ALPHANUMERICAL)
            tag_id = tagging.tag(txn, self.collection, tagset_id, value)
            tagging.attach_group(txn, self.collection, group_id, tag_id)
            return group_id

        group_id = self.database.write(work)
        self.model.group_tags[group_id] = {(label, value)}
        self.model.nodes[first].group = self.model.nodes[second].group = group_id

    @rule(
        data=st.data(),
        folder=folders,
        sort=st.sampled_from(Sort),
        descending=st.booleans(),
        recursive=st.booleans(),
        kinds=st.none() | st.frozensets(st.sampled_from(Kind), min_size=1, max_size=2),
        offset=st.integers(0, 6),
        limit=st.integers(1, 5),
        tags=st.none() | st.lists(VALUES, max_size=2).map(tuple),
        tag_filters=st.dictionaries(LABELS, st.lists(VALUES, max_size=2).map(tuple), max_size=2),
    )
    def ask(
        self,
        data: st.DataObject,
        folder: int,
        sort: Sort,
        descending: bool,
        recursive: bool,
        kinds: frozenset[Kind] | None,
        offset: int,
        limit: int,
        tags: tuple[str, ...] | None,
        tag_filters: dict[str, tuple[str, ...]],
    ) -> None:
        times = sorted({node.created_us for node in self.model.nodes.values()} | {0})
        since = data.draw(st.none() | st.sampled_from(times))
        before = data.draw(st.none() | st.sampled_from(times))
        query = ListQuery(
            self.collection.id, limit, offset, folder, recursive, kinds, since, before, sort=sort,
            descending=descending, tags=tags, tag_filters=tuple(tag_filters.items()),
        )  # fmt: skip
        assert self.database.read(listing.page, query) == self.model.page(query)

    @rule(data=st.data(), folder=folders)
    def filter_by_folder_tag(self, data: st.DataObject, folder: int) -> None:
        name, value = self._folder_value(folder)
        query = ListQuery(self.collection.id, 50, recursive=True, kinds=frozenset({Kind.IMAGE}), tags=(value,))
        direct = [
            node.id
            for node in self.model.nodes.values()
            if node.kind is Kind.IMAGE and node.marks.listed and node.parent is not None
            and (self._folder_value(node.parent)[1] == value or value in {v for _, v in node.tags})
        ]  # fmt: skip
        assert sorted(self.database.read(listing.page, query).ids) == sorted(direct), name

    @rule(data=st.data())
    def filter(self, data: st.DataObject) -> None:
        rows = self.database.read(
            lambda s: s.connection.execute(
                "SELECT tag.id, name, value, tagset.id FROM tag JOIN tagset ON tagset.id = tagset_id "
                "WHERE name IN ('color', 'season', '2024', 'Type')"
            ).fetchall()
        )
        if not rows:
            return
        leaves = st.builds(
            lambda row, every, negated: Values(row[3], (row[0],), every, negated),
            st.sampled_from(rows), st.booleans(), st.booleans(),
        )  # fmt: skip
        trees: st.SearchStrategy[Expression] = st.recursive(
            leaves,
            lambda inner: st.builds(Branch, st.booleans(), st.lists(inner, max_size=3).map(tuple), st.booleans()),
            max_leaves=6,
        )
        expression = data.draw(trees)
        names = {row[0]: (row[1], written(row[2])) for row in rows}
        found = self.database.read(retrieval.passing, self.collection, expression)
        assert set(found) == self.model.passing(expression, names)

    @invariant()
    def counters_are_right(self) -> None:
        if not hasattr(self, "model"):
            return
        rows = self.database.read(lambda s: s.connection.execute("SELECT id, items_below FROM folder").fetchall())
        assert dict(rows) == {folder: self.model.items_below(folder) for folder, _ in rows}
        ids = list(self.model.nodes)
        shown = self.database.read(details.media, ids)
        assert [item.id for item in shown] == ids
        for item in shown:
            node = self.model.nodes[item.id]
            pairs = {(name, written(v)) for name, values in item.tags.items() for v in values if name != "Folder"}
            assert (item.name, item.marks, pairs) == (node.name, node.marks, node.tags)
            assert len(item.path) == len(self.model.above(node)) + 1


class PatchingMachine(Machine):
    """The same with arrays for everything, patched at every change, walked in steps of three."""

    limits = Limits(sorted_by_key=0, patched=1000, block=3)


class RereadingMachine(Machine):
    limits = Limits(sorted_by_key=0, patched=-1, block=2)


def _one(snapshot: Any, statement: str, *values: Any) -> Any:
    return snapshot.connection.execute(statement, values).fetchone()[0]


def _nothing() -> Node:
    return Node(0, None, Kind.FOLDER, "", 0)


@pytest.mark.timeout(600)  # thousands of statements beside whatever else the machine does
@pytest.mark.parametrize("machine", [Machine, PatchingMachine, RereadingMachine])
def test_every_page_is_what_the_plain_model_says(machine: type[Machine]) -> None:
    run = settings(max_examples=25, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(machine, settings=run)  # type: ignore[no-untyped-call]

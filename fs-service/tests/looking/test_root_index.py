"""ONE contract for both indexes of a root, the skip directory against plain counting, and what SQLite adds."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from fs_service.domain.items import StatusFilter
from fs_service.store.database import Database
from fs_service.store.events import StoredOutbox
from fs_service.store.index_memory import MemoryIndex
from fs_service.store.index_sqlite import SqliteIndex, drop_root, kept_paths, kept_roots, sweep
from fs_service.store.positions import CHUNK_ROWS, Positions
from fs_service.store.rows import (
    Change,
    Delta,
    Entry,
    Facts,
    Folder,
    Probed,
    RootIndex,
    admits,
    differences,
    folder_of,
    joined,
    key_of,
    relative_of,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

ROOT = b"/rev"
STAMP = (1, 2, 3, 4)
FACTS = Facts(7, 8, 9, 10, 11, 12, 1.5)

Made = Callable[[], RootIndex]


@pytest.fixture(params=["memory", "sqlite"])
def made(request: pytest.FixtureRequest) -> Iterator[Made]:
    """Makes empty indexes of one kind."""
    with ExitStack() as stack:

        def make() -> RootIndex:
            if request.param == "memory":
                return MemoryIndex()
            return stack.enter_context(sqlite_index())

        yield make


@contextmanager
def sqlite_index() -> Iterator[SqliteIndex]:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(Path(folder))
        try:
            index = SqliteIndex(database, ROOT)
            index.prepare()
            yield index
        finally:
            database.close()


def found(*relatives: bytes, state: int = 0) -> Delta:
    folders = {folder_of(relative) for relative in relatives}
    return Delta(
        folders=[Folder(folder, STAMP, settled=True) for folder in folders],
        changes=[Change(key_of(relative), None, Entry(5, 1, state)) for relative in relatives],
    )


def listed(index: RootIndex, status: StatusFilter = StatusFilter.ALL) -> list[bytes]:
    return [relative_of(row.key) for row in index.page(status, None, 0, 10_000)]


def test_rows_come_by_name_then_by_full_path(made: Made) -> None:
    index = made()
    index.apply(found(b"a/x.jpg", b"a-b/x.jpg", b"a/b/x.jpg", b"b.jpg", b"a/w.jpg", b"x.jpg", b"a/\xff.jpg"))
    assert listed(index) == [
        b"b.jpg",
        b"a/w.jpg",
        b"a-b/x.jpg",  # '-' is before '/'
        b"a/b/x.jpg",  # 'b' is before 'x'
        b"a/x.jpg",
        b"x.jpg",
        b"a/\xff.jpg",
    ]


def test_a_cursor_need_not_exist_and_is_not_repeated(made: Made) -> None:
    index = made()
    index.apply(found(b"a.jpg", b"b.jpg", b"d.jpg"))
    for after, rest in ((b"b.jpg", [b"d.jpg"]), (b"c.jpg", [b"d.jpg"]), (b"a.jpe", [b"a.jpg", b"b.jpg", b"d.jpg"])):
        assert [relative_of(row.key) for row in index.page(StatusFilter.ALL, key_of(after), 0, 9)] == rest
    assert [relative_of(r.key) for r in index.page(StatusFilter.ALL, key_of(b"a.jpg"), 1, 9)] == [b"d.jpg"]
    assert index.page(StatusFilter.ALL, key_of(b"z.jpg"), 0, 9) == []


def test_contents_and_entries_are_those_of_the_folder_alone(made: Made) -> None:
    index = made()
    index.apply(found(b"a/x.jpg", b"a/b/y.jpg", b"z.jpg"))
    assert set(index.contents(b"a")) == {b"x.jpg"}
    assert set(index.contents(b"")) == {b"z.jpg"}
    assert index.contents(b"nowhere") == {}
    assert index.entry(key_of(b"a/x.jpg")) == Entry(5, 1, 0)
    assert index.entry(key_of(b"x.jpg")) is None
    assert index.row(key_of(b"nope/x.jpg")) is None
    assert {folder.relative for folder in index.folders()} == {b"a", b"a/b", b""}


def test_a_folder_keeps_what_its_listing_saw(made: Made) -> None:
    index = made()
    folder = Folder(b"a", STAMP, settled=False, ignored=3, links=(b"l.jpg", b"\xff.png"))
    index.apply(Delta(folders=[folder]))
    assert list(index.folders()) == [folder]
    settled = Folder(b"a", (9, 9, 9, 9), settled=True)
    index.apply(Delta(folders=[settled]))
    assert list(index.folders()) == [settled]
    index.apply(Delta(dropped=[b"a"]))
    assert list(index.folders()) == []


def test_facts_stay_with_a_file_until_it_is_another_one(made: Made) -> None:
    index, key = made(), key_of(b"a.jpg")
    index.apply(found(b"a.jpg"))
    row = index.row(key)
    assert row is not None
    assert row.inode is None
    index.apply(Delta(probed=[Probed(key, FACTS, edited=False)]))
    old, seen, other = Entry(5, 1, 0), Entry(5, 1, 4), Entry(6, 1, 4)
    index.apply(Delta(changes=[Change(key, old, seen)]))
    row = index.row(key)
    assert row is not None
    assert (tuple(row[4:]), row.state) == (tuple(FACTS), 4)
    index.apply(Delta(changes=[Change(key, seen, other)]))
    row = index.row(key)
    assert row is not None
    assert row.inode is None


names = st.sampled_from([b"a.jpg", b"b.jpg", b"c.mp4", b"\xff.jpg", b"b-.jpg", b"zz.png"])
folders = st.sampled_from([b"", b"a", b"a/b", b"a-b", b"c\xfe", b"b.jpg"])
places = st.builds(joined, folders, names)
models = st.dictionaries(places, st.builds(Entry, st.integers(1, 3), st.integers(1, 2), st.integers(0, 7)), max_size=25)


def delta_between(old: dict[bytes, Entry], new: dict[bytes, Entry]) -> Delta:
    def contents(model: dict[bytes, Entry], folder: bytes) -> dict[bytes, Entry]:
        return {path.rpartition(b"/")[2]: entry for path, entry in model.items() if folder_of(path) == folder}

    delta = Delta()
    for folder in {folder_of(path) for path in old} | {folder_of(path) for path in new}:
        delta.changes += differences(folder, contents(old, folder), contents(new, folder))
        if contents(new, folder):
            delta.folders.append(Folder(folder, STAMP, settled=True))
        else:
            delta.dropped.append(folder)
    return delta


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    history=st.lists(models, min_size=1, max_size=4),
    status=st.sampled_from(StatusFilter),
    after=st.none() | places,
    offset=st.integers(0, 20),
    limit=st.integers(1, 20),
)
def test_any_page_after_any_history_is_that_of_a_sorted_list(
    made: Made,
    history: list[dict[bytes, Entry]],
    status: StatusFilter,
    after: bytes | None,
    offset: int,
    limit: int,
) -> None:
    index = made()
    model: dict[bytes, Entry] = {}
    for step in history:
        index.apply(delta_between(model, step))
        model = step
    admitted = sorted(key_of(path) for path, entry in model.items() if admits(status, entry.state))
    behind = [key for key in admitted if after is None or key > key_of(after)]
    page = index.page(status, None if after is None else key_of(after), offset, limit)
    assert [row.key for row in page] == behind[offset : offset + limit]
    assert all((row.kind, row.state) == model[relative_of(row.key)][1:3] for row in page)
    counts = index.counts()
    for name, one in (("all", StatusFilter.ALL), ("unseen", StatusFilter.UNSEEN), ("seen", StatusFilter.SEEN)):
        assert getattr(counts, name) == sum(admits(one, entry.state) for entry in model.values())
    assert counts.locked == sum(admits(StatusFilter.LOCKED, entry.state) for entry in model.values())
    assert counts.trashed == sum(admits(StatusFilter.TRASHED, entry.state) for entry in model.values())


class Plain:
    """Positions by counting."""

    def __init__(self) -> None:
        self.rows: dict[bytes, int] = {}

    def span(self, span: tuple[bytes, bytes]) -> list[tuple[bytes, int]]:
        return sorted((key, state) for key, state in self.rows.items() if span[0] <= key < span[1])


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_positions_find_the_nth_row_through_growth_and_shrinking(data: st.DataObject) -> None:
    plain = Plain()
    start = data.draw(st.integers(0, 3 * CHUNK_ROWS))
    plain.rows = {b"%06d" % (number * 10): number % 8 for number in range(start)}
    positions = Positions(sorted(plain.rows.items()))
    for _ in range(data.draw(st.integers(0, 4))):
        first = data.draw(st.integers(0, 8000))
        count = data.draw(st.integers(1, 1500))
        keys = [b"%06d" % number for number in range(first, first + count)]
        if data.draw(st.booleans()):
            keys = [key for key in keys if key not in plain.rows]
            for key in keys:
                plain.rows[key] = int(key) % 8
                positions.add(key, plain.rows[key])
        else:
            keys = [key for key in keys if key in plain.rows]
            for key in keys:
                positions.remove(key, plain.rows.pop(key))
        positions.balance(keys, plain.span)
    for status in StatusFilter:
        admitted = [key for key, state in sorted(plain.rows.items()) if admits(status, state)]
        for offset in {0, 1, len(admitted) // 2, len(admitted) - 1, len(admitted), len(admitted) + 7} - {-1}:
            place = positions.seek(status, offset)
            if offset >= len(admitted):
                assert place is None
                continue
            assert place is not None
            chunk, skip = place
            rest = [
                key
                for span in positions.spans(status, chunk)
                for key, state in plain.span(span)
                if admits(status, state)
            ]
            assert rest[skip:] == admitted[offset:]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path)
    yield made
    made.close()


def test_every_change_leaves_its_message_in_the_same_transaction(database: Database) -> None:
    index, outbox = SqliteIndex(database, ROOT), StoredOutbox(database)
    key, old = key_of(b"a/x.jpg"), Entry(5, 1, 0)
    index.apply(found(b"a/x.jpg"))
    index.apply(Delta(changes=[Change(key, old, Entry(5, 1, 4))]))
    index.apply(Delta(changes=[Change(key, Entry(5, 1, 4), Entry(6, 1, 4))]))
    index.apply(Delta(probed=[Probed(key, FACTS, edited=False)]))
    index.apply(Delta(probed=[Probed(key, FACTS, edited=True)]))
    index.apply(Delta(changes=[Change(key, Entry(6, 1, 4), None)]))
    rows = outbox.pending(100)
    assert [(row.subject, row.inode) for row in rows] == [
        ("media.found", 5),
        ("jobs.thumbnail", 5),
        ("media.state", 5),
        ("media.changed", 6),
        ("jobs.thumbnail", 6),
        ("media.changed", FACTS.inode),
        ("jobs.thumbnail", FACTS.inode),
        ("media.gone", 6),
    ]
    assert {(row.root, row.path) for row in rows} == {(ROOT, b"/rev/a/x.jpg")}
    outbox.sent(rows[2].sequence)
    assert outbox.pending(1) == rows[3:4]
    assert outbox.count() == 5


def test_rows_survive_a_restart_and_a_new_file_begins_a_new_epoch(tmp_path: Path) -> None:
    database = Database(tmp_path)
    index = SqliteIndex(database, ROOT)
    index.apply(found(b"a/x.jpg", b"b.jpg", state=2))
    index.mark_scanned()
    epoch = database.epoch
    database.close()
    database = Database(tmp_path)
    again = SqliteIndex(database, ROOT)
    assert (again.scanned, database.epoch) == (True, epoch)
    assert listed(again, StatusFilter.TRASHED) == [b"b.jpg", b"a/x.jpg"]
    database.close()
    (tmp_path / "index.db").write_bytes(b"this is no database, and was one" * 200)
    database = Database(tmp_path)
    assert database.epoch != epoch
    assert kept_roots(database) == []
    database.close()
    assert (tmp_path / "index.db.broken").exists()


def test_the_paths_of_a_root_are_read_back_in_key_order_and_no_other_roots(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fs_service.store.index_sqlite._KEYS_READ", 3)
    relatives = sorted((b"d/%d.jpg" % (number * 7 % 8) for number in range(8)), key=key_of)
    SqliteIndex(database, ROOT).apply(found(*relatives, b"\xff.jpg"))
    SqliteIndex(database, b"/rev2").apply(found(b"other.jpg"))
    assert list(kept_paths(database, ROOT)) == [ROOT + b"/" + one for one in (*relatives, b"\xff.jpg")]
    drop_root(database, ROOT)
    assert list(kept_paths(database, ROOT)) == list(kept_paths(database, b"/nowhere")) == []


def test_a_removed_root_says_of_each_file_that_it_is_gone_and_begins_anew(database: Database) -> None:
    outbox = StoredOutbox(database)
    index = SqliteIndex(database, ROOT)
    index.apply(found(*(b"d/%05d.jpg" % number for number in range(2500))))
    index.mark_scanned()
    outbox.sent(outbox.pending(10_000)[-1].sequence)
    drop_root(database, ROOT)
    assert kept_roots(database) == []
    fresh = SqliteIndex(database, ROOT)
    assert not fresh.scanned
    assert fresh.counts().all == 0
    while sweep(database):
        pass
    assert {row.subject for row in outbox.pending(10_000)} == {"media.gone"}
    assert outbox.count() == 2500
    assert kept_roots(database) == [ROOT]


def test_an_inode_beyond_63_bits_is_kept(database: Database) -> None:
    index = SqliteIndex(database, ROOT)
    key = key_of(b"a.jpg")
    index.apply(Delta(changes=[Change(key, None, Entry(-1, 1, 0))]))
    assert index.entry(key) == Entry(-1, 1, 0)

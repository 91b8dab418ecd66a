"""Days: counts and listings by date against a plain model, in both indexes; what dates a file, and who finds it out."""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from fs_service.domain.errors import OutsideRoots
from fs_service.domain.items import Described, Probe, State, StatusFilter
from fs_service.domain.media import Kind
from fs_service.domain.timeline import Cut, next_folder
from fs_service.store.database import Database
from fs_service.store.dating import Dating
from fs_service.store.days import NO_DAY, DayCounts, day_of
from fs_service.store.files import Files
from fs_service.store.index_memory import MemoryIndex
from fs_service.store.index_sqlite import SqliteIndex
from fs_service.store.insides import Insides
from fs_service.store.rows import (
    UNDATED,
    Change,
    Delta,
    Entry,
    Facts,
    Folder,
    Probed,
    RootIndex,
    admits,
    folder_of,
    joined,
    key_of,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from looking_world import World
from media_common.dates import DAY_US, dated_us
from media_common.errors import InvalidArgument
from media_common.insides.description import Camera

NOON = DAY_US // 2
FOLDERS = [b"", b"a", b"a/b", b"a-b", b"c"]
Model = dict[bytes, tuple[int, int]]  # by relative path: state, when


@contextmanager
def sqlite_index(*, prepared: bool) -> Iterator[SqliteIndex]:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(Path(folder))
        try:
            index = SqliteIndex(database, b"/rev")
            if prepared:
                index.prepare()
            yield index
        finally:
            database.close()


paths = st.builds(joined, st.sampled_from(FOLDERS), st.sampled_from([b"a.jpg", b"b.jpg", b"c.mp4", b"\xff.jpg"]))
moments = st.one_of(
    st.just(UNDATED),
    st.builds(lambda day, within: day * DAY_US + within, st.integers(-2, 3), st.sampled_from([0, 1, NOON, DAY_US - 1])),
)
models = st.dictionaries(paths, st.tuples(st.integers(0, 7), moments), max_size=20)


def applied(index: RootIndex, old: Model, new: Model) -> None:
    """Bring the index from the one model to the other in one delta; a file whose time changes is another one."""
    delta = Delta(folders=[Folder(folder, (1, 2, 3, 4), settled=True) for folder in FOLDERS])
    for path in old.keys() | new.keys():
        before, after = old.get(path), new.get(path)
        if before == after:
            continue
        delta.changes.append(Change(key_of(path), _entry(before), _entry(after)))
        if after is not None and after[1] != UNDATED and (before is None or before[1] != after[1]):
            delta.probed.append(Probed(key_of(path), Facts(1, 2, 3, 4, 5, 6, None, after[1]), edited=False))
    index.apply(delta)


def _entry(of: tuple[int, int] | None) -> Entry | None:
    return None if of is None else Entry(of[1] % 1_000_003, 1, of[0])


def by_hand(model: Model, folder: bytes, status: StatusFilter, *, recursive: bool) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for path, (state, when_us) in model.items():
        inside = folder_of(path) == folder or (recursive and (not folder or folder_of(path).startswith(folder + b"/")))
        if inside and admits(status, state):
            found.setdefault(when_us // DAY_US, [0] * 8)[state] += 1
    return found


@settings(max_examples=80, deadline=None)
@given(
    history=st.lists(models, min_size=1, max_size=4),
    folder=st.sampled_from([*FOLDERS, b"nowhere"]),
    recursive=st.booleans(),
    prepared=st.booleans(),
)
def test_a_histogram_is_what_counting_gives_after_any_history(
    history: list[Model], folder: bytes, recursive: bool, prepared: bool
) -> None:
    with sqlite_index(prepared=prepared) as kept:
        for index in (MemoryIndex(), kept):
            model: Model = {}
            for step in history:
                applied(index, model, step)
                model = step
                wanted = by_hand(model, folder, StatusFilter.ALL, recursive=recursive)
                assert {day: list(n) for day, n in index.days(folder, recursive=recursive).items()} == wanted
            for status in StatusFilter:
                told = dict(index.folder_counts(status))
                for one in FOLDERS:
                    counted = by_hand(model, one, status, recursive=False)
                    assert told.get(one, 0) == sum(map(sum, counted.values()))
            assert index.undated(b"", 100) == sorted(
                key_of(path) for path, (_, when) in model.items() if when == UNDATED
            )


cuts = st.builds(
    Cut,
    st.sampled_from(StatusFilter),
    st.none() | st.sampled_from([*FOLDERS, b"nowhere"]),
    st.just(True),
    st.none() | st.integers(-3, 4),
    st.none() | st.integers(-3, 4),
) | st.builds(Cut, st.sampled_from(StatusFilter), st.sampled_from([*FOLDERS, b"nowhere"]))


@settings(max_examples=120, deadline=None)
@given(
    history=st.lists(models, min_size=1, max_size=3),
    cut=cuts,
    after=st.none() | st.tuples(moments, paths),
    offset=st.integers(0, 12),
    limit=st.integers(1, 12),
)
def test_any_page_of_a_cut_is_that_of_a_sorted_list(
    history: list[Model], cut: Cut, after: tuple[int, bytes] | None, offset: int, limit: int
) -> None:
    spot = None if after is None else (after[0], key_of(after[1]))
    with sqlite_index(prepared=True) as kept:
        for index in (MemoryIndex(), kept):
            model: Model = {}
            for step in history:
                applied(index, model, step)
                model = step
            passing = sorted(
                (when if cut.by_date else 0, key_of(path))
                for path, (state, when) in model.items()
                if admits(cut.status, state)
                and (cut.folder is None or folder_of(path) == cut.folder)
                and (not cut.by_date or cut.has_day(None if when == UNDATED else when // DAY_US))
            )
            begin = None if spot is None else (spot[0] if cut.by_date else 0, spot[1])
            behind = [one for one in passing if begin is None or one > begin]
            page = index.cut_page(cut, spot, offset, limit)
            assert [row.key for row in page] == [key for _, key in behind[offset : offset + limit]]


def test_runs_hold_every_row_once_and_no_day_in_vain_that_is_heavy() -> None:
    counts = DayCounts([(b"", 1, 0, 3), (b"", 2, 4, 1000), (b"", 3, 0, 5), (b"", 4, 0, 1000), (b"", 5, 0, 1)])
    unseen = Cut(StatusFilter.UNSEEN, by_date=True)
    assert counts.runs(unseen) == [(1, 2, 3), (3, 5, 1005), (5, 6, 1)]


@settings(max_examples=200)
@given(st.none() | st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**64))
def test_every_file_has_a_day_that_can_be_written(taken_us: int | None, modified_us: int) -> None:
    assert -719_162 <= day_of(dated_us(taken_us, modified_us)) <= 2_932_896 < NO_DAY


@pytest.fixture
def in_auckland(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_the_camera_goes_before_the_file_whose_time_is_this_machines(in_auckland: None) -> None:
    utc_us = 1_776_038_400_000_000  # 2026-04-13 00:00 UTC: noon of that day there
    assert dated_us(None, utc_us) == utc_us + 12 * 3_600_000_000
    assert dated_us(123, utc_us) == 123


@given(st.dictionaries(st.sampled_from([*FOLDERS, b"d/e", b"d"]), st.integers(0, 3)), st.sampled_from([*FOLDERS, b"d"]))
def test_the_next_folder_is_behind_this_one_by_path_and_then_from_the_beginning(
    folders: dict[bytes, int], current: bytes
) -> None:
    def place(path: bytes) -> list[bytes]:
        return path.split(b"/") if path else []

    there = sorted((path for path, count in folders.items() if count and path != current), key=place)
    round_ = [path for path in there if place(path) > place(current)] + there
    assert next_folder(folders.items(), current) == ((round_[0], folders[round_[0]]) if round_ else None)


class Reader:
    """Says that every picture was taken at the moment that is its text; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []

    def describe(self, files: Sequence[tuple[bytes, Kind]]) -> list[Described | None]:
        self.asked += [os.path.basename(path) for path, _ in files]
        return [self._one(Path(os.fsdecode(path)).read_text()) for path, _ in files]

    def _one(self, text: str) -> Described | None:
        return None if text == "dead" else Described(Probe(1, 1), Camera(taken_us=int(text) if text else None))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path) as one:
        yield one


def _dating(world: World, reader: Reader) -> Callable[[Path], bool]:
    dating = Dating(world.shelves, patience_s=0)
    insides = Insides(world.roots, reader, Files(world.roots), dating.learned)

    def round_(root: Path) -> bool:
        world.library.summary(os.fsencode(root))  # it is scanned
        return dating.round(os.fsencode(root), insides.describe, lambda: False)

    return round_


def _put(path: Path, taken_us: int | None, mtime_s: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("" if taken_us is None else str(taken_us))
    os.utime(path, (mtime_s, mtime_s))


def _days(
    world: World, path: Path, status: StatusFilter = StatusFilter.ALL, *, recursive: bool = True
) -> dict[int, int]:
    told = world.library.histogram(os.fsencode(path), status, recursive=recursive)
    return {day: counts.all for day, counts in told.days}


def test_files_that_nobody_reads_are_dated_once_and_marks_count_at_once(world: World) -> None:
    root, reader = world.root(), Reader()
    for number in range(5):
        _put(root / f"a/{number}.jpg", number * DAY_US + NOON)
    _put(root / "b.jpg", None, mtime_s=40 * 86_400 + 43_200)
    _put(root / "c.jpg", None)
    (root / "c.jpg").write_text("dead")
    (root / "a/notes.txt").touch()
    told = world.library.histogram(os.fsencode(root), StatusFilter.ALL, recursive=True)
    assert (told.days, told.undated.all, told.ignored) == ([], 7, 1)
    round_ = _dating(world, reader)
    round_(root)
    assert _days(world, root) == {0: 1, 1: 1, 2: 1, 3: 1, 4: 1, 40: 1}
    assert _days(world, root / "a") == {0: 1, 1: 1, 2: 1, 3: 1, 4: 1}
    assert _days(world, root, recursive=False) == {40: 1}
    world.caretaker.round()  # from memory into the database
    assert _days(world, root) == {0: 1, 1: 1, 2: 1, 3: 1, 4: 1, 40: 1}
    round_(root)
    assert sorted(reader.asked) == sorted([b"0.jpg", b"1.jpg", b"2.jpg", b"3.jpg", b"4.jpg", b"b.jpg", b"c.jpg"])
    for mark in ("seen", "trash"):
        (root / f"a/1.jpg.{mark}").touch()
    world.shelves.set_state(os.fsencode(root / "a/1.jpg"), State.SEEN | State.TRASHED)
    assert 1 not in _days(world, root, StatusFilter.UNSEEN)
    assert _days(world, root, StatusFilter.TRASHED) == {1: 1}
    world.restart()
    assert _days(world, root) == {0: 1, 1: 1, 2: 1, 3: 1, 4: 1, 40: 1}
    _put(root / "a/1.jpg", 9 * DAY_US, mtime_s=5)  # changed in place: it has to be looked at to be known
    list(world.library.stream(os.fsencode(root), 0, 100, StatusFilter.ALL, None))
    _dating(world, reader)(root)
    assert _days(world, root / "a") == {0: 1, 2: 1, 3: 1, 4: 1, 9: 1}


def test_a_look_at_a_page_does_not_forget_when_a_file_is_from(world: World) -> None:
    root, reader = world.root(), Reader()
    _put(root / "a.jpg", 3 * DAY_US)
    _dating(world, reader)(root)
    list(world.library.stream(os.fsencode(root), 0, 100, StatusFilter.ALL, None))
    world.library.item(os.fsencode(root / "a.jpg"))
    assert _days(world, root) == {3: 1}


def _names(world: World, root: Path, cut: Cut, after: Path | None = None) -> list[str]:
    cursor = None if after is None else os.fsencode(after)
    batches = world.library.cut(os.fsencode(root), cut, 0, 1000, cursor)
    return [os.fsdecode(os.path.basename(item.path)) for batch in batches for item in batch]


@pytest.mark.parametrize("kept", [False, True])
def test_a_listing_by_date_or_of_a_folder_goes_on_behind_what_was_had(world: World, kept: bool) -> None:
    root = world.root()
    for number in range(40):
        _put(root / f"{number % 2}/{number:02}.jpg", (40 - number) * DAY_US)
    if kept:
        world.caretaker.round()
    _dating(world, Reader())(root)
    by_date = Cut(StatusFilter.ALL, by_date=True)
    backwards = [f"{number:02}.jpg" for number in reversed(range(40))]
    assert _names(world, root, by_date) == backwards
    assert _names(world, root, by_date, root / "1/05.jpg") == backwards[35:]
    inside = Cut(StatusFilter.ALL, os.fsencode(root / "1"), by_date=True, from_day=10, before_day=20)
    assert _names(world, root, inside) == [f"{number:02}.jpg" for number in range(29, 20, -2)]
    assert _names(world, root, Cut(StatusFilter.ALL, os.fsencode(root / "0")), root / "0/36.jpg") == ["38.jpg"]
    assert _names(world, root, Cut(StatusFilter.ALL, os.fsencode(root))) == []
    with pytest.raises(InvalidArgument, match="after"):
        _names(world, root, by_date, root / "1/gone.jpg")
    with pytest.raises(InvalidArgument, match="folder"):
        _names(world, root, Cut(StatusFilter.ALL, b"/elsewhere"))
    with pytest.raises(InvalidArgument, match="order by date"):
        _names(world, root, Cut(StatusFilter.ALL, from_day=1))


def test_an_index_of_the_version_before_is_taken_over_and_its_rows_are_dated_later(tmp_path: Path) -> None:
    database = Database(tmp_path)
    index = SqliteIndex(database, b"/rev")
    applied(index, {}, {b"a/b.jpg": (4, UNDATED)})
    index.mark_scanned()
    epoch = database.epoch
    database.close()
    with sqlite3.connect(tmp_path / "index.db") as old:
        old.executescript(
            "DROP INDEX item_folder; DROP INDEX item_dated; ALTER TABLE item DROP COLUMN dated_us;"
            "CREATE INDEX item_folder ON item (folder_id); PRAGMA user_version = 1;"
        )
    old.close()
    database = Database(tmp_path)
    again = SqliteIndex(database, b"/rev")
    assert (database.epoch, again.scanned) == (epoch, True)
    assert again.undated(b"", 9) == [key_of(b"a/b.jpg")]
    assert again.days(None, recursive=True) == {NO_DAY: [0, 0, 0, 0, 1, 0, 0, 0]}
    database.close()
    assert not (tmp_path / "index.db.broken").exists()


def test_the_histogram_of_what_is_no_folder_of_a_root_is_empty_and_outside_is_refused(world: World) -> None:
    root = world.root()
    assert _days(world, root / "none") == {}
    with pytest.raises(OutsideRoots):
        _days(world, root.parent)

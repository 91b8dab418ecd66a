"""What this service's own deeds do to the index, and that many threads and sudden ends lose nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fs_service.domain.errors import StorageFailed
from fs_service.domain.items import State, StatusFilter
from fs_service.domain.views import Counts
from fs_service.store import shelf, walk
from fs_service.store.index_sqlite import SqliteIndex
from fs_service.store.rows import Delta
from looking_world import World, eventually, oracle, put, settled


def known(world: World, *names: str) -> Path:
    root = world.root()
    put(root, *names)
    world.items(root)
    world.background()
    world.messages()
    return root


def indexed(world: World, root: Path) -> Counts:
    """What the index holds, whatever is on the disk."""
    return world.shelves._shelf(os.fsencode(root)).counts()


def test_a_state_that_was_set_is_in_the_next_answer(world: World) -> None:
    root = known(world, "a.jpg", "d/b.jpg")
    base = os.fsencode(root)
    world.shelves.set_states([(base + b"/a.jpg", State.SEEN), (base + b"/d/b.jpg", State.SEEN | State.TRASHED)])
    counts = indexed(world, root)
    assert (counts.all, counts.seen, counts.trashed) == (2, 2, 1)
    eventually(lambda: len(world.messages(forget=False)) == 2)
    assert world.messages() == [("media.state", "a.jpg"), ("media.state", "b.jpg")]
    world.shelves.set_state(base + b"/a.jpg", State.SEEN)
    world.shelves.set_state(base + b"/nothing.jpg", State.SEEN)
    world.shelves.set_state(base, State.SEEN)
    world.shelves.set_state(b"/elsewhere/a.jpg", State.SEEN)
    world.shelves.flush()
    assert world.messages() == []


def test_the_disk_is_right_when_it_and_a_state_that_was_set_differ(world: World) -> None:
    root = known(world, "a.jpg")
    settled(root)
    world.items(root)
    world.shelves.set_state(os.fsencode(root / "a.jpg"), State.LOCKED)
    assert indexed(world, root).locked == 1
    assert [item.state for item in world.items(root)] == [State.NONE]


def test_a_state_set_on_a_file_that_no_look_has_seen_yet_is_counted(world: World) -> None:
    root = known(world, "a.jpg")
    put(root, "new/b.jpg", "new/b.jpg.seen")
    world.shelves.set_state(os.fsencode(root / "new" / "b.jpg"), State.SEEN)
    summary = world.library.summary(os.fsencode(root))
    assert (summary.all, summary.seen) == (2, 1)


def test_forgotten_files_are_gone_at_once(world: World) -> None:
    root = known(world, "a.jpg", "b.jpg", "c.jpg")
    (root / "b.jpg").unlink()
    world.shelves.forget([os.fsencode(root / "b.jpg"), os.fsencode(root / "never.jpg")])
    assert world.library.summary(os.fsencode(root)).all == 2
    assert world.messages() == [("media.gone", "b.jpg")]
    assert world.names(root) == ["a.jpg", "c.jpg"]
    assert world.messages() == []


def test_trash_is_told_in_path_order_and_compared_with_the_disk(world: World) -> None:
    root = known(world, "b/a.jpg", "a/z.jpg", "a.jpg", "a/y.jpg", "c.jpg")
    put(root, "b/a.jpg.trash", "a/z.jpg.trash", "a.jpg.trash", "a.jpg.lock", "a/y.jpg.trash")
    trashed = [(item.place.relative, item.state) for item in world.shelves.trashed(os.fsencode(root))]
    assert trashed == [
        (b"a.jpg", State.TRASHED | State.LOCKED),
        (b"a/y.jpg", State.TRASHED),
        (b"a/z.jpg", State.TRASHED),
        (b"b/a.jpg", State.TRASHED),
    ]
    (root / "a/y.jpg.trash").unlink()
    assert len(list(world.shelves.trashed(os.fsencode(root)))) == 3


def test_trash_names_the_deepest_root_of_each_file(world: World) -> None:
    outer = world.root("x")
    put(outer, "sub/a.jpg", "sub/a.jpg.trash")
    inner = world.root("x/sub")
    (item,) = world.shelves.trashed(os.fsencode(outer))
    assert item.place.root == os.fsencode(inner)
    assert item.place.path == os.fsencode(outer / "sub/a.jpg")


def test_changes_while_a_scan_is_persisted_are_not_lost(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    root = world.root()
    put(root, *(f"d{number % 20:02d}/{number:04d}.jpg" for number in range(2000)))
    base = os.fsencode(root)
    world.items(root, limit=20)
    reached, go_on = threading.Event(), threading.Event()
    plain = SqliteIndex.apply

    def held(self: SqliteIndex, delta: Delta) -> None:
        plain(self, delta)
        reached.set()
        assert go_on.wait(10)

    monkeypatch.setattr(SqliteIndex, "apply", held)
    with ThreadPoolExecutor(1) as pool:
        persisting = pool.submit(world.background)
        assert reached.wait(10)
        put(root, "d00/0000.jpg.seen", "new/x.jpg")
        (root / "d01/0001.jpg").unlink()
        (root / "d19").rename(world.base / "away")
        world.shelves.set_state(base + b"/d02/0002.jpg", State.SEEN)
        put(root, "d02/0002.jpg.seen")
        assert indexed(world, root).seen == 1
        during = [(item.path[len(base) + 1 :], item.state) for item in world.items(root)]
        assert during == oracle(root)
        go_on.set()
        persisting.result(10)
    assert world.library.pending_scans() == 0
    assert [(item.path[len(base) + 1 :], item.state) for item in world.items(root)] == oracle(root)
    world.restart()
    assert [(item.path[len(base) + 1 :], item.state) for item in world.items(root)] == oracle(root)
    assert world.library.summary(base).all == len(oracle(root))


def test_a_scan_cut_off_in_the_middle_is_made_whole_without_doubles(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = world.root()
    put(root, *(f"d{number % 3}/{number:04d}.jpg" for number in range(4000)))
    base = os.fsencode(root)
    world.items(root, limit=20)
    plain, writes = SqliteIndex.apply, []

    class Killed(BaseException):
        pass

    def killed(self: SqliteIndex, delta: Delta) -> None:
        plain(self, delta)
        writes.append(1)
        if len(writes) == 2:
            raise Killed

    monkeypatch.setattr(SqliteIndex, "apply", killed)
    with pytest.raises(Killed):
        world.background()
    monkeypatch.undo()
    world.crash()
    assert world.library.pending_scans() == 1
    (root / "d0/0000.jpg").unlink()
    assert len(world.items(root)) == 3999
    world.background()
    assert world.library.pending_scans() == 0
    assert [(item.path[len(base) + 1 :], item.state) for item in world.items(root)] == oracle(root)
    messages = world.messages()
    assert len(set(messages)) == len(messages)
    assert {name for subject, name in messages if subject == "media.found"} >= {f"{n:04d}.jpg" for n in range(1, 4000)}


def test_a_state_not_yet_written_when_the_process_dies_is_found_on_the_disk(world: World) -> None:
    root = known(world, "a.jpg", "b.jpg")
    settled(root)
    world.items(root)
    world.messages()
    put(root, "a.jpg.seen")
    world.shelves._shelf(os.fsencode(root)).put(b"a.jpg", State.SEEN)
    world.crash()
    assert world.names(root, StatusFilter.SEEN) == ["a.jpg"]
    assert world.messages() == [("media.state", "a.jpg")]


def test_the_summary_is_true_without_a_page(world: World) -> None:
    root = known(world, "a.jpg")
    put(root, "b.jpg")
    assert world.library.summary(os.fsencode(root)).all == 2


def test_the_summary_keeps_up_where_looking_takes_long(world: World) -> None:
    root = known(world, "a.jpg")
    base = os.fsencode(root)
    kept = world.shelves._shelf(base)
    kept.check_s = 1.0
    kept.checked_at -= 2.0
    put(root, "b.jpg")
    assert world.library.summary(base).all == 1
    assert world.shelves.keep_true(base)
    assert world.library.summary(base).all == 2


def test_the_first_summary_of_a_new_root_waits_for_its_scan(world: World) -> None:
    root = world.root()
    put(root, "a.jpg", "b.jpg.txt", "c.jpg", "c.jpg.lock")
    summary = world.library.summary(os.fsencode(root))
    assert (summary.all, summary.locked) == (2, 1)


def test_many_threads_at_once_see_only_whole_truths_and_lose_no_state(world: World) -> None:
    root = world.root()
    names = [f"d{number % 10}/{number:03d}.jpg" for number in range(300)]
    put(root, *names)
    base = os.fsencode(root)
    stop = threading.Event()
    wrong: list[str] = []

    def read(status: StatusFilter) -> None:
        while not stop.is_set():
            items = world.items(root, status, limit=10_000)
            paths = [item.path for item in items]
            if len(paths) != len(set(paths)) or (status is StatusFilter.ALL and len(paths) != 300):
                wrong.append(f"{len(paths)} items")
            summary = world.library.summary(base)
            if summary.all != 300:
                wrong.append(f"all {summary.all}")

    def act(numbers: range) -> None:
        for number in numbers:
            put(root, names[number] + ".seen")
            world.shelves.set_state(base + b"/" + names[number].encode(), State.SEEN)

    world.caretaker.start()
    readers = [threading.Thread(target=read, args=(status,)) for status in (StatusFilter.ALL, StatusFilter.SEEN)]
    actors = [threading.Thread(target=act, args=(range(start, 300, 3),)) for start in range(3)]
    for thread in readers + actors:
        thread.start()
    for thread in actors:
        thread.join()
    stop.set()
    for thread in readers:
        thread.join()
    world.caretaker.stop()
    assert wrong == []
    assert world.library.summary(base).seen == 300
    assert len(world.items(root, StatusFilter.SEEN)) == 300


def test_roots_and_settings_changed_at_once_are_all_kept(world: World) -> None:
    for number in range(16):
        (world.base / f"r{number}").mkdir()

    def change(number: int) -> None:
        world.library.add_root(os.fsencode(world.base / f"r{number}"))
        world.library.update_settings(100 + number)
        if number % 2:
            world.library.remove_root(os.fsencode(world.base / f"r{number}"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(change, range(16)))
    assert len(world.roots.known()) == 8
    assert 100 <= world.library.settings().video_preload_mb < 116
    world.restart()
    assert len(world.roots.known()) == 8
    assert all(info.state.name == "ONLINE" for info in world.library.roots())


KILLED = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from looking_world import World
world = World.__new__(World)
world.base = Path(sys.argv[2])
world.state_dir = world.base / "state"
from looking_world import FakeMarks, FakeProber
world.marks, world.prober = FakeMarks(), FakeProber()
world._start()
print("started", flush=True)
world.background()
print("persisted", flush=True)
sys.stdin.read()
"""


def test_kill_9_at_any_moment_of_a_scan_leaves_an_index_that_becomes_true(world: World) -> None:
    root = world.root()
    put(root, *(f"d{number % 11}/{number:04d}.jpg" for number in range(3000)))
    base = os.fsencode(root)
    world.writer.stop()
    world.database.close()
    for wait_s in (0.0, 0.02, 0.05, 0.1, 0.15):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(Path(__file__).parent), str(world.base)],
            stdout=subprocess.PIPE,
            stdin=subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == b"started\n"
        time.monotonic()
        threading.Event().wait(wait_s)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        process.stdin.close()
    world._start()
    assert len(world.items(root)) == 3000
    world.background()
    assert [(item.path[len(base) + 1 :], item.state) for item in world.items(root)] == oracle(root)
    found = [one for one in world.messages() if one[0] == "media.found"]
    assert len(found) == len(set(found)) == 3000


class TestWhatWasSeenInBetween:
    """Whoever is told of a file and looks sees it as it is at that moment; what it is in the end has to be told."""

    def test_a_mark_that_came_and_went_between_two_listings(self, world: World) -> None:
        root = known(world, "a.jpg")
        path, mark = os.fsencode(root / "a.jpg"), root / "a.jpg.trash"
        mark.touch()
        assert world.library.item(path).state == State.TRASHED
        mark.unlink()
        assert [item.state for item in world.items(root)] == [State.NONE]
        assert world.messages() == [("media.state", "a.jpg")]
        assert world.library.item(path).state == State.NONE
        world.items(root)
        assert world.messages() == []

    def test_a_mark_that_was_gone_while_a_deed_was_being_told(self, world: World) -> None:
        root = known(world, "a.jpg")
        path, mark = os.fsencode(root / "a.jpg"), root / "a.jpg.trash"
        mark.touch()
        world.shelves.set_state(path, State.TRASHED)
        mark.unlink()
        world.shelves.flush()
        assert world.messages() == [("media.state", "a.jpg")]
        assert world.library.item(path).state == State.NONE
        mark.touch()
        assert [item.state for item in world.items(root)] == [State.TRASHED]
        assert world.messages() == [("media.state", "a.jpg")]

    def test_a_mark_that_a_deed_s_state_hid(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        root = known(world, "a.jpg")
        path, mark = os.fsencode(root / "a.jpg"), root / "a.jpg.trash"
        listing = shelf.list_folder

        def listed(folder_fd: int) -> walk.Listing:
            found = listing(folder_fd)
            world.shelves.set_state(path, State.NONE)  # of a deed that was done just before
            return found

        mark.touch()
        monkeypatch.setattr(shelf, "list_folder", listed)
        world.items(root)
        monkeypatch.undo()
        assert ("media.state", "a.jpg") in world.messages()
        assert world.library.item(path).state == State.TRASHED
        mark.unlink()
        seen = world.told("state")
        assert [item.state for item in world.items(root)] == [State.NONE]
        assert world.messages() == [("media.state", "a.jpg")]
        assert len(world.told("state")) == len(seen) + 1  # the public followers, too

    def test_while_the_first_walk_is_still_in_memory(self, world: World) -> None:
        root = world.root()
        put(root, "a.jpg", "d/b.jpg")
        world.items(root)
        path, mark = os.fsencode(root / "a.jpg"), root / "a.jpg.trash"
        mark.touch()
        assert world.library.item(path).state == State.TRASHED
        mark.unlink()
        world.items(root)
        world.background()
        assert ("media.state", "a.jpg") in world.messages()

    def test_a_look_is_doubted_until_the_listing_is_kept(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        root = known(world, "a.jpg")
        path, mark = os.fsencode(root / "a.jpg"), root / "a.jpg.trash"
        mark.touch()
        world.library.item(path)
        mark.unlink()
        apply = SqliteIndex.apply

        def full(index: SqliteIndex, delta: Delta) -> None:
            raise StorageFailed("The disk is full.")

        monkeypatch.setattr(SqliteIndex, "apply", full)
        with pytest.raises(StorageFailed):
            world.items(root)
        monkeypatch.setattr(SqliteIndex, "apply", apply)
        world.items(root)
        assert world.messages() == [("media.state", "a.jpg")]


def test_a_state_that_cannot_be_written_is_written_later(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    root = known(world, "a.jpg")
    path = os.fsencode(root / "a.jpg")

    def full(index: SqliteIndex, delta: Delta) -> None:
        raise StorageFailed("The disk is full.")

    world.shelves.set_state(path, State.SEEN)
    with monkeypatch.context() as patch:
        patch.setattr(SqliteIndex, "apply", full)
        with pytest.raises(StorageFailed):
            indexed(world, root)
    assert indexed(world, root).seen == 1


def test_what_a_deed_found_made_already_is_told_to_the_public_too(world: World) -> None:
    root = known(world, "a.jpg")
    path = os.fsencode(root / "a.jpg")
    put(root, "a.jpg.trash")
    for _ in range(2):
        world.shelves.set_states([(path, State.TRASHED)], made_here=False)
        world.shelves.flush()
    assert world.messages() == [("media.state", "a.jpg")]
    assert len(world.told("state")) == 1

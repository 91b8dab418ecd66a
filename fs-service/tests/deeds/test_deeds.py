"""Acting on files: what becomes of the companions, and what is refused with nothing changed."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path

import pytest
from deeds_world import World
from fs_service.domain.disk import MarkBlocked
from fs_service.domain.errors import (
    ItemLocked,
    NameTooLong,
    NotMedia,
    OutsideRoots,
    PathMissing,
    RootOffline,
    StorageFailed,
)
from fs_service.domain.items import SUFFIXES, Action, State
from media_common.errors import ServiceError
from media_common.wire import WIRE

LOCKED, TRASHED, SEEN, NONE = State.LOCKED, State.TRASHED, State.SEEN, State.NONE


@pytest.mark.parametrize(
    ("before", "action", "wanted"),
    [
        (NONE, Action.LOCK, LOCKED | SEEN),
        (NONE, Action.TRASH, TRASHED | SEEN),
        (NONE, Action.SEEN, SEEN),
        (LOCKED | SEEN, Action.UNLOCK, SEEN),
        (TRASHED | SEEN, Action.UNTRASH, SEEN),
        (TRASHED | SEEN, Action.LOCK, LOCKED | TRASHED | SEEN),
        (SEEN, Action.UNSEEN, NONE),
        (SEEN, Action.SEEN, SEEN),
        (NONE, Action.UNLOCK, NONE),
    ],
)
def test_an_action_makes_the_companions_say_its_state(
    world: World, before: State, action: Action, wanted: State
) -> None:
    path = world.file("day/photo.jpg", marks=before)
    assert world.deeds.act(path, action) == wanted
    assert world.state(path) == wanted


def test_companions_are_empty_files_named_after_the_whole_name(world: World) -> None:
    path = world.file("photo.jpg")
    world.deeds.act(path, Action.LOCK)
    names = sorted(os.listdir(world.root))
    assert names == ["photo.jpg", "photo.jpg.lock", "photo.jpg.seen"]
    assert os.stat(path + b".lock").st_size == 0


def test_what_the_disk_has_already_is_told_to_the_index(world: World) -> None:
    kept, trashed = world.file("kept.jpg", marks=LOCKED), world.file("gone.jpg", marks=TRASHED | SEEN)
    assert world.deeds.act(kept, Action.UNTRASH) == LOCKED
    assert world.deeds.act(trashed, Action.TRASH) == TRASHED | SEEN
    assert world.index.states == {kept: LOCKED, trashed: TRASHED | SEEN}


def test_doing_it_twice_writes_the_journal_once(world: World) -> None:
    path = world.file("photo.jpg")
    assert world.deeds.act(path, Action.TRASH) == world.deeds.act(path, Action.TRASH)
    assert len(world.journal.latest(10)) == 1
    assert len(world.events.emitted) == 1


def test_a_locked_file_is_not_trashed_and_nothing_changes(world: World) -> None:
    path = world.file("photo.jpg", marks=LOCKED)
    before = world.tree()
    with pytest.raises(ItemLocked, match="locked"):
        world.deeds.act(path, Action.TRASH)
    assert world.tree() == before
    assert world.journal.latest(1) == []


def test_the_index_and_the_events_hear_of_a_change(world: World) -> None:
    path = world.file(b"caf\xe9 \xf0\x9f\x8e\x9e.jpg")
    world.deeds.act(path, Action.LOCK)
    assert world.index.states == {path: LOCKED | SEEN}
    ((kind, payload),) = world.events.emitted
    assert kind == "state"
    assert payload["status"] == {"locked": True, "trashed": False, "seen": True}
    assert os.fsencode(json.loads(json.dumps(payload))["path"]) == path


def test_a_path_outside_the_roots_is_refused_before_its_name_is_looked_at(world: World) -> None:
    for name in ("secret.jpg", "secret.txt", "missing.jpg"):
        with pytest.raises(OutsideRoots):
            world.deeds.act(os.fsencode(world.base / "outside" / name), Action.SEEN)


def test_a_root_is_not_its_neighbour_with_a_longer_name(world: World) -> None:
    (world.base / "rev2" / "photo.jpg").write_bytes(b"x")
    with pytest.raises(OutsideRoots):
        world.deeds.act(os.fsencode(world.base / "rev2" / "photo.jpg"), Action.SEEN)


@pytest.mark.parametrize("name", ["notes.txt", "photo.jpg.lock", ".photo.jpg", ".thumbnails/normal/a.png", "rev.d"])
def test_what_is_no_media_file_is_not_acted_on(world: World, name: str) -> None:
    path = world.file(name)
    with pytest.raises(NotMedia):
        world.deeds.act(path, Action.TRASH)


def test_a_folder_and_a_fifo_with_a_media_name_are_not_acted_on(world: World) -> None:
    (world.root / "folder.jpg").mkdir()
    os.mkfifo(world.root / "fifo.jpg")
    for name in ("folder.jpg", "fifo.jpg"):
        with pytest.raises(NotMedia):
            world.deeds.act(os.fsencode(world.root / name), Action.TRASH)


def test_a_missing_file_is_missing_whether_its_folder_is_there_or_not(world: World) -> None:
    for name in ("missing.jpg", "no/such/folder.jpg", "x" * 300 + ".jpg"):
        with pytest.raises(PathMissing):
            world.deeds.act(os.fsencode(world.root / name), Action.SEEN)
    world.file("photo.jpg")
    with pytest.raises(PathMissing):
        world.deeds.act(os.fsencode(world.root / "photo.jpg" / "below.jpg"), Action.SEEN)


def test_the_root_itself_is_no_media_file(tmp_path: Path) -> None:
    with World(tmp_path, roots=["rev.jpg"]) as world, pytest.raises(NotMedia):
        world.deeds.act(os.fsencode(tmp_path / "rev.jpg"), Action.SEEN)


def test_a_folder_that_is_a_link_is_outside_whether_the_file_exists_or_not(world: World) -> None:
    (world.base / "outside" / "photo.jpg").write_bytes(b"x")
    (world.root / "way").symlink_to(world.base / "outside")
    for name in ("photo.jpg", "missing.jpg"):
        with pytest.raises(OutsideRoots):
            world.deeds.act(os.fsencode(world.root / "way" / name), Action.LOCK)
    assert os.listdir(world.base / "outside") == ["photo.jpg"]


def test_a_link_to_a_file_inside_the_root_is_marked_beside_the_link(world: World) -> None:
    target = world.file("real/photo.jpg")
    (world.root / "link.jpg").symlink_to("real/photo.jpg")
    path = os.fsencode(world.root / "link.jpg")
    assert world.deeds.act(path, Action.TRASH) == TRASHED | SEEN
    assert world.state(path) == TRASHED | SEEN
    assert world.state(target) == NONE


def test_a_link_out_of_the_root_is_refused_whether_its_target_exists_or_not(world: World) -> None:
    (world.base / "outside" / "photo.jpg").write_bytes(b"x")
    (world.root / "out.jpg").symlink_to(world.base / "outside" / "photo.jpg")
    (world.root / "dangling.jpg").symlink_to(world.base / "outside" / "missing.jpg")
    (world.root / "away.jpg").symlink_to("nowhere.jpg")
    before = world.tree()
    for name, error in (("out.jpg", OutsideRoots), ("dangling.jpg", OutsideRoots), ("away.jpg", PathMissing)):
        with pytest.raises(error):
            world.deeds.act(os.fsencode(world.root / name), Action.LOCK)
    assert world.tree() == before


@pytest.mark.parametrize("kind", ["link to a file", "dangling link", "folder"])
@pytest.mark.parametrize("suffix", [".lock", ".seen"])
def test_what_stands_in_a_companions_place_is_no_mark_and_is_never_touched(
    world: World, kind: str, suffix: str
) -> None:
    path = world.file("photo.jpg")
    victim = world.base / "outside" / "victim"
    victim.write_bytes(b"precious")
    place = Path(os.fsdecode(path) + suffix)
    if kind == "folder":
        place.mkdir()
    else:
        place.symlink_to(victim if kind == "link to a file" else world.base / "outside" / "made")
    before = world.tree()
    with pytest.raises(MarkBlocked, match="nothing was changed") as caught:
        world.deeds.act(path, Action.LOCK)
    assert WIRE[caught.value.code].http == 400
    assert world.tree() == before
    assert victim.read_bytes() == b"precious"
    # Taking such a mark away is no change: it is none.
    assert world.deeds.act(path, Action.UNLOCK) == NONE
    assert world.deeds.act(path, Action.UNSEEN) == NONE
    assert world.tree() == before
    assert world.journal.latest(1) == []


def test_a_link_in_the_place_of_the_lock_does_not_lock(world: World) -> None:
    path = world.file("photo.jpg")
    os.symlink("photo.jpg", path + b".lock")
    assert world.deeds.act(path, Action.TRASH) == TRASHED | SEEN


@pytest.mark.parametrize(
    ("length", "action", "fits"),
    [
        (250, Action.SEEN, True),
        (251, Action.SEEN, False),
        (250, Action.LOCK, True),
        (249, Action.TRASH, True),
        (250, Action.TRASH, False),
        (255, Action.UNTRASH, True),
        (255, Action.UNSEEN, True),
    ],
)
def test_a_name_too_long_for_its_companion_changes_nothing(
    world: World, length: int, action: Action, fits: bool
) -> None:
    path = world.file("x" * (length - 4) + ".jpg")
    before = world.tree()
    if fits:
        world.deeds.act(path, action)
    else:
        with pytest.raises(NameTooLong):
            world.deeds.act(path, action)
        assert world.tree() == before
        assert world.journal.latest(1) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO])
@pytest.mark.parametrize("at", ["make SEEN", "make TRASHED", "sync"])
def test_a_disk_that_refuses_half_way_leaves_everything_as_it_was(tmp_path: Path, number: int, at: str) -> None:
    armed = False

    def fault(step: str) -> None:
        if armed and step == at:
            raise OSError(number, os.strerror(number))

    with World(tmp_path, fault=fault) as world:
        path = world.file("photo.jpg")
        before = world.tree()
        armed = True
        with pytest.raises(StorageFailed) as caught:
            world.deeds.act(path, Action.TRASH)
        armed = False
        assert os.fsdecode(world.base) not in caught.value.message
        assert world.tree() == before
        assert world.journal.latest(1) == []
        assert world.recovered().finished == 0
        assert world.deeds.act(path, Action.TRASH) == TRASHED | SEEN


def test_a_removal_that_fails_half_way_brings_back_what_was_removed(tmp_path: Path) -> None:
    def fault(step: str) -> None:
        if step == "remove SEEN":
            raise OSError(errno.EIO, "broken")

    with World(tmp_path, fault=fault) as world:
        path = world.file("photo.jpg")
        world.deeds.act(path, Action.TRASH)
        with pytest.raises(StorageFailed, match="failed to read or write"):
            world.deeds.undo(1)
        assert world.state(path) == TRASHED | SEEN
        assert len(world.journal.latest(1)) == 1  # still to be undone


def test_a_journal_that_cannot_be_written_stops_an_action_before_the_disk_changes(tmp_path: Path) -> None:
    with World(tmp_path) as world:
        path = world.file("photo.jpg")
        before = world.tree()
        world.database._connection.execute("PRAGMA query_only = 1")
        with pytest.raises(StorageFailed):
            world.deeds.act(path, Action.TRASH)
        assert world.tree() == before


def test_an_offline_and_a_swapped_root_refuse_and_nothing_changes(world: World) -> None:
    path = world.file("photo.jpg")
    os.rename(world.root, world.base / "away")
    with pytest.raises(RootOffline, match="offline"):
        world.deeds.act(path, Action.TRASH)
    world.root.mkdir()
    world.file("photo.jpg")
    with pytest.raises(RootOffline):
        world.deeds.act(path, Action.TRASH)
    assert world.state(path) == NONE
    os.rename(world.root, world.base / "other")
    os.rename(world.base / "away", world.root)
    assert world.deeds.act(path, Action.TRASH) == TRASHED | SEEN


def test_marks_of_a_read_only_root_are_kept_apart_and_survive_a_restart(world: World) -> None:
    path = world.file("photo.jpg", marks=LOCKED | SEEN)
    other = world.file("other.jpg")
    world.roots.read_only.add(os.fsencode(world.root))
    before = world.tree()
    assert world.deeds.act(path, Action.UNLOCK) == SEEN
    assert world.deeds.act(other, Action.TRASH) == TRASHED | SEEN
    assert world.deeds.act(other, Action.TRASH) == TRASHED | SEEN
    assert world.tree() == before
    with World(world.base) as later:
        later.roots.read_only.add(os.fsencode(world.root))
        assert later.deeds.act(path, Action.SEEN) == SEEN
        assert later.deeds.act(other, Action.SEEN) == TRASHED | SEEN
        later.deeds.act(other, Action.LOCK)
        with pytest.raises(ItemLocked):
            later.deeds.act(other, Action.TRASH)


def test_undo_works_on_a_read_only_root(world: World) -> None:
    path = world.file("photo.jpg", marks=LOCKED)
    world.roots.read_only.add(os.fsencode(world.root))
    world.deeds.act(path, Action.UNLOCK)
    world.deeds.act(path, Action.TRASH)
    world.deeds.undo(2)
    assert world.marks.get(path) is None  # as its companions say
    assert world.deeds.act(path, Action.UNTRASH) == LOCKED


def test_marks_kept_apart_become_companions_when_the_root_can_be_written_again(world: World) -> None:
    path = world.file("photo.jpg", marks=LOCKED | SEEN)
    other = world.file("other.jpg")
    root = os.fsencode(world.root)
    world.roots.read_only.add(root)
    world.deeds.act(path, Action.UNLOCK)
    world.deeds.act(other, Action.TRASH)
    world.roots.read_only.clear()
    # An action before that goes from the marks kept apart.
    assert world.deeds.act(path, Action.TRASH) == TRASHED | SEEN
    assert world.state(path) == TRASHED | SEEN
    world.deeds.settle(root)
    assert world.state(other) == TRASHED | SEEN
    assert world.marks.below(root) == {}


def test_a_batch_keeps_the_order_and_one_error_stops_no_other(world: World) -> None:
    good = world.file("a.jpg")
    locked = world.file("b.jpg", marks=LOCKED)
    missing = os.fsencode(world.root / "c.jpg")
    outside = os.fsencode(world.base / "outside" / "d.jpg")
    deep = world.file("deep/e.jpg")
    asked = [missing, good, outside, good, locked, deep]
    outcomes = world.deeds.act_batch(asked, Action.TRASH)
    assert [one.path for one in outcomes] == asked
    assert [one.state for one in outcomes] == [None, 6, None, 6, None, 6]
    assert [type(one.error) for one in outcomes] == [
        PathMissing,
        type(None),
        OutsideRoots,
        type(None),
        ItemLocked,
        type(None),
    ]
    assert world.state(good) == world.state(deep) == TRASHED | SEEN
    assert world.state(locked) == LOCKED


def test_a_batch_says_what_each_file_was_before(world: World) -> None:
    fresh, seen, trashed = world.file("a.jpg"), world.file("b.jpg", marks=SEEN), world.file("c/c.jpg", marks=TRASHED)
    locked = world.file("d.jpg", marks=LOCKED)
    outcomes = world.deeds.act_batch([trashed, fresh, locked, seen], Action.TRASH)
    assert [one.before for one in outcomes] == [TRASHED, NONE, None, SEEN]
    assert [one.state for one in outcomes] == [TRASHED | SEEN, TRASHED | SEEN, None, TRASHED | SEEN]
    again = world.deeds.act_batch([fresh], Action.TRASH)
    assert [(one.before, one.state) for one in again] == [(TRASHED | SEEN, TRASHED | SEEN)]


def test_a_batch_over_many_folders_is_one_step(world: World) -> None:
    paths = [world.file(f"{number:03}/photo.jpg") for number in range(150)]
    assert all(one.state == SEEN for one in world.deeds.act_batch(paths, Action.SEEN))
    assert len(world.journal.latest(1)) == 150
    world.deeds.undo(1)
    assert all(world.state(path) == NONE for path in paths)


def test_a_batch_with_nothing_to_change_is_no_step(world: World) -> None:
    path = world.file("photo.jpg", marks=SEEN)
    assert [one.state for one in world.deeds.act_batch([path], Action.SEEN)] == [SEEN]
    assert world.journal.latest(1) == []


def test_odd_names_are_acted_on(world: World) -> None:
    for name in (b"\xff\xfe.jpg", b"a\nb.jpg", b" .jpg", b"%2e.jpg", "e\u0301.JPG".encode(), b"-rf.mp4", b"a\\b.png"):
        path = world.file(name)
        assert world.deeds.act(path, Action.LOCK) == LOCKED | SEEN


def test_two_roots_one_inside_the_other_share_a_files_marks(tmp_path: Path) -> None:
    with World(tmp_path, roots=["rev", "rev/sub"]) as world:
        path = world.file("sub/photo.jpg")
        assert world.deeds.act(path, Action.TRASH) == TRASHED | SEEN
        assert world.state(path) == TRASHED | SEEN


def test_no_error_text_names_a_path(world: World) -> None:
    for name in ("missing.jpg", "notes.txt", "x" * 300 + ".jpg"):
        with pytest.raises(ServiceError) as caught:
            world.deeds.act(os.fsencode(world.root / name), Action.TRASH)
        assert "/" not in caught.value.message


def test_companions_are_plain_files_of_the_usual_mode(world: World) -> None:
    path = world.file("photo.jpg")
    world.deeds.act(path, Action.TRASH)
    for suffix in (SUFFIXES[TRASHED], SUFFIXES[SEEN]):
        mode = os.lstat(path + suffix).st_mode
        assert stat.S_ISREG(mode)
        assert not mode & 0o111

"""Emptying the trash: what goes, what stays, what is told, whatever happens meanwhile."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from deeds_world import World
from fs_service.domain.errors import PlanChanged, UnknownRoot
from fs_service.domain.items import Action, State
from fs_service.domain.ports import RootState, TrashedItem
from fs_service.domain.trash_events import Deleted, Deleting, Done, Failed, FolderDone, Skipped, TrashEvent

LOCKED, TRASHED, SEEN, NONE = State.LOCKED, State.TRASHED, State.SEEN, State.NONE


def trash(world: World, *names: str, content: bytes = b"picture") -> list[bytes]:
    paths = [world.file(name, content) for name in names]
    world.deeds.act_batch(paths, Action.TRASH)
    return paths


def done(events: list[TrashEvent]) -> Done:
    last = events[-1]
    assert isinstance(last, Done)
    return last


def test_the_events_are_those_of_the_contract(world: World) -> None:
    first, second = trash(world, "DCIM/clip001.mp4", "DCIM/clip002.mp4")
    world.deeds.act(second, Action.LOCK)
    world.file("kept.jpg", marks=SEEN)
    events = world.empty()
    root = os.fsencode(world.root)
    receipt = done(events).receipt_id
    assert events == [
        Deleting(first),
        Deleted(first),
        Deleting(second),
        Skipped(second, "locked"),
        FolderDone(root),
        Done(1, 0, 1, 7, receipt),
    ]
    assert sorted(os.listdir(world.root / "DCIM")) == [
        "clip002.mp4",
        "clip002.mp4.lock",
        "clip002.mp4.seen",
        "clip002.mp4.trash",
    ]
    assert (world.root / "kept.jpg").exists()
    assert world.index.forgotten == [first]
    assert world.thumbnails.dropped == [first]
    assert world.thumbnails.pruned == [root]


def test_the_public_events_are_the_same_and_are_json(world: World) -> None:
    (path,) = trash(world, "photo.jpg")
    events = world.empty()
    told = [payload for kind, payload in world.events.emitted if kind == "trash"]
    assert [one["type"] for one in told] == ["deleting", "deleted", "folder_done", "done"]
    assert told == [event.json() for event in events]
    assert json.loads(json.dumps(told))[0]["path"] == os.fsdecode(path)


def test_an_empty_trash_is_emptied_to_nothing(world: World) -> None:
    world.file("photo.jpg")
    assert [type(event) for event in world.empty()] == [FolderDone, Done]
    assert (world.root / "photo.jpg").exists()


def test_only_the_root_that_is_named_is_emptied(tmp_path: Path) -> None:
    with World(tmp_path, roots=["rev", "rev2"]) as world:
        (path,) = trash(world, "photo.jpg")
        other = os.fsencode(tmp_path / "rev2" / "photo.jpg")
        Path(os.fsdecode(other)).write_bytes(b"x")
        world.deeds.act(other, Action.TRASH)
        assert done(world.empty(os.fsencode(tmp_path / "rev2"))).deleted == 1
        assert os.path.exists(path)
        assert not os.path.exists(other)
        with pytest.raises(UnknownRoot):
            world.empty(os.fsencode(tmp_path / "outside"))


def test_a_root_inside_another_is_emptied_once(tmp_path: Path) -> None:
    with World(tmp_path, roots=["rev", "rev/sub"]) as world:
        trash(world, "a.jpg", "sub/b.jpg")
        assert world.trash.plan(None).count == 2
        assert [root.count for root in world.trash.plan(None).roots] == [1, 1]
        assert world.trash.plan(os.fsencode(world.root)).count == 2
        events = world.empty()
        assert done(events).deleted == 2
        assert sum(isinstance(event, FolderDone) for event in events) == 2


def test_a_file_trashed_by_hand_goes_too(world: World) -> None:
    path = world.file("photo.jpg", marks=TRASHED)
    assert done(world.empty()).deleted == 1
    assert not os.path.exists(path)
    assert os.listdir(world.root) == []


def test_a_file_trashed_and_changed_while_the_run_takes_stock_stays(world: World) -> None:
    trash(world, "a.jpg")
    path = world.file("b.jpg")
    listed = world.index.trashed

    def trashed_meanwhile(root: bytes) -> Iterator[TrashedItem]:
        world.deeds.act(path, Action.TRASH)
        os.utime(path, ns=(1, 1))
        return listed(root)

    world.index.trashed = trashed_meanwhile  # type: ignore[method-assign]
    events = world.empty()
    assert Skipped(path, "changed") in events
    assert done(events).deleted == 1
    assert os.path.exists(path)


@pytest.mark.parametrize("how", ["content", "replaced", "touched"])
def test_a_file_changed_since_it_was_trashed_stays(world: World, how: str) -> None:
    (path,) = trash(world, "photo.jpg")
    if how == "content":
        with open(path, "ab") as file:
            file.write(b"more")
    elif how == "replaced":
        os.rename(world.file("new.jpg", b"picture"), path)
    else:
        os.utime(path, ns=(1, 1))
    assert world.trash.plan(None).changed == 1
    assert world.trash.plan(None).count == 0
    events = world.empty()
    assert events[:2] == [Deleting(path), Skipped(path, "changed")]
    assert done(events).skipped == 1
    assert world.state(path) == TRASHED | SEEN
    # Who trashes it again means it as it is.
    world.deeds.act(path, Action.TRASH)
    assert done(world.empty()).deleted == 1


def during(world: World, path: bytes, change: str) -> list[TrashEvent]:
    """The events of a run in which something happens right after the file was announced."""
    run = world.trash.empty(None, None)
    events = []
    for event in run:
        events.append(event)
        if event == Deleting(path):
            match change:
                case "untrash":
                    world.deeds.act(path, Action.UNTRASH)
                case "lock":
                    world.deeds.act(path, Action.LOCK)
                case "gone":
                    os.unlink(path)
                case "edit":
                    os.utime(path, ns=(1, 1))
                case "folder away":
                    os.rename(os.path.dirname(path), os.path.dirname(path) + b"-away")
                case "untrash by hand":
                    os.unlink(path + b".trash")
                case "link in place of the mark":
                    os.rename(path + b".trash", path + b".gone")
                    os.symlink(path + b".gone", path + b".trash")
                case _:
                    raise AssertionError(change)
    return events


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("untrash", "untrashed"),
        ("untrash by hand", "untrashed"),
        ("link in place of the mark", "untrashed"),
        ("lock", "locked"),
        ("edit", "changed"),
        ("gone", "gone"),
        ("folder away", "gone"),
    ],
)
def test_every_file_is_checked_again_at_its_turn(world: World, change: str, reason: str) -> None:
    (path,) = trash(world, "day/photo.jpg")
    events = during(world, path, change)
    assert events[:2] == [Deleting(path), Skipped(path, reason)]
    assert done(events) == Done(0, 0, 1, 0, done(events).receipt_id)
    if reason != "gone":
        assert os.path.exists(path)
    assert world.recovered().deletions_finished == 0


def test_unlocking_during_a_run_does_not_doom_a_file_that_was_announced_as_locked(world: World) -> None:
    (path,) = trash(world, "photo.jpg")
    world.deeds.act(path, Action.LOCK)
    run = world.trash.empty(None, None)
    assert next(run) == Deleting(path)
    world.deeds.act(path, Action.UNLOCK)
    assert next(run) == Skipped(path, "locked")
    assert os.path.exists(path)


def test_a_folder_swapped_for_a_link_during_a_run_protects_what_it_leads_to(world: World) -> None:
    paths = trash(world, "day/a.jpg", "day/b.jpg", "day/c.jpg")
    outside = world.base / "outside"
    for path in paths:
        name = os.path.basename(os.fsdecode(path))
        (outside / name).write_bytes(b"picture")
        (outside / (name + ".trash")).write_bytes(b"")
    run = world.trash.empty(None, None)
    events = [next(run), next(run), next(run)]
    os.rename(world.root / "day", world.base / "moved")
    (world.root / "day").symlink_to(outside)
    events += list(run)
    assert isinstance(events[3], Failed)
    assert events[3].path == paths[1]
    assert done(events).deleted == 1
    assert done(events).errors == 2
    assert len(os.listdir(outside)) == 6
    assert sorted(os.listdir(world.base / "moved"))[0] == "b.jpg"
    assert not any(os.fsdecode(world.base) in event.message for event in events if isinstance(event, Failed))


@pytest.mark.parametrize(
    ("moved", "then"),
    [
        (moved, then)
        for moved in ("rev/trip/day", "rev/trip", "rev")
        for then in ("nothing", "a link to it", "another folder")
        if (moved, then) != ("rev", "a link to it")
    ],
)
def test_a_folder_moved_away_during_a_run_keeps_its_files(world: World, moved: str, then: str) -> None:
    """The run holds the folder open from file to file, and sees all the same that its path leads elsewhere."""
    paths = trash(world, "trip/day/a.jpg", "trip/day/b.jpg", "trip/day/c.jpg")
    run = world.trash.empty(None, None)
    events = [next(run), next(run), next(run)]
    os.rename(world.base / moved, world.base / "moved")
    if then == "a link to it":
        (world.base / moved).symlink_to(world.base / "moved")
    elif then == "another folder":
        (world.base / moved).mkdir()
    events += list(run)
    assert not [event for event in events[3:] if isinstance(event, Deleted)]
    day = next(Path(folder) for folder, _, names in os.walk(world.base / "moved") if "b.jpg" in names)
    assert sorted(os.listdir(day)) == ["b.jpg", "b.jpg.seen", "b.jpg.trash", "c.jpg", "c.jpg.seen", "c.jpg.trash"]
    assert not set(paths[1:]) & set(world.index.forgotten)


def test_a_link_to_it_in_the_roots_own_place_is_the_root(world: World) -> None:
    trash(world, "day/a.jpg", "day/b.jpg")
    run = world.trash.empty(None, None)
    events = [next(run), next(run), next(run)]
    os.rename(world.root, world.base / "moved")
    world.root.symlink_to(world.base / "moved")
    events += list(run)
    assert done(events).deleted == 2


def test_a_folder_that_comes_back_during_a_run_is_gone_on_with(world: World) -> None:
    paths = trash(world, "day/a.jpg", "day/b.jpg", "day/c.jpg")
    run = world.trash.empty(None, None)
    events = [next(run), next(run), next(run)]
    os.rename(world.root / "day", world.base / "moved")
    events.append(next(run))
    assert events[-1] == Skipped(paths[1], "gone")
    os.rename(world.base / "moved", world.root / "day")
    events += list(run)
    assert [event.path for event in events if isinstance(event, Deleted)] == [paths[0], paths[2]]


@pytest.mark.parametrize("kind", ["link to media outside", "folder", "fifo"])
def test_a_file_swapped_for_something_else_is_not_deleted(world: World, kind: str) -> None:
    (path,) = trash(world, "photo.jpg")
    victim = world.base / "outside" / "photo.jpg"
    victim.write_bytes(b"picture")
    run = world.trash.empty(None, None)
    assert next(run) == Deleting(path)
    os.rename(path, world.root / "aside")
    if kind == "folder":
        os.mkdir(path)
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        os.symlink(victim, path)
    event = next(run)
    assert event == Skipped(path, "changed") if kind.startswith("link") else isinstance(event, Failed)
    run.close()
    assert victim.exists()
    assert os.path.lexists(path)
    assert world.state(path) == TRASHED | SEEN


def test_of_a_trashed_link_the_link_goes_and_its_target_stays(world: World) -> None:
    target = world.file("real.jpg")
    (world.root / "link.jpg").symlink_to("real.jpg")
    link = os.fsencode(world.root / "link.jpg")
    world.deeds.act(link, Action.TRASH)
    assert done(world.empty()).deleted == 1
    assert not os.path.lexists(link)
    assert os.path.exists(target)
    assert sorted(os.listdir(world.root)) == ["real.jpg"]


def test_a_link_and_its_target_both_trashed_both_go(world: World) -> None:
    world.file("b-real.jpg")
    for name in ("a.jpg", "z.jpg"):
        (world.root / name).symlink_to("b-real.jpg")
    world.deeds.act_batch([os.fsencode(world.root / name) for name in ("a.jpg", "b-real.jpg", "z.jpg")], Action.TRASH)
    assert done(world.empty()).deleted == 3
    assert os.listdir(world.root) == []


def test_a_link_in_a_companions_place_is_left_where_it_is(world: World) -> None:
    victim = world.base / "outside" / "victim"
    victim.write_bytes(b"precious")
    path = world.file("photo.jpg", marks=TRASHED)
    os.symlink(victim, path + b".seen")
    os.symlink(victim, path + b".lock")
    assert done(world.empty()).deleted == 1
    assert victim.read_bytes() == b"precious"
    assert sorted(os.listdir(world.root)) == ["photo.jpg.lock", "photo.jpg.seen"]


def test_an_offline_root_is_an_error_and_nothing_of_it_is_forgotten(tmp_path: Path) -> None:
    with World(tmp_path, roots=["rev", "rev2"]) as world:
        (path,) = trash(world, "photo.jpg")
        other = os.fsencode(tmp_path / "rev2" / "photo.jpg")
        Path(os.fsdecode(other)).write_bytes(b"x")
        world.deeds.act(other, Action.TRASH)
        os.rename(world.root, tmp_path / "away")
        plan = world.trash.plan(None)
        assert [(root.state, root.count) for root in plan.roots] == [(RootState.OFFLINE, 0), (RootState.ONLINE, 1)]
        events = world.empty()
        assert isinstance(events[0], Failed)
        assert events[0].path == os.fsencode(world.root)
        assert done(events).deleted == 1
        assert world.index.forgotten == [other]
        # Another directory in its place, with the same names, is not emptied either.
        world.root.mkdir()
        world.file("photo.jpg", marks=TRASHED)
        assert world.trash.plan(None).roots[0].state == RootState.SWAPPED
        assert isinstance(world.empty()[0], Failed)
        assert os.path.exists(path)


@pytest.mark.parametrize("swapped", [False, True])
def test_a_root_that_goes_away_during_a_run_keeps_the_rest(world: World, swapped: bool) -> None:
    paths = trash(world, "a.jpg", "b.jpg", "c.jpg")
    run = world.trash.empty(None, None)
    events = [next(run), next(run), next(run)]
    assert events[2] == Deleting(paths[1])
    os.rename(world.root, world.base / "away")
    if swapped:
        world.root.mkdir()
        for name in ("b.jpg", "c.jpg"):
            world.file(name, marks=TRASHED)
    events += list(run)
    # The file in hand, then one for the root; nothing for the rest.
    assert [event.path for event in events[3:] if isinstance(event, Failed)] == [paths[1], os.fsencode(world.root)]
    assert not any(isinstance(event, FolderDone) for event in events)
    assert done(events).deleted == 1
    if swapped:
        assert len(os.listdir(world.root)) == 4
        os.rename(world.root, world.base / "other")
    os.rename(world.base / "away", world.root)
    assert [world.state(path) for path in paths[1:]] == [TRASHED | SEEN] * 2
    assert done(world.empty()).deleted == 2


def test_of_a_read_only_root_nothing_goes(world: World) -> None:
    (path,) = trash(world, "photo.jpg")
    world.roots.read_only.add(os.fsencode(world.root))
    plan = world.trash.plan(None)
    assert (plan.count, plan.roots[0].state) == (0, RootState.READ_ONLY)
    events = world.empty()
    assert [type(event) for event in events] == [Failed, Done]
    assert os.path.exists(path)


def test_a_file_that_cannot_be_deleted_keeps_its_mark(tmp_path: Path) -> None:
    def fault(step: str) -> None:
        if step == "remove media":
            raise PermissionError(13, "Permission denied", "/secret/path")

    with World(tmp_path, fault=fault) as world:
        (path,) = trash(world, "photo.jpg")
        events = world.empty()
        assert isinstance(events[1], Failed)
        assert events[1].path == path
        assert "/" not in events[1].message
        assert done(events).errors == 1
        assert world.state(path) == TRASHED | SEEN
        assert world.trash.receipts(1)[0].errors == 1
        assert world.trash.counters().failed_jobs == 1


def test_a_file_put_in_its_place_in_the_moment_of_its_deletion_stays(tmp_path: Path) -> None:
    def fault(step: str) -> None:
        if step == "remove media":
            other = tmp_path / "other.jpg"
            other.write_bytes(b"picture")
            other.replace(tmp_path / "rev" / "photo.jpg")

    with World(tmp_path, fault=fault) as world:
        (path,) = trash(world, "photo.jpg")
        assert world.empty()[1] == Skipped(path, "changed")
        assert os.path.exists(path)
        assert world.state(path) == TRASHED | SEEN


def test_a_companion_that_stays_behind_does_not_undo_the_deletion(tmp_path: Path) -> None:
    def fault(step: str) -> None:
        if step == "clear SEEN":
            raise PermissionError(13, "Permission denied")

    with World(tmp_path, fault=fault) as world:
        trash(world, "photo.jpg")
        assert done(world.empty()).deleted == 1
        assert os.listdir(world.root) == ["photo.jpg.seen"]


def test_a_caller_who_goes_away_stops_it_after_the_file_in_hand(world: World) -> None:
    paths = trash(world, *(f"{number:03}.jpg" for number in range(200)))
    run = world.trash.empty(None, None)
    for event in run:
        if event == Deleted(paths[99]):
            break
    run.close()
    assert [os.path.exists(path) for path in paths] == [False] * 100 + [True] * 100
    (receipt,) = world.trash.receipts(10)
    assert (receipt.finished_us, receipt.deleted, len(receipt.paths)) == (0, 100, 100)
    assert world.index.forgotten == paths[:100]
    assert world.recovered().deletions_finished == 0
    assert done(world.empty()).deleted == 100


def test_going_away_at_the_announcement_spares_the_file(world: World) -> None:
    (path,) = trash(world, "photo.jpg")
    run = world.trash.empty(None, None)
    assert next(run) == Deleting(path)
    run.close()
    assert world.state(path) == TRASHED | SEEN
    assert world.trash.receipts(1)[0].deleted == 0


def test_the_receipt_says_what_went(world: World) -> None:
    paths = trash(world, "a.jpg", "b.jpg", content=b"1234567890")
    world.deeds.act(paths[1], Action.LOCK)
    events = world.empty()
    (receipt,) = world.trash.receipts(10)
    assert receipt.receipt_id == done(events).receipt_id
    assert (receipt.deleted, receipt.skipped, receipt.errors, receipt.size_bytes) == (1, 1, 0, 10)
    assert receipt.paths == (paths[0],)
    assert receipt.started_us <= receipt.finished_us
    with World(world.base) as later:
        assert later.trash.receipts(1) == [receipt]


def test_the_plan_counts_and_its_hash_follows_every_change(world: World) -> None:
    paths = trash(world, "a.jpg", "b.jpg")
    seen = set()

    def changed() -> bool:
        digest = world.trash.plan(None).hash
        new = digest not in seen
        seen.add(digest)
        return new

    plan = world.trash.plan(None)
    assert (plan.count, plan.size_bytes, plan.locked, plan.changed) == (2, 14, 0, 0)
    assert changed()
    assert not changed()
    (third,) = trash(world, "c.jpg")
    assert changed()
    world.deeds.act(paths[0], Action.LOCK)
    assert changed()
    assert world.trash.plan(None).locked == 1
    world.deeds.act(paths[1], Action.UNSEEN)
    assert changed()
    os.utime(third, ns=(1, 1))
    assert changed()
    world.deeds.act(third, Action.TRASH)
    assert changed()


def test_another_plan_than_the_one_agreed_to_deletes_nothing(world: World) -> None:
    trash(world, "a.jpg")
    agreed = world.trash.plan(None).hash
    trash(world, "b.jpg")
    before = world.tree()
    with pytest.raises(PlanChanged):
        list(world.trash.empty(None, agreed))
    assert world.tree() == before
    assert world.trash.receipts(1) == []
    agreed = world.trash.plan(None).hash
    assert done(list(world.trash.empty(None, agreed))).deleted == 2


def test_two_runs_at_once_share_the_work_without_an_error(world: World) -> None:
    paths = trash(world, *(f"{number % 7}/{number:04}.jpg" for number in range(600)))
    runs: list[list[TrashEvent]] = [[], []]
    threads = [threading.Thread(target=lambda run=run: run.extend(world.empty())) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(isinstance(event, Failed) for run in runs for event in run)
    deleted = [event.path for run in runs for event in run if isinstance(event, Deleted)]
    assert sorted(deleted) == sorted(paths)
    assert sum(done(run).deleted for run in runs) == 600
    assert sum(receipt.deleted for receipt in world.trash.receipts(2)) == 600
    for run in runs:
        pairs = [event for event in run if not isinstance(event, (FolderDone, Done))]
        assert all(isinstance(event, Deleting) for event in pairs[::2])
        assert [event.path for event in pairs[::2]] == [event.path for event in pairs[1::2]]


def test_the_counters_are_true(world: World) -> None:
    paths = trash(world, "a.jpg", "b.jpg")
    world.deeds.act(paths[1], Action.LOCK)
    world.empty()
    now = world.trash.counters()
    assert (now.max_workers, now.active_jobs, now.submitted_jobs, now.completed_jobs, now.failed_jobs) == (
        2,
        0,
        2,
        2,
        0,
    )


def test_a_hidden_folder_is_never_emptied(world: World) -> None:
    world.file(".trash/photo.jpg", marks=TRASHED)
    world.file("day/.trash/photo.jpg", marks=TRASHED)
    before = world.tree()
    assert done(world.empty()).deleted == 0
    assert world.tree() == before

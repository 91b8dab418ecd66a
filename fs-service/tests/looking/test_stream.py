"""Pages of a review root, from the first look on, whatever happens to the disk in between."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest
from fs_service.domain.errors import PathMissing, RootOffline
from fs_service.domain.items import State, StatusFilter
from fs_service.domain.media import Kind
from fs_service.store import shelf as shelf_module
from fs_service.store import walk as walking
from looking_world import World, oracle, put, settled


@pytest.fixture(params=["memory", "sqlite", "restarted"])
def look(request: pytest.FixtureRequest, world: World) -> str:
    """In which of its lives the index of a root is asked; `reach` brings it there."""
    return str(request.param)


def reach(world: World, root: Path, look: str) -> None:
    world.items(root)
    if look != "memory":
        world.background()
        assert world.library.pending_scans() == 0
    if look == "restarted":
        world.restart()


def test_items_come_by_file_name_then_by_path(world: World) -> None:
    root = world.root()
    put(root, "b/a.jpg", "a/z.mp4", "a/b.JPG", "a-b/b.JPG", "a/b/b.JPG", "Z.png", "é.jpg")
    assert world.names(root) == ["Z.png", "b/a.jpg", "a-b/b.JPG", "a/b.JPG", "a/b/b.JPG", "a/z.mp4", "é.jpg"]
    kinds = {item.path: item.kind for item in world.items(root)}
    assert kinds[os.fsencode(root / "a/z.mp4")] is Kind.VIDEO


def test_only_media_files_are_listed(world: World, look: str) -> None:
    root = world.root()
    put(root, "a.jpg", "a.jpg.lock", "notes.txt", ".hidden.jpg", ".dir/b.jpg", "jpg", "c.jpg/d.jpg", "x/.trash/e.jpg")
    os.mkfifo(root / "fifo.jpg")
    with socket.socket(socket.AF_UNIX) as one:
        os.chdir(root)
        one.bind("socket.jpg")
    reach(world, root, look)
    assert world.names(root) == ["a.jpg", "c.jpg/d.jpg"]


def test_links_count_only_when_they_lead_to_a_file_in_the_same_root(world: World, look: str) -> None:
    root, outside = world.root(), world.base / "rev2"
    put(outside, "secret.jpg")
    put(root, "real/a.jpg", "data.bin")
    links = {
        "inside.jpg": "real/a.jpg",
        "renamed.jpg": "data.bin",
        "outside.jpg": "../rev2/secret.jpg",
        "dangling.jpg": "real/nothing.jpg",
        "dangling-outside.jpg": "/nowhere/x.jpg",
        "folder.jpg": "real",
        "round.jpg": "round.jpg",
    }
    for name, target in links.items():
        (root / name).symlink_to(target)
    (root / "linked-folder").symlink_to("real")
    (root / "away").symlink_to(outside)
    reach(world, root, look)
    assert world.names(root) == ["real/a.jpg", "inside.jpg", "renamed.jpg"]
    put(root, "real/nothing.jpg", content=b"12345")
    (root / "data.bin").unlink()
    assert world.names(root) == ["real/a.jpg", "dangling.jpg", "inside.jpg", "real/nothing.jpg"]
    sizes = {os.path.basename(item.path): item.size_bytes for item in world.items(root)}
    assert sizes[b"dangling.jpg"] == 5


def test_names_that_are_no_text_are_listed(world: World, look: str) -> None:
    root = world.root()
    base = os.fsencode(root)
    os.mkdir(base + b"/\xfe")
    for name in (b"\xff.jpg", b"\xfe/a\xfd.jpg", b"new\nline.jpg", b"tab\t.jpg", b"'\".jpg"):
        (root / os.fsdecode(name)).touch()
    (root / os.fsdecode(b"\xff.jpg.trash")).touch()
    reach(world, root, look)
    assert [(item.path[len(base) + 1 :], item.state) for item in world.items(root)] == oracle(root)
    assert len(oracle(root)) == 5


def test_state_is_what_the_companions_say(world: World, look: str) -> None:
    root = world.root()
    put(root, "a.jpg", "a.jpg.lock", "a.jpg.seen", "b.jpg", "b.jpg.trash", "c.jpg", "c.jpg.SEEN", "d.jpg", "d.jpg.x")
    (root / "c.jpg.lock").symlink_to("a.jpg")
    (root / "c.jpg.trash").mkdir()
    reach(world, root, look)
    assert [item.state for item in world.items(root)] == [
        State.LOCKED | State.SEEN,
        State.TRASHED,
        State.NONE,
        State.NONE,
    ]
    assert world.names(root, StatusFilter.LOCKED) == ["a.jpg"]
    assert world.names(root, StatusFilter.TRASHED) == ["b.jpg"]
    assert world.names(root, StatusFilter.UNSEEN) == ["b.jpg", "c.jpg", "d.jpg"]
    summary = world.library.summary(os.fsencode(root))
    assert (summary.all, summary.unseen, summary.seen, summary.locked, summary.trashed) == (4, 3, 1, 1, 1)


def test_pages_put_together_are_the_whole(world: World, look: str) -> None:
    root = world.root()
    put(root, *(f"d{number % 7}/{number % 50:02d}.jpg" for number in range(350)))
    reach(world, root, look)
    whole = world.names(root)
    assert len(whole) == 350
    pages: list[str] = []
    while page := world.names(root, offset=len(pages), limit=37):
        pages += page
    assert pages == whole
    pages = []
    after = None
    while page := world.names(root, after=after, limit=37):
        pages += page
        after = os.fsencode(root / page[-1])
    assert pages == whole
    assert world.names(root, after=os.fsencode(root / whole[99]), offset=50, limit=3) == whole[150:153]


def test_what_changes_on_the_disk_shows_in_the_next_page(world: World, look: str) -> None:
    root = world.root()
    put(root, "a/one.jpg", "a/two.jpg", "b/three.jpg")
    reach(world, root, look)
    put(root, "a/four.jpg", "new/deep/five.jpg", "a/one.jpg.seen")
    (root / "a/two.jpg").unlink()
    (root / "b").rename(root / "c")
    assert [(item.path[len(os.fsencode(root)) + 1 :], item.state) for item in world.items(root)] == oracle(root)
    (root / "new").rename(world.base / "elsewhere")
    (root / "a/one.jpg.seen").unlink()
    (root / "c/three.jpg").rename(root / "c/3.jpg")
    assert [(item.path[len(os.fsencode(root)) + 1 :], item.state) for item in world.items(root)] == oracle(root)
    assert len(oracle(root)) == 3


def test_a_folder_swapped_for_a_link_is_gone(world: World, look: str) -> None:
    root, outside = world.root(), world.base / "outside"
    put(root, "a/b/one.jpg", "two.jpg")
    put(outside, "b/one.jpg")
    reach(world, root, look)
    (root / "a").rename(world.base / "away")
    (root / "a").symlink_to(outside)
    assert world.names(root) == ["two.jpg"]
    (root / "a").unlink()
    (world.base / "away").rename(root / "a")
    assert world.names(root) == ["a/b/one.jpg", "two.jpg"]


def test_a_second_change_within_one_tick_of_the_clock_is_seen(world: World) -> None:
    root = world.root()
    put(root, "a.jpg")
    world.items(root)
    world.background()
    for number in range(50):
        put(root, f"n{number:02d}.jpg")
        assert len(world.names(root)) == number + 2


def test_a_file_is_looked_into_once_and_again_when_it_was_edited(world: World, look: str) -> None:
    root = world.root()
    put(root, "a.jpg", "b.jpg", content=b"123")
    reach(world, root, look)
    world.prober.asked.clear()
    world.messages()
    (item, _) = world.items(root)
    assert (item.size_bytes, item.probe.width_px) == (3, 3)
    assert world.prober.asked == []
    with open(root / "a.jpg", "ab") as file:
        file.write(b"45")
    (item, _) = world.items(root)
    assert (item.size_bytes, item.probe.width_px) == (5, 5)
    assert world.prober.asked == [os.fsencode(root / "a.jpg")]
    if look != "memory":
        assert world.messages() == [("media.changed", "a.jpg")]


def test_a_file_replaced_by_another_is_looked_into_again(world: World, look: str) -> None:
    root = world.root()
    put(root, "a.jpg", content=b"123")
    put(world.base, "new.jpg", content=b"1234")
    reach(world, root, look)
    world.messages()
    (world.base / "new.jpg").rename(root / "a.jpg")
    (item,) = world.items(root)
    assert (item.size_bytes, item.probe.width_px) == (4, 4)
    if look != "memory":
        assert world.messages() == [("media.changed", "a.jpg")]


def test_every_change_becomes_one_message(world: World) -> None:
    root = world.root()
    put(root, "a.jpg", "b.jpg", "d/c.jpg")
    world.items(root)
    world.background()
    assert sorted(world.messages()) == [("media.found", "a.jpg"), ("media.found", "b.jpg"), ("media.found", "c.jpg")]
    world.items(root)
    world.background()
    assert world.messages() == []
    put(root, "a.jpg.seen", "e.jpg")
    (root / "d").rename(world.base / "away")
    before = world.events.last()
    world.items(root)
    assert sorted(world.messages()) == [("media.found", "e.jpg"), ("media.gone", "c.jpg"), ("media.state", "a.jpg")]
    assert world.told("state", before) == [
        {"path": str(root / "a.jpg"), "status": {"locked": False, "trashed": False, "seen": True}}
    ]
    world.restart()
    world.items(root)
    assert world.messages() == []


def test_a_page_is_full_while_items_remain_though_files_go_meanwhile(world: World) -> None:
    root = world.root()
    put(root, *(f"{number:03d}.jpg" for number in range(60)))
    batches = world.library.stream(os.fsencode(root), 0, 40, StatusFilter.ALL, None)
    first = next(batches)
    for number in range(20, 30):
        (root / f"{number:03d}.jpg").unlink()
    rest = [item for batch in batches for item in batch]
    assert len(first) + len(rest) == 40
    assert os.path.basename(rest[-1].path) == b"049.jpg"


def test_the_first_batch_does_not_wait_for_the_rest(world: World) -> None:
    root = world.root()
    put(root, *(f"{number:03d}.jpg" for number in range(300)))
    first = next(world.library.stream(os.fsencode(root), 0, 300, StatusFilter.ALL, None))
    assert len(first) == len(world.prober.asked) < 50


def test_marks_kept_apart_stand_in_place_of_companions(world: World, look: str) -> None:
    root = world.root()
    put(root, "a.jpg", "a.jpg.lock", "b.jpg", "c.jpg", "c.jpg.seen")
    base = os.fsencode(root)
    world.marks.set_all([(base + b"/a.jpg", State.NONE), (base + b"/b.jpg", State.SEEN | State.TRASHED)])
    reach(world, root, look)
    assert [item.state for item in world.items(root)] == [State.NONE, State.SEEN | State.TRASHED, State.SEEN]
    page = world.library.folder_page(base, 0, 10)
    assert [item.state for item in page.items] == [State.NONE, State.SEEN | State.TRASHED, State.SEEN]
    assert world.library.item(base + b"/b.jpg").state == State.SEEN | State.TRASHED


def test_an_offline_root_freezes_and_comes_back_as_it_was(world: World, look: str) -> None:
    root = world.root()
    put(root, "a.jpg", "b.jpg", "b.jpg.seen")
    reach(world, root, look)
    if look != "memory":
        world.messages()
    base = os.fsencode(root)
    root.rename(world.base / "away")
    for use in (
        lambda: world.items(root),
        lambda: world.library.folder_page(base, 0, 10),
        lambda: world.library.item(base + b"/a.jpg"),
        lambda: list(world.shelves.trashed(base)),
    ):
        with pytest.raises(RootOffline):
            use()
    world.background()
    assert world.library.summary(base).all == 2
    assert not [one for one in world.messages(forget=False) if one[0] == "media.gone"]
    # Another directory in its place is not believed either.
    put(root, "stranger.jpg")
    with pytest.raises(RootOffline):
        world.items(root)
    (root / "stranger.jpg").unlink()
    root.rmdir()
    (world.base / "away").rename(root)
    assert world.names(root) == ["a.jpg", "b.jpg"]
    world.background()
    assert not [one for one in world.messages() if one[0] == "media.gone"]


def test_a_root_that_goes_away_in_mid_stream_ends_it_with_an_error(world: World) -> None:
    root = world.root()
    put(root, *(f"{number:03d}.jpg" for number in range(60)))
    batches = world.library.stream(os.fsencode(root), 0, 60, StatusFilter.ALL, None)
    next(batches)
    root.rename(world.base / "away")
    with pytest.raises(RootOffline):
        list(batches)


def test_nested_roots_are_indexed_each_by_itself(world: World, look: str) -> None:
    outer = world.root("x")
    put(outer, "a.jpg", "sub/b.jpg", "sub/c.jpg")
    inner = world.root("x/sub")
    (inner / "up.jpg").symlink_to("../a.jpg")
    (outer / "down.jpg").symlink_to("sub/b.jpg")
    for root in (outer, inner):
        reach(world, root, look)
    # A link is judged by the deepest root that holds it, as opening it is.
    assert world.names(outer) == ["a.jpg", "sub/b.jpg", "sub/c.jpg", "down.jpg"]
    assert world.names(inner) == ["b.jpg", "c.jpg"]
    world.shelves.set_state(os.fsencode(inner / "b.jpg"), State.SEEN)
    for root in (outer, inner):
        assert world.shelves._shelf(os.fsencode(root)).counts().seen == 1
    world.library.remove_root(os.fsencode(inner))
    assert "sub/up.jpg" in world.names(outer)


def test_a_folder_that_cannot_be_read_is_asked_again_and_nothing_of_it_is_gone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = world.root()
    put(root, "a.jpg", "denied/b.jpg")
    plain = walking.list_folder

    def denying(folder_fd: int) -> walking.Listing:
        if os.readlink(f"/proc/self/fd/{folder_fd}").endswith("/denied"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return plain(folder_fd)

    with monkeypatch.context() as patch:
        patch.setattr(walking, "list_folder", denying)
        patch.setattr(shelf_module, "list_folder", denying)
        assert world.names(root) == ["a.jpg"]
        world.background()
        assert world.names(root) == ["a.jpg"]
    assert world.names(root) == ["a.jpg", "denied/b.jpg"]
    with monkeypatch.context() as patch:
        patch.setattr(shelf_module, "list_folder", denying)
        put(root, "denied/c.jpg")
        assert world.names(root) == ["a.jpg", "denied/b.jpg"]
    assert world.names(root) == ["a.jpg", "denied/b.jpg", "denied/c.jpg"]


def test_a_settled_root_is_not_listed_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    root = world.root()
    put(root, "a/1.jpg", "b/2.jpg")
    for folder in ("a", "b", "."):
        settled(root / folder)
    world.items(root)
    world.background()
    listed: list[int] = []
    plain = walking.list_folder

    def counted(folder_fd: int) -> walking.Listing:
        listed.append(folder_fd)
        return plain(folder_fd)

    monkeypatch.setattr(shelf_module, "list_folder", counted)
    for _ in range(3):
        world.items(root)
    assert listed == []
    put(root, "a/1.jpg.seen")
    world.shelves.set_state(os.fsencode(root / "a/1.jpg"), State.SEEN)
    settled(root / "a")
    for _ in range(3):
        world.items(root)
    assert len(listed) == 1


def test_an_unknown_folder_is_missing(world: World) -> None:
    root = world.root()
    with pytest.raises(PathMissing):
        world.library.folder_page(os.fsencode(root / "nothing"), 0, 10)


def test_times_no_calendar_expects_are_listed_and_kept(world: World) -> None:
    root = world.root()
    put(root, "far.jpg", "old.jpg")
    os.utime(root / "far.jpg", (0, 15_000_000_000))
    os.utime(root / "old.jpg", (0, -86_400))
    for _ in range(2):
        assert [item.modified_us for item in world.items(root)] == [15_000_000_000_000_000, -86_400_000_000]
        world.background()
    assert len(world.items(root)) == 2

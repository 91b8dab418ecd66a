"""The use cases of looking: what is refused with which error, the picker, folder pages, settings."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fs_service.domain.errors import (
    ConfigBroken,
    HiddenPath,
    NotMedia,
    OutsideRoots,
    PathMalformed,
    PathMissing,
    RootNotConfigured,
    SettingOutOfRange,
    UnknownRoot,
)
from fs_service.domain.items import State, StatusFilter
from fs_service.domain.library import Library
from fs_service.domain.ports import Place, RootState
from fs_service.store.picker import DiskPicker
from looking_world import World, put
from media_common.errors import InvalidArgument, ServiceError


def test_a_root_is_added_once_and_listed_by_path(world: World) -> None:
    for name in ("b", "a"):
        (world.base / name).mkdir()
    base = os.fsencode(world.base)
    assert world.library.add_root(base + b"/b/") == (base + b"/b", [base + b"/b"])
    assert world.library.add_root(base + b"/b/../a") == (base + b"/a", [base + b"/a", base + b"/b"])
    assert world.library.add_root(base + b"//a/.")[1] == [base + b"/a", base + b"/b"]
    infos = world.library.roots()
    assert [(info.path, info.state, info.scanned) for info in infos] == [
        (base + b"/a", RootState.ONLINE, False),
        (base + b"/b", RootState.ONLINE, False),
    ]
    assert world.library.pending_scans() == 2
    world.background()
    assert world.library.pending_scans() == 0
    assert all(info.scanned for info in world.library.roots())


@pytest.mark.parametrize(
    ("path", "error"),
    [
        (b"relative", PathMalformed),
        (b"/a\0b", PathMalformed),
        (b"/", HiddenPath),
        (b"/proc", HiddenPath),
        (b"/proc/nothing-here", HiddenPath),
        (b"/home/../sys/kernel", HiddenPath),
        (b"/nowhere/at/all", PathMissing),
    ],
)
def test_a_root_that_cannot_be_is_refused(world: World, path: bytes, error: type[ServiceError]) -> None:
    with pytest.raises(error):
        world.library.add_root(path)
    assert world.roots.known() == []


def test_what_the_product_keeps_for_itself_is_no_root(world: World) -> None:
    put(world.state_dir, "below/x.jpg")
    for place in (world.state_dir, world.state_dir / "below"):
        with pytest.raises(HiddenPath):
            world.library.add_root(os.fsencode(place))
    with pytest.raises(HiddenPath, match="state directory"):
        world.library.add_root(os.fsencode(world.state_dir.parent))
    assert world.library.roots() == []


def test_a_root_may_hold_a_hidden_state_directory(world: World) -> None:
    """As a home directory holds the default one: what is hidden is never walked."""
    home = world.base / "home"
    state = home / ".mediareviewer" / "state"
    state.mkdir(parents=True)
    library = Library(world.roots, world.shelves, DiskPicker(), world.roots, world.events, os.fsencode(state))
    assert library.add_root(os.fsencode(home))[0] == os.fsencode(home)


def test_a_link_to_a_hidden_place_or_a_file_is_no_root(world: World) -> None:
    base = world.base
    (base / "all").symlink_to("/")
    (base / "proc").symlink_to("/proc")
    (base / "file").touch()
    for name, error in (("all", HiddenPath), ("proc", HiddenPath), ("file", PathMissing)):
        with pytest.raises(error):
            world.library.add_root(os.fsencode(base / name))
    real = base / "real"
    real.mkdir()
    put(real, "a.jpg")
    (base / "link").symlink_to(real)
    world.library.add_root(os.fsencode(base / "link"))
    assert world.names(base / "link") == ["a.jpg"]


def test_a_removed_root_is_forgotten_and_its_files_stay(world: World) -> None:
    root = world.root()
    put(root, "a.jpg", "a.jpg.seen")
    world.items(root)
    world.background()
    world.messages()
    base = os.fsencode(root)
    assert world.library.remove_root(base + b"/") == (base, [])
    with pytest.raises(RootNotConfigured):
        world.library.remove_root(base)
    with pytest.raises(UnknownRoot):
        world.items(root)
    world.background()
    assert world.messages() == [("media.gone", "a.jpg")]
    assert (root / "a.jpg.seen").exists()
    assert world.told("root")[-1] == {"path": str(root), "state": "removed"}
    world.library.add_root(base)
    assert [item.state for item in world.items(root)] == [State.SEEN]
    world.background()
    assert world.messages() == [("media.found", "a.jpg")]


def test_the_picker_lists_folders_by_name(world: World) -> None:
    base = world.base
    put(base, "p/b/x.jpg", "p/a/deep/x.jpg", "p/.hidden/x.jpg", "p/file.jpg", "p/c/.only-hidden/x.jpg")
    (base / "p/to-a").symlink_to("a")
    (base / "p/to-proc").symlink_to("/proc")
    (base / "p/dangling").symlink_to("nothing")
    path, folders = world.library.folders(os.fsencode(base / "p") + b"/")
    assert path == os.fsencode(base / "p")
    assert [(os.path.basename(folder.path), folder.has_children) for folder in folders] == [
        (b"a", True),
        (b"b", False),
        (b"c", False),
        (b"to-a", True),
    ]


def test_the_picker_hides_system_directories(world: World) -> None:
    paths = [folder.path for folder in world.library.folders(b"/")[1]]
    assert not {b"/proc", b"/sys", b"/dev", b"/run"} & set(paths)
    for path, error in (
        (b"/proc", HiddenPath),
        (b"/sys/../proc/1", HiddenPath),
        (b"/nowhere", PathMissing),
        (b"/etc/passwd", PathMissing),
        (b"etc", PathMalformed),
    ):
        with pytest.raises(error):
            world.library.folders(path)


def test_a_folder_page_counts_what_it_leaves_out(world: World) -> None:
    root = world.root()
    put(root, "d/c.jpg", "d/a.mp4", "d/b.jpg", "d/b.jpg.seen", "d/notes.txt", "d/x.pdf", "d/sub/e.jpg", "d/z.lock")
    page = world.library.folder_page(os.fsencode(root / "d"), 0, 2)
    assert [os.path.basename(item.path) for item in page.items] == [b"a.mp4", b"b.jpg"]
    assert (page.total, page.ignored) == (3, 3)
    assert page.items[1].state == State.SEEN
    page = world.library.folder_page(os.fsencode(root / "d"), 2, 2)
    assert [os.path.basename(item.path) for item in page.items] == [b"c.jpg"]
    assert world.library.folder_page(os.fsencode(root / "d"), 9, 2).items == []
    assert world.library.folder_page(os.fsencode(root), 0, 2).total == 0


def test_a_folder_page_does_not_look_into_known_files_again(world: World) -> None:
    root = world.root()
    put(root, "a.jpg")
    world.items(root)
    world.prober.asked.clear()
    world.library.folder_page(os.fsencode(root), 0, 10)
    assert world.prober.asked == []


@pytest.mark.parametrize(
    ("relative", "error"),
    [
        ("../rev2/a.jpg", OutsideRoots),
        ("../rev2", OutsideRoots),
        ("../nothing.jpg", OutsideRoots),
        ("nothing.jpg", PathMissing),
        ("no/where.jpg", PathMissing),
        ("a.jpg/b.jpg", PathMissing),
        ("notes.txt", NotMedia),
        ("nothing.txt", NotMedia),
        ("folder.jpg", NotMedia),
        ("fifo.jpg", NotMedia),
        (".hidden/a.jpg", NotMedia),
        ("out/a.jpg", OutsideRoots),
        ("out/nothing.jpg", OutsideRoots),
        ("in/a.jpg", OutsideRoots),
        ("out.jpg", OutsideRoots),
        ("out-nothing.jpg", OutsideRoots),
        ("dangling.jpg", PathMissing),
        ("x" * 256 + ".jpg", PathMissing),
        ("", NotMedia),
    ],
)
def test_a_place_is_refused_by_name(world: World, relative: str, error: type[ServiceError]) -> None:
    root = world.root()
    put(root, "a.jpg", "notes.txt", "folder.jpg/b.jpg", ".hidden/a.jpg", "d/a.jpg")
    put(world.base, "rev2/a.jpg")
    os.mkfifo(root / "fifo.jpg")
    for name, target in (
        ("out", "../rev2"),
        ("in", "d"),
        ("out.jpg", "../rev2/a.jpg"),
        ("out-nothing.jpg", "../rev2/nothing.jpg"),
        ("dangling.jpg", "nothing.jpg"),
    ):
        (root / name).symlink_to(target)
    path = os.fsencode(root) + b"/" + relative.encode()
    for use in (world.library.place, world.library.item):
        with pytest.raises(error) as caught:
            use(path)
        assert str(world.base) not in caught.value.message


def test_a_place_is_found_however_it_is_written(world: World) -> None:
    root = world.root()
    put(root, "d/a.jpg", content=b"12")
    (root / "link.jpg").symlink_to("d/a.jpg")
    base = os.fsencode(root)
    assert world.library.place(base + b"//d/../d/./a.jpg") == Place(base, b"d/a.jpg")
    assert world.library.place(base + b"/link.jpg") == Place(base, b"link.jpg")
    item = world.library.item(base + b"/link.jpg")
    assert (item.path, item.size_bytes, item.probe.width_px) == (base + b"/link.jpg", 2, 2)
    put(root, "d/a.jpg.lock")
    assert world.library.item(base + b"/d/a.jpg").state == State.LOCKED


def test_a_stream_wants_exactly_a_root_and_sound_numbers(world: World) -> None:
    root = world.root()
    put(root, "d/a.jpg")
    base = os.fsencode(root)

    def stream(path: bytes = base, offset: int = 0, limit: int = 1, after: bytes | None = None) -> None:
        list(world.library.stream(path, offset, limit, StatusFilter.ALL, after))

    stream(base + b"/")
    stream(after=base + b"/never/was.jpg")
    for error, arguments in (
        (UnknownRoot, {"path": base + b"/d"}),
        (UnknownRoot, {"path": b"/nowhere"}),
        (PathMalformed, {"path": b"rev"}),
        (InvalidArgument, {"offset": -1}),
        (InvalidArgument, {"limit": 0}),
        (InvalidArgument, {"limit": 10_001}),
        (InvalidArgument, {"after": base}),
        (InvalidArgument, {"after": base + b"2/a.jpg"}),
        (PathMalformed, {"after": b"a.jpg"}),
    ):
        with pytest.raises(error) as raised:
            stream(**arguments)  # type: ignore[arg-type]
        if "after" in arguments:
            assert str(raised.value).startswith("after ")


def test_replay_tells_every_item_of_every_root_that_is_there(world: World) -> None:
    one, two = world.root("one"), world.root("two")
    put(one, "a.jpg", "b.jpg")
    put(two, "c.jpg")
    assert len([item for batch in world.library.replay(None) for item in batch]) == 3
    two.rename(world.base / "away")
    assert len([item for batch in world.library.replay(None) for item in batch]) == 2
    assert len([item for batch in world.library.replay(os.fsencode(one)) for item in batch]) == 2
    with pytest.raises(UnknownRoot):
        world.library.replay(b"/nowhere")


def test_the_preload_setting_is_kept(world: World) -> None:
    assert world.library.settings().video_preload_mb == 50
    assert world.library.update_settings(75).video_preload_mb == 75
    world.restart()
    assert world.library.settings().video_preload_mb == 75
    for value in (0, -1, 10_001):
        with pytest.raises(SettingOutOfRange):
            world.library.update_settings(value)


def test_a_broken_config_is_told_and_mended(world: World) -> None:
    root = world.root()
    path: Path = world.state_dir / "config.yaml"
    good = path.read_text()
    path.write_text("known_paths: [/a\n")
    for use in (world.library.roots, world.library.settings, lambda: world.items(root)):
        with pytest.raises(ConfigBroken, match="line"):
            use()
    with pytest.raises(ConfigBroken):
        world.library.add_root(os.fsencode(root))
    with pytest.raises(ConfigBroken):
        world.background()
    assert world.library.pending_scans() == 0
    assert path.read_text() == "known_paths: [/a\n"
    path.write_text(good)
    assert world.names(root) == []

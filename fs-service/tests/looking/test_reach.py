"""A page's look into its files goes through open folders: one swapped for a link shows nothing of where it leads."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from fs_service.domain.errors import RootOffline
from fs_service.domain.items import Probe
from fs_service.domain.media import Kind
from fs_service.store.looks import Looks
from fs_service.store.reach import groups
from fs_service.store.rows import Row, folder_of, key_of, relative_of
from looking_world import World, put


def row(relative: bytes, link: bool = False) -> Row:
    """A file that nobody has looked at yet."""
    return Row(key_of(relative), int(Kind.IMAGE), 0, link, None, 0, 0, 0, None, None, None)


def swap(root: Path, outside: Path) -> None:
    (root / "a").rename(root.parent / "away")
    (root / "a").symlink_to(outside)


def test_a_folder_that_is_a_link_by_now_shows_nothing(world: World) -> None:
    root, outside = world.root(), world.base / "outside"
    put(root, "a/one.jpg", "b/two.jpg", content=b"ours")
    put(outside, "one.jpg", content=b"a stranger's")
    swap(root, outside)
    items, probed = Looks(world.roots, world.prober).items(
        os.fsencode(root), [row(b"a/one.jpg"), row(b"b/two.jpg"), row(b"a/none.jpg")]
    )
    assert [item.path for item in items] == [os.fsencode(root / "b/two.jpg")]
    assert [one.key for one in probed] == [key_of(b"b/two.jpg")]
    assert world.prober.asked == [os.fsencode(root / "b/two.jpg")]


def test_a_folder_swapped_during_the_look_still_shows_its_own_file(world: World) -> None:
    root, outside = world.root(), world.base / "outside"
    put(root, "a/one.jpg", content=b"ours")
    put(outside, "one.jpg", content=b"a stranger's")

    class Late:
        """The folder is swapped between the page's look at its files and the look into them."""

        def probe(self, files: Sequence[tuple[bytes, Kind]]) -> list[Probe]:
            swap(root, outside)
            return [Probe(os.stat(path).st_size, 1, None) for path, _ in files]

    (item,), _ = Looks(world.roots, Late()).items(os.fsencode(root), [row(b"a/one.jpg")])
    assert (item.size_bytes, item.probe.width_px) == (4, 4)


def test_a_link_is_looked_into_where_it_leads_inside_the_root_only(world: World) -> None:
    root, outside = world.root(), world.base / "outside"
    put(root, "a/one.jpg", content=b"ours")
    put(outside, "one.jpg", content=b"a stranger's")
    (root / "in.jpg").symlink_to("a/one.jpg")
    (root / "out.jpg").symlink_to(outside / "one.jpg")
    items, _ = Looks(world.roots, world.prober).items(os.fsencode(root), [row(b"in.jpg", True), row(b"out.jpg", True)])
    assert [(item.path, item.size_bytes) for item in items] == [(os.fsencode(root / "in.jpg"), 4)]
    assert world.prober.asked == [os.fsencode(root / "a/one.jpg")]


def test_a_root_that_went_away_is_said_so(world: World) -> None:
    root = world.root()
    put(root, "a/one.jpg")
    root.rename(world.base / "away")
    put(world.base / "rev", "a/one.jpg")
    with pytest.raises(RootOffline):
        Looks(world.roots, world.prober).items(os.fsencode(root), [row(b"a/one.jpg")])


def test_few_folders_are_open_at_once_and_every_row_is_in_one_group() -> None:
    rows = {number: row(b"%03d/%d.jpg" % (number % 100, number)) for number in range(1000)}
    parts = list(groups(rows))
    assert {number: one for part in parts for number, one in part.items()} == rows
    assert sum(len(part) for part in parts) == 1000
    assert all(len({folder_of(relative_of(one.key)) for one in part.values()}) <= 32 for part in parts)
    assert all(len(part) <= 256 for part in parts)
    assert [len(part) for part in groups({number: row(b"a/%d.jpg" % number) for number in range(600)})] == [600]
    assert list(groups({})) == []

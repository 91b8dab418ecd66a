"""What goes on in the background: scans of new and known roots, roots that go and come back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fs_service.store import background as module
from looking_world import World, eventually, put


def test_adding_a_root_starts_its_scan_and_tells(world: World) -> None:
    path = world.base / "rev"
    put(path, "a.jpg", "d/b.jpg")
    world.caretaker.start()
    world.library.add_root(os.fsencode(path))
    eventually(lambda: world.library.pending_scans() == 0)
    eventually(lambda: len(world.told("scan")) == 2)
    assert world.told("scan") == [
        {"path": str(path), "found": 0, "done": False},
        {"path": str(path), "found": 2, "done": True},
    ]
    assert world.told("root") == [{"path": str(path), "state": "online"}]
    world.caretaker.stop()


def test_known_roots_are_looked_at_again_after_a_restart(world: World) -> None:
    root = world.root()
    put(root, "a.jpg")
    world.background()
    world.messages()
    world.restart()
    put(root, "b.jpg")
    world.background()
    assert world.messages() == [("media.found", "b.jpg")]


def test_a_root_that_goes_and_comes_back_is_told_once_each(world: World) -> None:
    root = world.root()
    online: list[bytes] = []
    world.caretaker = module.Caretaker(world.shelves, world.roots, world.events, online.append)
    world.background()
    world.background()
    root.rename(world.base / "away")
    world.background()
    world.background()
    root.mkdir()
    world.background()
    root.rmdir()
    (world.base / "away").rename(root)
    world.background()
    assert [one["state"] for one in world.told("root")] == ["online", "offline", "swapped", "online"]
    assert online == [os.fsencode(root)] * 2


def test_a_root_written_into_the_config_by_hand_is_scanned(world: World) -> None:
    put(world.base / "hand", "a.jpg")
    (world.state_dir / "config.yaml").write_text(f"known_paths: ['{world.base}/hand']\n")
    world.background()
    assert world.library.pending_scans() == 0
    assert world.messages() == [("media.found", "a.jpg")]


def test_a_root_taken_out_by_hand_is_forgotten_but_not_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    root = world.root()
    put(root, "a.jpg")
    world.background()
    world.messages()
    config: Path = world.state_dir / "config.yaml"
    text = config.read_text()
    config.write_text("")
    world.background()
    config.write_text(text)
    world.background()
    assert world.messages() == []
    monkeypatch.setattr(module, "_GRACE_S", -1.0)
    config.write_text("known_paths: []\n")
    world.background()
    world.background()
    assert world.messages() == [("media.gone", "a.jpg")]
    assert (root / "a.jpg").exists()


def test_a_walk_is_broken_off_when_the_process_stops(world: World) -> None:
    root = world.root()
    put(root, "a/b.jpg", "c/d.jpg")
    world.shelves.stop()
    world.background()
    assert not world.library.roots()[0].scanned
    world.restart()
    assert world.names(root) == ["a/b.jpg", "c/d.jpg"]

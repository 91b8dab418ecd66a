"""Roots: where a path belongs, and whether a root is still the directory that was added."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from fs_service.domain.errors import OutsideRoots, PathMissing, RootNotConfigured, RootOffline
from fs_service.domain.ports import Place, RootState
from fs_service.store.config_yaml import ConfigFile
from fs_service.store.roots import ConfiguredRoots


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    path = tmp_path / "state"
    path.mkdir()
    return path


def made(state_dir: Path) -> ConfiguredRoots:
    return ConfiguredRoots(ConfigFile(state_dir), state_dir)


def test_a_path_belongs_to_the_deepest_root_that_holds_it(state_dir: Path, tmp_path: Path) -> None:
    roots = made(state_dir)
    base = os.fsencode(tmp_path)
    for name in ("x/rev", "x/rev/sub", "x/rev2"):
        (tmp_path / name).mkdir(parents=True)
        roots.add(base + b"/" + name.encode())
    assert roots.place(base + b"/x/rev/a.jpg") == Place(base + b"/x/rev", b"a.jpg")
    assert roots.place(base + b"/x/rev/sub/a.jpg") == Place(base + b"/x/rev/sub", b"a.jpg")
    assert roots.place(base + b"/x/rev/subway/a.jpg") == Place(base + b"/x/rev", b"subway/a.jpg")
    assert roots.place(base + b"/x/rev2") == Place(base + b"/x/rev2", b"")
    for outside in (base + b"/x", base + b"/x/rev3/a.jpg", b"/etc/passwd"):
        with pytest.raises(OutsideRoots):
            roots.place(outside)


def test_a_directory_that_cannot_be_opened_is_the_caller_s_mistake(state_dir: Path, tmp_path: Path) -> None:
    roots, nobody, shut = made(state_dir), 65534, tmp_path / "shut"
    (shut / "rev").mkdir(parents=True)
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "gone"):
        with pytest.raises(PathMissing, match=r"^The directory cannot be opened: .*\.$"):
            roots.add(os.fsencode(path))
    shut.chmod(0)
    os.seteuid(nobody if os.geteuid() == 0 else os.geteuid())
    try:
        with pytest.raises(PathMissing, match=r"^The directory cannot be opened: Permission denied\.$"):
            roots.add(os.fsencode(shut / "rev"))
    finally:
        os.seteuid(os.getuid())
        shut.chmod(0o700)
    assert roots.known() == []


def test_a_root_that_is_not_there_is_offline_and_comes_back(state_dir: Path, tmp_path: Path) -> None:
    roots, root = made(state_dir), tmp_path / "rev"
    root.mkdir()
    roots.add(os.fsencode(root))
    assert roots.state(os.fsencode(root)) == (RootState.ONLINE, "")
    root.rename(tmp_path / "away")
    state, reason = roots.state(os.fsencode(root))
    assert state is RootState.OFFLINE
    assert reason.endswith(".")
    with pytest.raises(RootOffline), roots.opened(os.fsencode(root)):
        pass
    (tmp_path / "away").rename(root)
    assert made(state_dir).state(os.fsencode(root))[0] is RootState.ONLINE


def test_another_directory_in_its_place_is_swapped_until_it_is_added(state_dir: Path, tmp_path: Path) -> None:
    roots, root = made(state_dir), tmp_path / "rev"
    root.mkdir()
    roots.add(os.fsencode(root))
    root.rename(tmp_path / "away")
    root.mkdir()
    for one in (roots, made(state_dir)):
        assert one.state(os.fsencode(root))[0] is RootState.SWAPPED
        with pytest.raises(RootOffline), one.opened(os.fsencode(root)):
            pass
    roots.add(os.fsencode(root))
    assert roots.state(os.fsencode(root))[0] is RootState.ONLINE
    root.rename(tmp_path / "away2")
    root.write_text("no directory")
    assert roots.state(os.fsencode(root))[0] is RootState.SWAPPED


def test_a_new_device_number_with_the_marker_is_the_same_root(state_dir: Path, tmp_path: Path) -> None:
    root = tmp_path / "rev"
    root.mkdir()
    made(state_dir).add(os.fsencode(root))
    kept = json.loads((state_dir / "roots.json").read_text())
    kept[str(root)]["device"] += 1
    (state_dir / "roots.json").write_text(json.dumps(kept))
    roots = made(state_dir)
    assert roots.state(os.fsencode(root))[0] is RootState.ONLINE
    assert json.loads((state_dir / "roots.json").read_text())[str(root)]["device"] == root.stat().st_dev
    kept[str(root)]["marker"] = "00000000-0000-0000-0000-000000000000"
    (state_dir / "roots.json").write_text(json.dumps(kept))
    assert made(state_dir).state(os.fsencode(root))[0] is RootState.SWAPPED


def test_a_root_written_into_the_config_by_hand_is_taken_as_it_is(state_dir: Path, tmp_path: Path) -> None:
    root = tmp_path / "rev"
    (state_dir / "config.yaml").write_text(f"known_paths: ['{root}/']\n")
    roots = made(state_dir)
    assert roots.known() == [os.fsencode(root)]
    assert roots.state(os.fsencode(root))[0] is RootState.OFFLINE
    root.mkdir()
    assert roots.state(os.fsencode(root))[0] is RootState.ONLINE
    root.rename(tmp_path / "away")
    root.mkdir()
    assert roots.state(os.fsencode(root))[0] is RootState.SWAPPED


def test_the_marker_is_never_written_through_a_link(state_dir: Path, tmp_path: Path) -> None:
    root, outside = tmp_path / "rev", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / ".thumbnails").symlink_to(outside)
    roots = made(state_dir)
    roots.add(os.fsencode(root))
    assert list(outside.iterdir()) == []
    assert roots.state(os.fsencode(root))[0] is RootState.ONLINE


def test_removing_touches_no_file_and_needs_no_directory(state_dir: Path, tmp_path: Path) -> None:
    roots, root = made(state_dir), tmp_path / "rev"
    root.mkdir()
    roots.add(os.fsencode(root))
    before = sorted(path.name for path in root.rglob("*"))
    roots.remove(os.fsencode(root))
    assert sorted(path.name for path in root.rglob("*")) == before
    roots.add(os.fsencode(root))
    root.rename(tmp_path / "away")
    roots.remove(os.fsencode(root))
    with pytest.raises(RootNotConfigured):
        roots.remove(os.fsencode(root))


def test_identities_are_kept_for_any_name(state_dir: Path, tmp_path: Path) -> None:
    root = os.fsencode(tmp_path) + b"/\xff\xfe"
    os.mkdir(root)
    made(state_dir).add(root)
    assert made(state_dir).known() == [root]
    assert made(state_dir).state(root)[0] is RootState.ONLINE
    assert stat.S_ISREG(os.stat(root + b"/.thumbnails/root-id").st_mode)

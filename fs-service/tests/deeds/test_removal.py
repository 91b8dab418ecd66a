"""The one module that deletes: only one, and only what it says."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import fs_service
import pytest
from fs_service.domain.disk import Replaced
from fs_service.domain.items import Identity, State
from fs_service.store import removal

SOURCE = Path(fs_service.__file__).parent
#: Calls that take a name away, or put another file in its place.
DELETING = {"unlink", "remove", "rmdir", "removedirs", "rmtree", "replace", "rename", "renames", "move", "truncate"}
#: Calls of these names on other things than files: a set's `remove`, a text's `replace`, dataclasses' `replace`.
MODULES_OF_FILES = {"os", "shutil", "pathlib", "Path"}
#: Of files in the state directory, or the root's marker: written beside the name and renamed there, or put aside.
ALSO = {
    "config_yaml.py": {"replace"},
    "roots.py": {"replace"},
    "database.py": {"replace"},
    "state_lock.py": {"truncate"},  # of the lock file that it holds open
}


ANY = Identity(0, 0, 0, 0)


def deleting_calls(source: Path) -> list[str]:
    calls = []
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module in MODULES_OF_FILES:
            calls += [alias.name for alias in node.names if alias.name in DELETING]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in DELETING:
            owner = node.func.value
            on_files = isinstance(owner, ast.Name) and owner.id in MODULES_OF_FILES
            # `path.unlink()` has no namesake; `x.remove(...)`, `x.replace(...)` have.
            if on_files or node.func.attr in ("unlink", "rmdir", "rmtree", "truncate"):
                calls.append(node.func.attr)
    return calls


def test_only_one_module_deletes() -> None:
    found = {source.name: calls for source in SOURCE.rglob("*.py") if (calls := deleting_calls(source))}
    assert set(found.pop("removal.py")) == {"unlink"}
    for name, allowed in ALSO.items():
        assert set(found.pop(name, [])) <= allowed
    assert found == {}


@pytest.fixture
def folder(tmp_path: Path) -> int:
    return os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)


def test_media_is_deleted_by_a_media_name_only(tmp_path: Path, folder: int) -> None:
    for name in ("notes.txt", ".hidden.jpg", "photo.jpg.lock"):
        (tmp_path / name).write_bytes(b"x")
        with pytest.raises(removal.NotRemovable):
            removal.remove_media(folder, os.fsencode(name), ANY)
    (tmp_path / "folder.jpg").mkdir()
    with pytest.raises(removal.NotRemovable):
        removal.remove_media(folder, b"folder.jpg", ANY)
    with pytest.raises(FileNotFoundError):
        removal.remove_media(folder, b"missing.jpg", ANY)
    assert len(os.listdir(tmp_path)) == 4
    os.close(folder)


def test_only_the_file_that_was_looked_at_goes(tmp_path: Path, folder: int) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    seen = removal.identity_of((tmp_path / "a.jpg").lstat())
    (tmp_path / "b.jpg").write_bytes(b"x")
    os.replace(tmp_path / "b.jpg", tmp_path / "a.jpg")
    with pytest.raises(Replaced):
        removal.remove_media(folder, b"a.jpg", seen)
    assert os.listdir(tmp_path) == ["a.jpg"]
    os.close(folder)


def test_of_a_link_only_the_link_goes(tmp_path: Path, folder: int) -> None:
    (tmp_path / "real.bin").write_bytes(b"x")
    (tmp_path / "link.jpg").symlink_to("real.bin")
    removal.remove_media(folder, b"link.jpg", removal.identity_of((tmp_path / "link.jpg").lstat()))
    assert os.listdir(tmp_path) == ["real.bin"]
    os.close(folder)


def test_a_companion_is_a_regular_file_beside_a_media_name(tmp_path: Path, folder: int) -> None:
    (tmp_path / "victim").write_bytes(b"x")
    (tmp_path / "a.jpg.lock").symlink_to("victim")
    (tmp_path / "b.jpg.lock").mkdir()
    (tmp_path / "c.txt.lock").write_bytes(b"")
    for name in (b"a.jpg", b"b.jpg", b"c.txt"):
        with pytest.raises(removal.NotRemovable):
            removal.remove_companion(folder, name, State.LOCKED)
    assert not removal.remove_companion(folder, b"d.jpg", State.LOCKED)
    (tmp_path / "d.jpg.lock").write_bytes(b"")
    assert removal.remove_companion(folder, b"d.jpg", State.LOCKED)
    assert sorted(os.listdir(tmp_path)) == ["a.jpg.lock", "b.jpg.lock", "c.txt.lock", "victim"]
    os.close(folder)


def test_a_thumbnail_is_named_as_one(tmp_path: Path, folder: int) -> None:
    good = ("0" * 32 + ".png", "." + "0" * 32 + ".png.123.abcdef01")
    for name in (*good, "photo.png", "0" * 32 + ".png\n"):
        (tmp_path / name).write_bytes(b"x")
    for name in good:
        assert removal.remove_thumbnail(folder, os.fsencode(name))
        assert not removal.remove_thumbnail(folder, os.fsencode(name))
    for name in (b"photo.png", b"0" * 32 + b".png\n", b"../photo.png"):
        with pytest.raises(removal.NotRemovable):
            removal.remove_thumbnail(folder, name)
    (tmp_path / ("1" * 32 + ".png")).symlink_to("photo.png")
    with pytest.raises(removal.NotRemovable):
        removal.remove_thumbnail(folder, b"1" * 32 + b".png")
    os.close(folder)

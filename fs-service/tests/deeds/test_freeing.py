"""Deleted files are let go beside the work: the name at once, the space soon after, never more than a bound."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fs_service.store.freeing import Freeing


@pytest.fixture
def folder_fd(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def held_open(folder: Path) -> list[str]:
    """The deleted files of the folder that this process still has open."""
    found = []
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{descriptor}")
        except FileNotFoundError:
            continue
        if target.startswith(f"{folder}/") and target.endswith(" (deleted)"):
            found.append(target)
    return found


def let_go(folder: Path) -> bool:
    end = time.monotonic() + 5
    while held_open(folder) and time.monotonic() < end:
        time.sleep(0.005)
    return not held_open(folder)


def test_the_name_is_gone_at_once_and_every_file_is_let_go(tmp_path: Path, folder_fd: int) -> None:
    freeing = Freeing()
    for number in range(300):
        name = f"{number}.jpg"
        (tmp_path / name).write_bytes(b"x" * 5000)
        with freeing.put_off(folder_fd, os.fsencode(name)):
            os.unlink(name, dir_fd=folder_fd)
        assert not (tmp_path / name).exists()
    assert let_go(tmp_path)


def test_what_is_not_deleted_after_all_is_let_go_too(tmp_path: Path, folder_fd: int) -> None:
    freeing = Freeing()
    (tmp_path / "kept.jpg").touch()
    with pytest.raises(PermissionError), freeing.put_off(folder_fd, b"kept.jpg"):
        raise PermissionError
    (tmp_path / "kept.jpg").unlink()
    assert let_go(tmp_path)


def test_a_link_is_held_itself_and_a_fifo_does_not_hang(tmp_path: Path, folder_fd: int) -> None:
    freeing = Freeing()
    (tmp_path / "target.jpg").touch()
    (tmp_path / "link.jpg").symlink_to("target.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    for name in (b"link.jpg", b"pipe.jpg"):
        with freeing.put_off(folder_fd, name):
            os.unlink(name, dir_fd=folder_fd)
    assert os.listdir(tmp_path) == ["target.jpg"]
    assert let_go(tmp_path)


def test_a_missing_file_is_nothing_to_put_off(folder_fd: int) -> None:
    with pytest.raises(FileNotFoundError), Freeing().put_off(folder_fd, b"missing.jpg"):
        os.unlink(b"missing.jpg", dir_fd=folder_fd)

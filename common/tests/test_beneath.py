"""The jail, with real files and real links."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from media_common import beneath

parts = st.binary(min_size=1, max_size=12).filter(lambda part: not {0, 0x2F} & set(part) and part not in (b".", b".."))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A root with `a/b/photo.jpg`, and a secret beside the root."""
    root = tmp_path / "root"
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "b" / "photo.jpg").write_bytes(b"photo")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "photo.jpg").write_bytes(b"secret")
    (tmp_path / "root2").mkdir()
    (tmp_path / "root2" / "photo.jpg").write_bytes(b"sibling")
    return root


def opened(root: Path, relative: bytes) -> bytes:
    with beneath.root(os.fsencode(root)) as root_fd, os.fdopen(beneath.open_file(root_fd, relative), "rb") as file:
        return file.read()


def resolved(root: Path, relative: bytes) -> bytes:
    with beneath.root(os.fsencode(root)) as root_fd:
        return beneath.resolve_file(os.fsencode(root), root_fd, relative)


@given(st.lists(parts, min_size=1, max_size=6))
def test_a_clean_path_splits_into_its_folders_and_its_name(path: list[bytes]) -> None:
    assert beneath.split(b"/".join(path)) == (path[:-1], path[-1])


@given(st.lists(parts, max_size=3), st.sampled_from([b"", b".", b"..", b"nul\0"]), st.lists(parts, max_size=3))
def test_a_path_with_a_part_that_is_no_name_is_refused(before: list[bytes], bad: bytes, after: list[bytes]) -> None:
    with pytest.raises(ValueError, match="not a clean relative path"):
        beneath.split(b"/".join([*before, bad, *after]))


def test_a_file_below_the_root_is_opened(tree: Path) -> None:
    assert opened(tree, b"a/b/photo.jpg") == b"photo"
    assert resolved(tree, b"a/b/photo.jpg") == b"a/b/photo.jpg"


def test_a_root_that_is_reached_through_a_link_is_the_administrators_choice(tree: Path) -> None:
    link = tree.parent / "link"
    link.symlink_to(tree)
    assert opened(link, b"a/b/photo.jpg") == b"photo"


@pytest.mark.parametrize("target", ["../outside", "../root2", "a/b", "../missing", "loop"])
def test_a_linked_folder_leads_nowhere_wherever_it_points(tree: Path, target: str) -> None:
    (tree / "loop").symlink_to(target)
    for call in (opened, resolved):
        with pytest.raises(beneath.Escapes):
            call(tree, b"loop/photo.jpg")


def test_a_linked_folder_in_the_middle_leads_nowhere(tree: Path) -> None:
    (tree / "a" / "way").symlink_to("../../outside")
    (tree.parent / "outside" / "deep").mkdir()
    for relative in (b"a/way/photo.jpg", b"a/way/deep/photo.jpg", b"a/way/deep/missing.jpg"):
        with pytest.raises(beneath.Escapes):
            opened(tree, relative)


def test_a_linked_file_is_never_opened_through_its_link(tree: Path) -> None:
    (tree / "link.jpg").symlink_to("a/b/photo.jpg")
    with pytest.raises(beneath.Escapes):
        opened(tree, b"link.jpg")


def test_a_linked_file_resolves_to_its_target_inside_the_root(tree: Path) -> None:
    (tree / "link.jpg").symlink_to("a/b/photo.jpg")
    (tree / "twice.jpg").symlink_to(tree / "link.jpg")
    assert resolved(tree, b"link.jpg") == b"a/b/photo.jpg"
    assert resolved(tree, b"twice.jpg") == b"a/b/photo.jpg"
    assert opened(tree, resolved(tree, b"twice.jpg")) == b"photo"


@pytest.mark.parametrize(
    "target", ["../outside/photo.jpg", "../root2/photo.jpg", "../outside/missing.jpg", "/etc/passwd"]
)
def test_a_linked_file_out_of_the_root_is_refused_whether_its_target_exists_or_not(tree: Path, target: str) -> None:
    (tree / "link.jpg").symlink_to(target)
    with pytest.raises(beneath.Escapes):
        resolved(tree, b"link.jpg")


def test_a_file_that_is_swapped_for_a_link_after_it_was_resolved_is_refused(tree: Path) -> None:
    relative = resolved(tree, b"a/b/photo.jpg")
    (tree / "a" / "b" / "photo.jpg").unlink()
    (tree / "a" / "b" / "photo.jpg").symlink_to(tree.parent / "outside" / "photo.jpg")
    with pytest.raises(beneath.Escapes):
        opened(tree, relative)


def test_a_folder_that_is_swapped_while_it_is_open_redirects_nothing(tree: Path) -> None:
    with beneath.root(os.fsencode(tree)) as root_fd, beneath.folder(root_fd, [b"a"]) as held:
        (tree / "a").rename(tree / "moved")
        (tree / "a").symlink_to("../outside")
        with beneath.folder(held, [b"b"]) as below:
            assert os.listdir(below) == ["photo.jpg"]
        with pytest.raises(beneath.Escapes):
            beneath.open_folder(root_fd, [b"a"])


def test_what_is_no_regular_file_is_refused_without_waiting_for_it(tree: Path) -> None:
    os.mkfifo(tree / "pipe.jpg")
    (tree / "folder.jpg").mkdir()
    for name in (b"pipe.jpg", b"folder.jpg"):
        with pytest.raises(OSError, match="not a regular file") as caught:
            opened(tree, name)
        assert caught.value.errno == errno.EINVAL


def test_a_socket_is_refused(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)  # a socket's address must be short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.jpg")
        with pytest.raises(OSError, match="not a regular file") as caught:
            opened(tree, b"socket.jpg")
    assert caught.value.errno == errno.EINVAL


def test_what_is_missing_is_missing_not_an_escape(tree: Path) -> None:
    for relative in (b"a/b/none.jpg", b"none/photo.jpg"):
        with pytest.raises(FileNotFoundError):
            opened(tree, relative)
    with pytest.raises(NotADirectoryError):
        opened(tree, b"a/b/photo.jpg/below.jpg")


def test_a_name_that_is_not_utf8_is_a_name(tree: Path) -> None:
    name = b"caf\xe9 \xff.jpg"
    with open(os.path.join(os.fsencode(tree), name), "wb") as file:
        file.write(b"odd")
    assert opened(tree, name) == b"odd"


def test_no_descriptor_is_left_open_whatever_happens(tree: Path) -> None:
    (tree / "loop").symlink_to("loop")
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for relative in (b"a/b/photo.jpg", b"a/b/none.jpg", b"loop/x", b"a/b", b"a/b/photo.jpg/x"):
        try:
            opened(tree, relative)
        except OSError:
            continue
    after = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    assert after == before

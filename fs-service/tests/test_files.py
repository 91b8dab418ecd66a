"""Facts and bytes of media files, on real files below a real root."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fs_service.domain.errors import FileChanged, NotMedia, OutsideRoots, PathMissing
from fs_service.domain.ports import Place, RootState
from fs_service.store.birth import birth_us
from fs_service.store.files import CHUNK_BYTES, Files, content_type
from media_common import beneath
from media_common.errors import InvalidArgument
from media_common.formats import IMAGES, VIDEOS


class PlainRoots:
    """Roots without an identity to check."""

    def known(self) -> list[bytes]:
        return []

    def place(self, path: bytes) -> Place:
        raise AssertionError(path)

    def state(self, root: bytes) -> tuple[RootState, str]:
        return RootState.ONLINE, ""

    @contextmanager
    def opened(self, root: bytes) -> Iterator[int]:
        with beneath.root(root) as descriptor:
            yield descriptor


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "rev"
    (folder / "day").mkdir(parents=True)
    return folder


@pytest.fixture
def files() -> Files:
    return Files(PlainRoots())


def place(root: Path, relative: str | bytes) -> Place:
    return Place(os.fsencode(root), relative if isinstance(relative, bytes) else relative.encode())


def test_the_facts_are_those_of_the_disk(files: Files, root: Path) -> None:
    (root / "day/a.JPG").write_bytes(b"12345")
    os.utime(root / "day/a.JPG", ns=(0, 1_700_000_000_123_456_789))
    facts = files.facts(place(root, "day/a.JPG"))
    assert (facts.size_bytes, facts.modified_us) == (5, 1_700_000_000_123_456)
    assert facts.content_type == "image/jpeg"
    assert '"' not in facts.etag


def test_the_etag_is_another_after_a_write_of_the_same_length(files: Files, root: Path) -> None:
    (root / "a.jpg").write_bytes(b"12345")
    before = files.facts(place(root, "a.jpg")).etag
    (root / "a.jpg").write_bytes(b"54321")
    os.utime(root / "a.jpg", ns=(0, 1_700_000_000_000_000_001))
    assert files.facts(place(root, "a.jpg")).etag != before


@pytest.mark.parametrize(("offset", "length"), [(0, 10), (3, 4), (9, 1), (10, 0), (0, 0)])
def test_a_range_is_exactly_those_bytes(files: Files, root: Path, offset: int, length: int) -> None:
    (root / "a.jpg").write_bytes(b"0123456789")
    here = place(root, "a.jpg")
    etag = files.facts(here).etag
    assert b"".join(files.read(here, offset, length, etag)) == b"0123456789"[offset : offset + length]


def test_a_large_file_comes_in_bounded_chunks(files: Files, root: Path) -> None:
    content = os.urandom(CHUNK_BYTES * 2 + 17)
    (root / "a.mp4").write_bytes(content)
    here = place(root, "a.mp4")
    chunks = list(files.read(here, 0, len(content), files.facts(here).etag))
    assert b"".join(chunks) == content
    assert max(map(len, chunks)) <= CHUNK_BYTES


@pytest.mark.parametrize(("offset", "length"), [(0, 11), (11, 0), (-1, 2), (2, -1)])
def test_a_range_outside_the_file_is_refused(files: Files, root: Path, offset: int, length: int) -> None:
    (root / "a.jpg").write_bytes(b"0123456789")
    here = place(root, "a.jpg")
    with pytest.raises(InvalidArgument):
        next(files.read(here, offset, length, files.facts(here).etag))


def test_a_file_replaced_since_its_facts_is_refused(files: Files, root: Path) -> None:
    (root / "a.jpg").write_bytes(b"0123456789")
    here = place(root, "a.jpg")
    etag = files.facts(here).etag
    (root / "b").write_bytes(b"0123456789")
    os.replace(root / "b", root / "a.jpg")
    with pytest.raises(FileChanged):
        next(files.read(here, 0, 10, etag))


def test_a_file_cut_short_while_it_is_read_ends_with_an_error(files: Files, root: Path) -> None:
    size = CHUNK_BYTES * 3
    (root / "a.mp4").write_bytes(bytes(size))
    here = place(root, "a.mp4")
    reading = files.read(here, 0, size, files.facts(here).etag)
    assert len(next(reading)) == CHUNK_BYTES
    os.truncate(root / "a.mp4", CHUNK_BYTES + 10)
    assert len(next(reading)) == 10
    with pytest.raises(FileChanged):
        next(reading)


def test_a_read_that_is_given_up_closes_its_file(files: Files, root: Path) -> None:
    (root / "a.mp4").write_bytes(bytes(CHUNK_BYTES * 3))
    here = place(root, "a.mp4")
    before = len(os.listdir("/proc/self/fd"))
    reading = files.read(here, 0, CHUNK_BYTES * 3, files.facts(here).etag)
    next(reading)
    assert len(os.listdir("/proc/self/fd")) == before + 1
    reading.close()  # type: ignore[attr-defined]
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_link_is_followed_inside_the_root_only(files: Files, root: Path, tmp_path: Path) -> None:
    (root / "day/a.jpg").write_bytes(b"inside")
    (tmp_path / "secret.jpg").write_bytes(b"outside")
    os.symlink("day/a.jpg", root / "in.jpg")
    os.symlink(tmp_path / "secret.jpg", root / "out.jpg")
    os.symlink(tmp_path / "nothing.jpg", root / "dangling-out.jpg")
    os.symlink(tmp_path, root / "folder")
    assert files.facts(place(root, "in.jpg")).size_bytes == 6
    for name in ("out.jpg", "dangling-out.jpg", "folder/secret.jpg", "folder/nothing.jpg"):
        with pytest.raises(OutsideRoots):
            files.facts(place(root, name))


def test_what_is_missing_is_missing(files: Files, root: Path) -> None:
    (root / "a.jpg").write_bytes(b"")
    os.symlink("gone.jpg", root / "dangling.jpg")
    for name in ("no.jpg", "no/no.jpg", "a.jpg/no.jpg", "dangling.jpg", "x" * 300 + ".jpg"):
        with pytest.raises(PathMissing):
            files.facts(place(root, name))


def test_a_socket_is_no_media_file(files: Files, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)  # a socket's address must be short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.jpg")
        with pytest.raises(NotMedia):
            files.facts(place(root, "socket.jpg"))


def test_only_regular_media_files_are_read(files: Files, root: Path) -> None:
    (root / "notes.txt").write_bytes(b"")
    (root / "folder.jpg").mkdir()
    os.mkfifo(root / "pipe.jpg")
    (root / ".thumbnails/large").mkdir(parents=True)
    (root / ".thumbnails/large/a.png").write_bytes(b"")
    for name in (".thumbnails/large/a.png", "notes.txt", "folder.jpg", "pipe.jpg", ".hidden.jpg", ""):
        with pytest.raises(NotMedia):
            files.facts(place(root, name))


def test_a_name_that_is_no_utf8_is_read(files: Files, root: Path) -> None:
    name = b"caf\xe9\xff.jpg"
    (Path(os.fsdecode(os.fsencode(root) + b"/" + name))).write_bytes(b"x")
    facts = files.facts(place(root, name))
    assert facts.path.endswith(name)
    assert b"".join(files.read(place(root, name), 0, 1, facts.etag)) == b"x"


def test_every_media_extension_has_a_content_type() -> None:
    for extension in IMAGES | VIDEOS:
        kind = "image/" if extension in IMAGES else "video/"
        assert content_type(b"a." + extension.upper()).startswith(kind), extension


def test_the_birth_time_is_the_one_that_stat_prints(root: Path) -> None:
    path = root / "a.jpg"
    path.write_bytes(b"x")
    os.utime(path, (0, 0))
    printed = int(subprocess.run(["stat", "--format=%W", path], capture_output=True, check=True).stdout)
    expected = printed or path.stat().st_ctime_ns // 1_000_000_000
    folder = os.open(root, os.O_RDONLY)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        assert birth_us(os.fsencode(path)) // 1_000_000 == expected
        assert birth_us(b"a.jpg", dir_fd=folder) == birth_us(descriptor) == birth_us(os.fsencode(path))
        with pytest.raises(FileNotFoundError):
            birth_us(b"no.jpg", dir_fd=folder)
    finally:
        os.close(descriptor)
        os.close(folder)

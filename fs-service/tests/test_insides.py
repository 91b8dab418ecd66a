"""Descriptions and hashes by path, below real roots."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from fs_service.domain.errors import FileChanged, NotMedia, OutsideRoots, PathMissing, RootOffline, StorageFailed
from fs_service.domain.items import Described, Description, Hashed, Probe
from fs_service.domain.media import Kind
from fs_service.domain.paths import is_inside
from fs_service.domain.ports import Place, RootState
from fs_service.store import insides as insides_module
from fs_service.store.files import Files
from fs_service.store.insides import Insides
from media_common import beneath
from media_common.errors import ServiceError
from media_common.insides.description import Camera


class OneRoot:
    """A root that can be taken offline."""

    def __init__(self, path: Path) -> None:
        self.path = os.fsencode(path)
        self.online = True

    def known(self) -> list[bytes]:
        return [self.path]

    def place(self, path: bytes) -> Place:
        if not is_inside(path, self.path):
            raise OutsideRoots
        return Place(self.path, path[len(self.path) + 1 :])

    def state(self, root: bytes) -> tuple[RootState, str]:
        return RootState.ONLINE, ""

    @contextmanager
    def opened(self, root: bytes) -> Iterator[int]:
        if not self.online:
            raise RootOffline("It is away.")
        with beneath.root(root) as descriptor:
            yield descriptor


class Reader:
    """Says of a file what is in it; of one that holds `dead`, nothing."""

    def __init__(self) -> None:
        self.starts = True

    def describe(self, files: Sequence[tuple[bytes, Kind]]) -> list[Described | None]:
        return [self._one(path) if self.starts else None for path, _ in files]

    def _one(self, path: bytes) -> Described:
        text = Path(os.fsdecode(path)).read_text()
        return Described() if text == "dead" else Described(Probe(1, 1), Camera(model=text))


@pytest.fixture
def root(tmp_path: Path) -> OneRoot:
    (tmp_path / "rev/day").mkdir(parents=True)
    return OneRoot(tmp_path / "rev")


@pytest.fixture
def reader() -> Reader:
    return Reader()


@pytest.fixture
def insides(root: OneRoot, reader: Reader) -> Insides:
    return Insides(root, reader, Files(root))


def put(root: OneRoot, name: str, content: bytes = b"x") -> bytes:
    """A file that has not changed for an hour."""
    path = root.path + b"/" + name.encode()
    os.makedirs(os.path.dirname(path), exist_ok=True)
    Path(os.fsdecode(path)).write_bytes(content)
    return path


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files made a moment ago are old enough."""
    monkeypatch.setattr(insides_module, "_TICK_NS", 0)


def hashes(insides: Insides, paths: Sequence[bytes]) -> dict[bytes, Hashed | ServiceError]:
    return dict(one for batch in insides.hashes(paths) for one in batch)


def test_each_path_is_answered_or_refused_by_itself_in_order(insides: Insides, root: OneRoot, tmp_path: Path) -> None:
    good, dead = put(root, "day/a.jpg", b"one"), put(root, "b.mp4", b"dead")
    (tmp_path / "rev/link.jpg").symlink_to("day/a.jpg")
    outside = tmp_path / "secret.jpg"
    outside.write_text("secret")
    (tmp_path / "rev/out.jpg").symlink_to(outside)
    (tmp_path / "rev/folder.jpg").mkdir()
    (tmp_path / "rev/swapped").symlink_to(tmp_path)
    names = [b"/link.jpg", b"/out.jpg", b"/folder.jpg", b"/none.jpg", b"/notes.txt", b"/swapped/secret.jpg", b""]
    others = [root.path + name for name in names]
    found = insides.describe([good, *others, dead, os.fsencode(outside), b"relative.jpg"])
    assert [type(one) for one in found] == [
        Description, Description, PathMissing, PathMissing, PathMissing, NotMedia, PathMissing, NotMedia, Description,
        OutsideRoots, type(found[-1]),
    ]  # fmt: skip
    assert isinstance(found[-1], ServiceError)
    first, link, last = found[0], found[1], found[8]
    assert isinstance(first, Description)
    assert isinstance(link, Description)
    assert isinstance(last, Description)
    assert first.camera.model == link.camera.model == "one"
    assert first.identity == link.identity
    # The one that its reader died of is told by what it was outside: it is not asked for again and again.
    assert (last.probe, last.identity.size_bytes) == (Probe(), 4)


def test_nothing_is_said_of_a_file_that_nobody_could_be_asked_of(
    insides: Insides, root: OneRoot, reader: Reader
) -> None:
    reader.starts = False
    assert [type(one) for one in insides.describe([put(root, "a.jpg")])] == [StorageFailed]


def test_an_offline_root_is_told_by_its_name(insides: Insides, root: OneRoot) -> None:
    path = put(root, "a.jpg")
    root.online = False
    assert [type(one) for one in insides.describe([path])] == [RootOffline]
    assert type(hashes(insides, [path])[path]) is RootOffline


def test_a_hash_is_of_the_whole_content(insides: Insides, root: OneRoot) -> None:
    contents = {put(root, f"{size}.jpg", os.urandom(size)): size for size in (0, 1, 2**20 - 1, 2**20, 3 * 2**20 + 7)}
    found = hashes(insides, [*contents, root.path + b"/none.jpg"])
    for path, size in contents.items():
        one = found[path]
        assert isinstance(one, Hashed)
        assert one.sha256 == hashlib.sha256(Path(os.fsdecode(path)).read_bytes()).digest()
        assert (one.identity.size_bytes, one.identity.inode) == (size, os.stat(path).st_ino)
    assert type(found[root.path + b"/none.jpg"]) is PathMissing


@pytest.mark.parametrize("deed", ["append", "overwrite", "truncate", "overwrite and set the time back"])
def test_a_file_that_changes_while_it_is_read_has_no_hash(
    insides: Insides, root: OneRoot, monkeypatch: pytest.MonkeyPatch, deed: str
) -> None:
    path = put(root, "a.jpg", b"x" * 5 * 2**20)
    before = os.stat(path)
    monkeypatch.setattr(insides_module, "_BATCH_S", -1.0)  # a look at the caller behind every chunk
    batches = insides.hashes([path])
    assert next(batches) == []
    if deed == "truncate":
        os.truncate(path, 2**20)
    else:
        with open(path, "ab" if deed == "append" else "r+b") as file:
            file.write(b"y")
    if deed.endswith("back"):
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    (answer,) = [one for batch in batches for one in batch]
    assert type(answer[1]) is FileChanged


def test_a_file_changed_this_very_moment_waits_for_its_hash(
    insides: Insides, root: OneRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(insides_module, "_TICK_NS", 3_600_000_000_000)
    path = put(root, "a.jpg")
    assert type(hashes(insides, [path])[path]) is FileChanged


def test_a_caller_that_leaves_a_big_file_lets_it_go(insides: Insides, root: OneRoot) -> None:
    path = put(root, "a.jpg", b"x" * 40 * 2**20)
    insides_open = len(os.listdir("/proc/self/fd"))
    batches = insides.hashes([path] * 50)
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert len(os.listdir("/proc/self/fd")) == insides_open

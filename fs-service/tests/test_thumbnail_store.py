"""Stored thumbnails on a real disk: looking up, dropping, pruning, and what is never touched."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fs_service.domain.errors import NotMedia, OutsideRoots, PathMissing, RootOffline
from fs_service.domain.ports import Place, RootState
from fs_service.store.files import Files
from fs_service.store.thumbnails import ThumbnailStore, state_cache_of
from media_common import beneath, thumbnail_file
from media_common.thumbnail_file import Source


class OneRoot:
    """A root that can be taken offline."""

    def __init__(self, path: bytes) -> None:
        self.path = path
        self.above: list[bytes] = []  # roots that hold this one
        self.offline = False

    def known(self) -> list[bytes]:
        return [*self.above, self.path]

    def place(self, path: bytes) -> Place:
        if not path.startswith(self.path + b"/"):
            raise OutsideRoots
        return Place(self.path, path[len(self.path) + 1 :])

    def state(self, root: bytes) -> tuple[RootState, str]:
        return RootState.ONLINE, ""

    @contextmanager
    def opened(self, root: bytes) -> Iterator[int]:
        if self.offline:
            raise RootOffline("It is away.")
        with beneath.root(root) as descriptor:
            yield descriptor


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def roots(root: Path) -> OneRoot:
    return OneRoot(os.fsencode(root))


@pytest.fixture
def store(roots: OneRoot, state_dir: Path) -> ThumbnailStore:
    return ThumbnailStore(roots, Files(roots), state_dir)


PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + b"\0" * 17 + b"\0\0\0\0IEND\xae\x42\x60\x82"


def keep(base: Path | bytes, path: Path, size_px: int = 256) -> None:
    """A thumbnail as a worker stores it."""
    facts = path.lstat()
    source = Source(os.fsencode(path), facts.st_mtime_ns, facts.st_size)
    os.makedirs(base, exist_ok=True)
    png = thumbnail_file.with_text(PNG, thumbnail_file.text_chunks(source))
    thumbnail_file.store(os.fsencode(base), source, size_px, png)


def photo(root: Path, name: str = "a.jpg") -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(name.encode())
    return path


def kept(base: Path) -> int:
    return len(list((base / ".thumbnails").rglob("*.png")))


def place(root: Path, relative: str) -> Place:
    return Place(os.fsencode(root), os.fsencode(relative))


def cache_of(state_dir: Path, root: Path) -> Path:
    return Path(os.fsdecode(state_cache_of(state_dir, os.fsencode(root))))


# ---- looking up ----


def test_a_thumbnail_is_found_in_the_root_and_in_its_stand_in(
    store: ThumbnailStore, root: Path, state_dir: Path
) -> None:
    for base, name in ((root, "a.jpg"), (cache_of(state_dir, root), "b.jpg")):
        path = photo(root, name)
        source = store.source(place(root, name))
        assert store.fresh(os.fsencode(root), source, 256) is None
        keep(base, path)
        assert store.fresh(os.fsencode(root), source, 256) is not None
        assert store.fresh(os.fsencode(root), source, 128) is None


def test_two_roots_never_share_a_stand_in(state_dir: Path) -> None:
    assert state_cache_of(state_dir, b"/x/rev") != state_cache_of(state_dir, b"/x/rev2")


def test_a_changed_file_has_no_fresh_thumbnail(store: ThumbnailStore, root: Path) -> None:
    path = photo(root)
    keep(root, path)
    path.write_bytes(b"longer than it was")
    assert store.fresh(os.fsencode(root), store.source(place(root, "a.jpg")), 256) is None


def test_a_source_is_refused_as_the_file_itself_is(store: ThumbnailStore, root: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(b"x")
    (root / "out.jpg").symlink_to(tmp_path / "secret.jpg")
    (root / "dangling.jpg").symlink_to(tmp_path / "nothing.jpg")
    (root / "folder.jpg").mkdir()
    for name, refusal in (
        ("out.jpg", OutsideRoots),
        ("dangling.jpg", OutsideRoots),
        ("folder.jpg", NotMedia),
        ("notes.txt", NotMedia),
        ("missing.jpg", PathMissing),
    ):
        with pytest.raises(refusal):
            store.source(place(root, name))


# ---- dropping ----


def test_dropping_removes_every_size_in_the_root_and_in_its_stand_in_and_nothing_else(
    store: ThumbnailStore, root: Path, state_dir: Path
) -> None:
    gone, stays = photo(root), photo(root, "b.jpg")
    for base in (root, cache_of(state_dir, root)):
        for size_px in (100, 128, 256, 512, 1024):
            keep(base, gone, size_px)
            keep(base, stays, size_px)
    store.drop([os.fsencode(gone)])
    assert kept(root) == kept(cache_of(state_dir, root)) == 5
    assert store.fresh(os.fsencode(root), store.source(place(root, "b.jpg")), 256) is not None
    assert gone.exists()


def test_dropping_reaches_every_root_that_holds_the_file(
    store: ThumbnailStore, roots: OneRoot, root: Path, tmp_path: Path
) -> None:
    roots.above = [os.fsencode(tmp_path), os.fsencode(tmp_path / "ro")]
    path = photo(root)
    for base in (root, tmp_path, tmp_path / "ro"):
        keep(base, path)
    store.drop([os.fsencode(path)])
    assert (kept(root), kept(tmp_path), kept(tmp_path / "ro")) == (0, 0, 1)


def test_dropping_what_has_no_thumbnail_is_nothing(store: ThumbnailStore, root: Path) -> None:
    store.drop([os.fsencode(root / "a.jpg")])
    store.drop([b"/outside/every/root.jpg"])


def test_dropping_follows_no_link(store: ThumbnailStore, root: Path, tmp_path: Path) -> None:
    path = photo(root)
    elsewhere = tmp_path / "elsewhere"
    keep(elsewhere, path)
    (root / ".thumbnails").mkdir()
    (root / ".thumbnails" / "large").symlink_to(elsewhere / ".thumbnails" / "large")
    store.drop([os.fsencode(path)])
    assert kept(elsewhere) == 1
    (root / ".thumbnails" / "large").unlink()
    (root / ".thumbnails").rmdir()
    (root / ".thumbnails").symlink_to(elsewhere / ".thumbnails")
    store.drop([os.fsencode(path)])
    assert kept(elsewhere) == 1


# ---- pruning ----


def test_pruning_removes_the_thumbnails_of_files_that_are_gone(
    store: ThumbnailStore, root: Path, state_dir: Path
) -> None:
    stays, goes, below = photo(root), photo(root, "b.jpg"), photo(root, "day/c.jpg")
    for base in (root, cache_of(state_dir, root)):
        for path in (stays, goes, below):
            keep(base, path)
    goes.unlink()
    below.unlink()
    below.parent.rmdir()
    assert store.prune(os.fsencode(root)) == 4
    assert kept(root) == kept(cache_of(state_dir, root)) == 1
    assert store.prune(os.fsencode(root)) == 0


def test_what_the_index_knows_is_not_looked_at_again(roots: OneRoot, root: Path, state_dir: Path) -> None:
    path = photo(root)
    keep(root, path)
    path.unlink()
    behind = ThumbnailStore(roots, Files(roots), state_dir, known=lambda _: [os.fsencode(path)])
    assert behind.prune(os.fsencode(root)) == 0
    current = ThumbnailStore(roots, Files(roots), state_dir, known=lambda _: [])
    assert current.prune(os.fsencode(root)) == 1


def test_an_odd_name_is_pruned_as_any_other(store: ThumbnailStore, root: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(root) + b"/\xff % \n#?.jpg"))
    path.write_bytes(b"x")
    keep(root, path)
    assert store.prune(os.fsencode(root)) == 0
    path.unlink()
    assert store.prune(os.fsencode(root)) == 1


def test_pruning_leaves_what_is_not_ours(store: ThumbnailStore, root: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "rev2" / "a.jpg"
    elsewhere.parent.mkdir()
    elsewhere.write_bytes(b"x")
    keep(root, elsewhere)  # another root's
    elsewhere.unlink()
    folder = root / ".thumbnails"
    (folder / "root-id").write_bytes(b"marker")
    (folder / "fail").mkdir()
    (folder / "fail" / ("0" * 32 + ".png")).write_bytes(PNG)
    (folder / "large" / ("0" * 32 + ".png")).write_bytes(PNG)  # no text in it
    (folder / "large" / "notes.txt").write_bytes(b"mine")
    (folder / "large" / ".hidden").write_bytes(b"mine")
    gone = photo(root, "gone.jpg")
    keep(root, gone)
    renamed = folder / "large" / ("1" * 32 + ".png")
    (folder / "large" / os.fsdecode(thumbnail_file.name_of(os.fsencode(gone)))).rename(renamed)
    gone.unlink()
    before = sorted(folder.rglob("*"))
    assert store.prune(os.fsencode(root)) == 0
    assert sorted(folder.rglob("*")) == before


def test_pruning_follows_no_link(store: ThumbnailStore, root: Path, tmp_path: Path) -> None:
    gone = photo(root, "gone.jpg")
    elsewhere = tmp_path / "elsewhere"
    keep(elsewhere, gone)
    gone.unlink()
    (root / ".thumbnails").symlink_to(elsewhere / ".thumbnails")
    assert store.prune(os.fsencode(root)) == 0
    (root / ".thumbnails").unlink()
    (root / ".thumbnails").mkdir()
    (root / ".thumbnails" / "large").symlink_to(elsewhere / ".thumbnails" / "large")
    assert store.prune(os.fsencode(root)) == 0
    assert kept(elsewhere) == 1


def test_half_made_thumbnails_are_removed_when_their_worker_is_long_gone(
    roots: OneRoot, root: Path, state_dir: Path
) -> None:
    half = root / ".thumbnails" / "large" / (".%s.png.123.abcd" % ("0" * 32))
    half.parent.mkdir(parents=True)
    half.write_bytes(b"half")
    made_s = half.stat().st_ctime
    early = ThumbnailStore(roots, Files(roots), state_dir, clock=lambda: made_s + 60)
    assert early.prune(os.fsencode(root)) == 0
    late = ThumbnailStore(roots, Files(roots), state_dir, clock=lambda: made_s + 7200)
    assert late.prune(os.fsencode(root)) == 1
    assert not half.exists()


def test_nothing_of_an_offline_root_is_removed(store: ThumbnailStore, roots: OneRoot, root: Path) -> None:
    path = photo(root)
    keep(root, path)
    path.unlink()
    roots.offline = True
    store.drop([os.fsencode(path)])
    assert store.prune(os.fsencode(root)) == 0
    assert kept(root) == 1

"""Any sequence of changes to a real tree, against a fresh walk over it."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from fs_service.domain.items import State, StatusFilter
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from looking_world import World, oracle

folders = st.sampled_from(["", "a", "a/b", "a/b/c", "a-b", "d.jpg", ".hidden", "\udcff"])
names = st.sampled_from(["x.jpg", "y.JPG", "z.mp4", "\udcfe.png", "notes.txt", ".h.jpg", "x.jpg.txt"])
suffixes = st.sampled_from([".seen", ".lock", ".trash"])


class TreeMachine(RuleBasedStateMachine):
    """Each rule changes the disk as users and programs do; the invariant asks for everything and compares."""

    @initialize()
    def begin(self) -> None:
        self.base = Path(tempfile.mkdtemp())
        self.world = World(self.base)
        self.root = self.world.root()
        self.check_next = True

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.__exit__()
            shutil.rmtree(self.base)

    def _path(self, folder: str, name: str) -> Path:
        return self.root / folder / name if folder else self.root / name

    @rule(folder=folders, name=names)
    def create(self, folder: str, name: str) -> None:
        path = self._path(folder, name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        except OSError:
            pass

    @rule(folder=folders, name=names, suffix=suffixes)
    def mark(self, folder: str, name: str, suffix: str) -> None:
        path = self._path(folder, name + suffix)
        if path.parent.is_dir():
            path.unlink() if path.exists() else path.touch()

    @rule(folder=folders, name=names)
    def delete(self, folder: str, name: str) -> None:
        path = self._path(folder, name)
        if path.is_symlink() or path.is_file():
            path.unlink()

    @rule(folder=folders, name=names, other=folders, new=names)
    def move(self, folder: str, name: str, other: str, new: str) -> None:
        path, target = self._path(folder, name), self._path(other, new)
        if path.is_file() and target.parent.is_dir() and not target.is_dir():
            path.rename(target)

    @rule(folder=folders, name=names, content=st.binary(max_size=3))
    def write(self, folder: str, name: str, content: bytes) -> None:
        path = self._path(folder, name)
        if path.is_file():
            path.write_bytes(content)

    @rule(folder=folders, other=folders)
    def move_folder(self, folder: str, other: str) -> None:
        path, target = self.root / folder, self.root / other
        can = path.is_dir() and not path.is_symlink() and not target.exists() and target.parent.is_dir()
        if folder and other and can and not target.is_relative_to(path):
            path.rename(target)

    @rule(folder=folders)
    def delete_folder(self, folder: str) -> None:
        path = self.root / folder
        if folder and path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)

    @rule(folder=folders, name=names, other=folders, aim=names)
    def link(self, folder: str, name: str, other: str, aim: str) -> None:
        path = self._path(folder, name)
        if path.parent.is_dir() and not path.exists() and not path.is_symlink():
            path.symlink_to(self._path(other, aim))

    @rule(folder=folders)
    def link_folder(self, folder: str) -> None:
        path = self.root / folder
        if folder and path.parent.is_dir() and not path.exists() and not path.is_symlink():
            path.symlink_to(self.root / "a")

    @rule(folder=folders, name=names, state=st.integers(0, 7))
    def act(self, folder: str, name: str, state: int) -> None:
        """As deeds do: the companions first, then the index is told."""
        path = self._path(folder, name)
        if not path.is_file():
            return
        for mark, suffix in ((State.SEEN, ".seen"), (State.LOCKED, ".lock"), (State.TRASHED, ".trash")):
            companion = path.with_name(path.name + suffix)
            if mark & State(state):
                companion.touch()
            else:
                companion.unlink(missing_ok=True)
        self.world.shelves.set_state(os.fsencode(path), State(state))

    @rule()
    def persist(self) -> None:
        self.world.background()

    @rule()
    def restart(self) -> None:
        self.world.restart()

    @rule()
    def crash(self) -> None:
        self.world.writer.stop()
        self.world.crash()

    @rule(look=st.booleans())
    def look_rarely(self, look: bool) -> None:
        """Let changes pile up."""
        self.check_next = look

    @invariant()
    def pages_are_those_of_a_fresh_walk(self) -> None:
        if not hasattr(self, "world") or not self.check_next:
            return
        expected = oracle(self.root)
        prefix = os.fsencode(self.root) + b"/"
        found = [(item.path.removeprefix(prefix), item.state) for item in self.world.items(self.root)]
        assert found == expected
        for status in StatusFilter:
            admitted = [path for path, state in expected if status.admits(state)]
            page = self.world.items(self.root, status, offset=1, limit=3)
            assert [item.path.removeprefix(prefix) for item in page] == admitted[1:4]
        sizes = {item.path: item.size_bytes for item in self.world.items(self.root)}
        assert all(size == os.stat(path).st_size for path, size in sizes.items())


TreeMachine.TestCase.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestTree = TreeMachine.TestCase

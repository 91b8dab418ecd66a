"""How the roots are, told at once whatever their disks do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fs_service.domain.ports import RootState
from fs_service.domain.root_status import RootStatus
from fs_service.store import root_watch
from fs_service.store.root_watch import RootWatch

CARD, NAS = b"/card", b"/nas"


class Disks:
    """Roots that can be pulled out, and made to hang."""

    def __init__(self, *paths: bytes) -> None:
        self.states = dict.fromkeys(paths, RootState.ONLINE)
        self.free = {path: threading.Event() for path in paths}
        for event in self.free.values():
            event.set()

    def known(self) -> list[bytes]:
        return sorted(self.states)

    def state(self, root: bytes) -> tuple[RootState, str]:
        self.free[root].wait()
        state = self.states.get(root, RootState.OFFLINE)
        return state, "" if state is RootState.ONLINE else "It is not so well."


class Heard:
    """Keeps what was emitted."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def emit(self, kind: str, payload: dict[str, Any]) -> None:
        self.events.append((kind, payload))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(root_watch, "_ROUND_S", 0.02)
    monkeypatch.setattr(root_watch, "_PATIENCE_S", 0.2)
    monkeypatch.setattr(root_watch, "_FIRST_S", 0.3)


@pytest.fixture
def disks() -> Iterator[Disks]:
    made = Disks(CARD, NAS)
    yield made
    for event in made.free.values():
        event.set()  # lets the threads that hang go


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def watch(disks: Disks, heard: Heard) -> Iterator[RootWatch]:
    made = RootWatch(disks, heard)  # type: ignore[arg-type]  # of the roots it asks no more
    made.start()
    yield made
    made.stop()


def until(watch: RootWatch, path: bytes, found: Callable[[RootStatus], bool]) -> RootStatus:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        (status,) = [one for one in watch.statuses() if one.path == path]
        if found(status):
            return status
        threading.Event().wait(0.01)
    raise AssertionError(f"never: {status}")


def test_each_root_is_told_with_its_space(tmp_path: Path, heard: Heard) -> None:
    path = str(tmp_path).encode()
    watch = RootWatch(Disks(path), heard)  # type: ignore[arg-type]
    watch.start()
    try:
        (status,) = watch.statuses()
    finally:
        watch.stop()
    assert (status.state, status.answers, status.reason) == (RootState.ONLINE, True, "")
    assert status.free_bytes is not None
    assert status.total_bytes is not None
    assert 0 < status.free_bytes <= status.total_bytes


def test_a_change_has_its_time_and_is_told_once(watch: RootWatch, disks: Disks, heard: Heard) -> None:
    online = until(watch, CARD, lambda one: one.state is RootState.ONLINE)
    disks.states[CARD] = RootState.OFFLINE
    offline = until(watch, CARD, lambda one: one.state is RootState.OFFLINE)
    assert offline.since_us >= online.looked_us
    later = until(watch, CARD, lambda one: one.looked_us > offline.looked_us)
    assert later.since_us == offline.since_us
    disks.states[CARD] = RootState.ONLINE
    until(watch, CARD, lambda one: one.state is RootState.ONLINE)
    threading.Event().wait(0.1)
    told = [(kind, payload["path"], payload["state"], payload["answers"]) for kind, payload in heard.events]
    assert told == [("root-status", "/card", "offline", True), ("root-status", "/card", "online", True)]


def test_a_disk_that_hangs_is_told_as_it_was_and_holds_up_nobody(watch: RootWatch, disks: Disks, heard: Heard) -> None:
    before = until(watch, NAS, lambda one: one.state is RootState.ONLINE)
    disks.free[NAS].clear()
    hanging = until(watch, NAS, lambda one: not one.answers)
    assert (hanging.state, hanging.since_us) == (RootState.ONLINE, before.since_us)
    assert "does not answer" in hanging.reason
    began = time.monotonic()
    disks.states[CARD] = RootState.READ_ONLY
    until(watch, CARD, lambda one: one.state is RootState.READ_ONLY)
    assert time.monotonic() - began < 2
    disks.free[NAS].set()
    assert until(watch, NAS, lambda one: one.answers).reason == ""
    threading.Event().wait(0.1)
    assert [payload["answers"] for _, payload in heard.events if payload["path"] == "/nas"] == [False, True]


def test_a_root_that_hangs_from_the_beginning_is_not_waited_for(disks: Disks, heard: Heard) -> None:
    disks.free[NAS].clear()
    watch = RootWatch(disks, heard)  # type: ignore[arg-type]
    began = time.monotonic()
    card, nas = watch.statuses()
    assert time.monotonic() - began < 2
    assert (card.state, nas.state, nas.answers, nas.looked_us) == (RootState.ONLINE, None, False, 0)


def test_a_root_that_is_removed_is_not_told_any_more(watch: RootWatch, disks: Disks) -> None:
    until(watch, CARD, lambda one: one.state is RootState.ONLINE)
    del disks.states[CARD]
    assert [one.path for one in watch.statuses()] == [NAS]
    disks.states[CARD] = RootState.SWAPPED
    assert until(watch, CARD, lambda one: one.state is not None).state is RootState.SWAPPED

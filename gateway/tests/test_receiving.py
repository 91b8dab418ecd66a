"""A file on its way in whose sender goes away while a thread is at it."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from gateway.receiving import Receiving
from media_common.blobs import BlobWriter, Stored
from media_common.blobs.folder import INCOMING, FolderStore

MIB = 1024 * 1024


class SlowStore(FolderStore):
    """One of its steps does not end before it is let go."""

    def __init__(self, folder: Path, slow: str) -> None:
        super().__init__(folder)
        self.slow = slow
        self.at_it, self.go_on = threading.Event(), threading.Event()
        self.events: list[str] = []

    def step(self, name: str) -> None:
        if name == self.slow:
            self.at_it.set()
            assert self.go_on.wait(10)
        self.events.append(name)

    def writer(self) -> BlobWriter:
        writer = SlowWriter(self, super().writer())
        self.step("open")
        return writer


class SlowWriter:
    def __init__(self, store: SlowStore, writer: BlobWriter) -> None:
        self._store = store
        self._writer = writer

    def write(self, data: bytes) -> None:
        self._writer.write(data[:MIB])
        self._store.step("write")
        self._writer.write(data[MIB:])

    def commit(self) -> Stored:
        self._store.step("commit")
        return self._writer.commit()

    def discard(self) -> None:
        self._store.events.append("discard")
        self._writer.discard()


@pytest.mark.parametrize(
    ("slow", "before"), [("open", []), ("write", ["open"]), ("commit", ["open", "write", "write"])]
)
async def test_what_a_thread_does_comes_to_its_end_before_the_file_is_given_up(
    tmp_path: Path, slow: str, before: list[str]
) -> None:
    store = SlowStore(tmp_path / "blobs", slow)

    async def receive() -> None:
        async with Receiving(store, 10 * MIB, keep=True) as file:
            await file.write(b"x" * 2 * MIB)
            await file.commit()

    task = asyncio.create_task(receive())
    await asyncio.to_thread(store.at_it.wait, 10)
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=0.2)
    assert not done
    assert store.events == before
    store.go_on.set()
    with suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()
    assert store.events == [*before, slow, "discard"]
    assert list((tmp_path / "blobs" / INCOMING).iterdir()) == []

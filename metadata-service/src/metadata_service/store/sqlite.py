"""The catalogue's database off the event loop: one thread that writes, a few that read, each on its own connection."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, Self, TypeVar

from media_common.kept import KeptFile, KeptUploads, catalogue_parts

from metadata_service.store.finds import Finds
from metadata_service.store.migrations import migrate
from metadata_service.store.orders import DEFAULTS, Limits, Orders, StaleSnapshot
from metadata_service.store.reader import Reader
from metadata_service.store.snapshot import Snapshot
from metadata_service.store.transaction import Transaction

P = ParamSpec("P")
T = TypeVar("T")
C = TypeVar("C", bound=sqlite3.Connection)

#: Threads that read; more only wait for each other, since the interpreter runs one at a time.
READERS: Final = 4
_PRAGMAS: Final = (
    "PRAGMA busy_timeout = 10000",
    "PRAGMA foreign_keys = OFF",
    "PRAGMA synchronous = NORMAL",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA mmap_size = 2147483648",
)


def now_us() -> int:
    return time.time_ns() // 1000


def connect(file: Path, kind: type[C], *, cache_mib: int) -> C:
    """A connection that leaves transactions to its user."""
    connection = sqlite3.connect(
        file, isolation_level=None, check_same_thread=False, cached_statements=512, factory=kind
    )
    for pragma in _PRAGMAS:
        connection.execute(pragma)
    connection.execute(f"PRAGMA cache_size = {-1024 * cache_mib}")
    return connection


class Database:
    """Open from construction to `close`. Safe to use from any thread."""

    def __init__(self, file: Path, clock: Callable[[], int] = now_us, limits: Limits = DEFAULTS) -> None:
        self._file = file
        self._clock = clock
        self._orders = Orders(limits)
        self._finds = Finds()
        self._writing = threading.Lock()
        self._writer = connect(file, sqlite3.Connection, cache_mib=64)
        self._writer.execute("PRAGMA page_size = 8192")
        self._writer.execute("PRAGMA journal_mode = WAL")
        # What was answered outlasts a power cut: an upload whose row was lost would be bytes that nothing refers to,
        # and a revoked key would be good again. What can be rebuilt comes in batches: one flush for hundreds.
        self._writer.execute("PRAGMA synchronous = FULL")
        migrate(self._writer)
        self._local = threading.local()
        self._lock = threading.Lock()
        self._readers: list[Reader] = []

    def write(self, work: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` in a transaction of its own: all of it is kept, durable on return, or nothing."""
        with self._writing:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                transaction = Transaction(self._writer, self._orders, self._clock())
                answer = work(transaction, *args, **kwargs)
                transaction.finish()
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise
            return answer

    def read(self, work: Callable[Concatenate[Snapshot, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` on one moment's state of the database."""
        connection = self._reader()
        while True:
            connection.execute("BEGIN")
            try:
                return work(Snapshot(connection, self._orders, self._finds), *args, **kwargs)
            except StaleSnapshot:
                continue
            finally:
                connection.trim()
                connection.execute("ROLLBACK")

    def kept(self) -> Generator[KeptFile | bytes | KeptUploads, None, None]:
        """The file of one moment and the uploads it names, for a backup, while the database is in use."""
        return catalogue_parts(self._file.parent)

    def close(self) -> None:
        with self._writing, self._lock:
            for connection in self._readers:
                connection.close()
            self._readers.clear()
            self._writer.execute("PRAGMA optimize")
            self._writer.close()

    def _reader(self) -> Reader:
        connection: Reader | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = connect(self._file, Reader, cache_mib=32)
            connection.execute("PRAGMA query_only = ON")
            self._local.connection = connection
            with self._lock:
                self._readers.append(connection)
        return connection


class Catalogue:
    """`Database` for the event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._writer = ThreadPoolExecutor(1, "catalogue-write")
        self._readers = ThreadPoolExecutor(READERS, "catalogue-read")
        self._copier = ThreadPoolExecutor(1, "catalogue-copy")
        #: Set after every write; whoever waits for it clears it.
        self.written = asyncio.Event()
        #: Told how long each transaction took, on the thread that writes.
        self.on_written: Callable[[float], None] = lambda seconds: None

    async def read(self, work: Callable[Concatenate[Snapshot, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(
            self._readers, lambda: self._database.read(work, *args, **kwargs)
        )

    async def write(self, work: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()

        def written() -> T:
            began = time.perf_counter()
            # From here: a caller that is cancelled meanwhile does not keep its write from being heard of.
            try:
                return self._database.write(work, *args, **kwargs)
            finally:
                self.on_written(time.perf_counter() - began)
                loop.call_soon_threadsafe(self.written.set)

        return await loop.run_in_executor(self._writer, written)

    async def kept(self) -> AsyncGenerator[KeptFile | bytes | KeptUploads, None]:
        loop, parts = asyncio.get_running_loop(), self._database.kept()
        try:
            while (part := await loop.run_in_executor(self._copier, next, parts, None)) is not None:
                yield part
        finally:
            # On the one thread that runs it, so behind the step in hand.
            await loop.run_in_executor(self._copier, parts.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self._stop)

    def _stop(self) -> None:
        self._writer.shutdown()
        self._readers.shutdown()
        self._copier.shutdown()
        self._database.close()

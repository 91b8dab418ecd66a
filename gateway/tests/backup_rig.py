"""A state directory as a stack leaves it, archives of it as they should not be, and a process that is killed at any
step."""

from __future__ import annotations

import asyncio
import gc
import io
import os
import secrets
import signal
import sqlite3
import sys
import tarfile
from collections.abc import Callable, Set
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from gateway.command.archive import Contents, Writer
from gateway.command.backup import backed_up
from media_common import kept
from media_common.blobs import BlobStore
from media_common.blobs.folder import FolderStore
from media_common.config import PublicSettings
from media_common.kept import KeptFile

ABOUT = {"version": "0.1.0", "createdAt": "2026-04-12T21:50:19.000000+00:00", "uploads": "folder"}
MARKS = {f"{one.name}.restored" for one in (kept.JOURNAL, kept.CATALOGUE)}
#: Looks at the file system and changes of it.
ON_DISK = frozenset(("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.listdir", "sqlite3.connect"))
#: Words to a server, and what makes a state directory another.
TO_A_SERVER = frozenset(("http.client.send", "os.rename"))
#: What the catalogue says of uploads; its other tables are nobody's business here.
_NODE = "CREATE TABLE node (number INTEGER PRIMARY KEY, uuid BLOB, kind INT, source INT, marks INT, sha256 BLOB)"


def database(file: Path, version: int = 1, rows: int = 50) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE things (number INTEGER PRIMARY KEY, text TEXT)")
        connection.execute("CREATE INDEX things_by_text ON things (text)")
        connection.executemany("INSERT INTO things (text) VALUES (?)", [(os.urandom(40).hex(),) for _ in range(rows)])
        for name in next(one.tables for one in (kept.JOURNAL, kept.CATALOGUE) if one.name == file.name):
            connection.execute(_NODE if name == "node" else f'CREATE TABLE "{name}" (number INTEGER PRIMARY KEY)')
        connection.execute(f"PRAGMA user_version = {version}")
        connection.commit()


def name_uploads(catalogue: Path, *sha256: bytes, marks: int = 0) -> None:
    """The catalogue has an upload with each of these bytes."""
    rows = [(secrets.token_bytes(16), 4, 2, marks, one) for one in sha256]
    with closing(sqlite3.connect(catalogue)) as connection:
        connection.executemany("INSERT INTO node (uuid, kind, source, marks, sha256) VALUES (?, ?, ?, ?, ?)", rows)
        connection.commit()


def put(store: BlobStore, content: bytes) -> bytes:
    """The upload's SHA-256."""
    writer = store.writer()
    writer.write(content)
    return writer.commit().sha256


def filled(state: Path, uploads: int = 3) -> Path:
    """A state directory as a stack leaves it, with so many uploads in its folder."""
    state.mkdir(parents=True)
    database(state / "journal.db")
    database(state / "catalogue.db")
    (state / "config.yaml").write_text("known_paths: [/photos]\n")
    (state / "roots.json").write_text("{}")
    (state / "admin.key").write_text("fw_secret\n")
    (state / "blob.key").write_text("other\n")
    for name in ("index.db", "run.lock", "fs.lock"):
        (state / name).write_bytes(b"")
    (state / "logs").mkdir()
    (state / "logs/framewell.log").write_text("a line\n")
    store = FolderStore(state / "blobs")
    name_uploads(state / "catalogue.db", *(put(store, os.urandom(1000 * number)) for number in range(uploads)))
    return state


def make(state: Path, file: Path, **how: Any) -> dict[str, Any]:
    """A backup of it, with the uploads of its folder."""
    return asyncio.run(backed_up(file, PublicSettings(state_dir=state), **how))


def tree(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


def truth(folder: Path) -> dict[str, Any]:
    """What a backup keeps: the rows of the databases, the bytes of the rest."""
    found: dict[str, Any] = {}
    for name, content in tree(folder).items():
        if name.endswith(".db") and name != "index.db":
            with closing(sqlite3.connect(folder / name)) as connection:
                found[name] = connection.execute("SELECT * FROM things").fetchall()
        elif len(Path(name).name) == 64 or name in ("config.yaml", "roots.json", "admin.key", "blob.key"):
            found[name] = content
    return found


def members(folder: Path, **versions: int) -> dict[str, bytes]:
    folder.mkdir()
    found = {}
    for one in (kept.JOURNAL, kept.CATALOGUE):
        database(folder / one.name, versions.get(one.name.partition(".")[0], 1), rows=2000)
        found[one.name] = (folder / one.name).read_bytes()
    return found


def written(file: Path, content: dict[str, bytes], about: dict[str, Any] = ABOUT) -> Contents:
    with file.open("wb") as out:
        writer = Writer(out, about, 0.0)
        for name, data in content.items():
            writer.add(KeptFile(name, len(data)))
            writer.add(data)
        return writer.finish()


def edited(file: Path, change: Callable[[tarfile.TarInfo, bytes], list[tuple[tarfile.TarInfo, bytes]]]) -> None:
    """Write the archive again with members changed."""
    with tarfile.open(file) as old:
        parts = [(one, old.extractfile(one).read()) for one in old]  # type: ignore[union-attr]
    with tarfile.open(file, "w", format=tarfile.GNU_FORMAT) as new:
        for info, data in parts:
            for changed, content in change(info, data):
                new.addfile(changed, io.BytesIO(content))


@contextmanager
def killed_at(number: int, steps: Set[str]) -> Any:
    """kill -9 of this process at its n-th step."""
    count = 0

    def watch(event: str, _: Any) -> None:
        nonlocal count
        if event in steps:
            count += 1
            if count == number:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    yield


def at_every_step(work: Callable[[], object], check: Callable[[bool], None], steps: Set[str] = ON_DISK) -> int:
    """Run it in a forked process that kills itself at its n-th step, for every n there is; how many there were."""
    for number in range(1, 10_000):
        child = os.fork()
        if child == 0:
            code = 1
            gc.disable()  # what other tests left behind has its threads in the parent alone
            try:
                with killed_at(number, steps):
                    work()
                code = 0
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status)
        assert (os.WTERMSIG(status) == signal.SIGKILL) if killed else (os.WEXITSTATUS(status) == 0)
        check(killed)
        if not killed:
            return number - 1
    raise AssertionError("it never came to its end")

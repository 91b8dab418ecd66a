"""The list of a root's stacks, page by page, from a real index."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from fs_service.domain.media import Kind
from fs_service.domain.ports import Place
from fs_service.domain.stacks import Figures, Shot
from fs_service.stacking import Stacking
from fs_service.store.database import Database
from fs_service.store.decisions import StoredDecisions
from fs_service.store.journal_db import JournalDatabase
from fs_service.store.shots import KeptShot, ShotStore
from fs_service.threads import Threads

ROOT = b"/r"
_PROFILE = bytes(range(0, 256, 4))


class OneRoot:
    """Implements of `Roots` what a list asks."""

    def place(self, path: bytes) -> Place:
        return Place(ROOT, path[len(ROOT) + 1 :])


def keep(database: Database, store: ShotStore, folders: dict[bytes, list[bytes]]) -> None:
    """Index these names in these folders; of one folder they are all takes of one picture."""
    with database.write() as connection:
        connection.execute("INSERT INTO root (id, path, scanned) VALUES (1, ?, 1)", (ROOT,))
        for number, (folder, names) in enumerate(folders.items(), start=1):
            connection.execute("INSERT INTO folder VALUES (?, 1, ?, 1, 1, 1, 1, 1, 0, x'')", (number, folder))
            connection.executemany(
                "INSERT INTO item (root_id, key, folder_id, entry_inode, kind, state, link)"
                " VALUES (1, ?, ?, 1, ?, 0, 0)",
                [(name + b"\0" + folder + b"/" + name, number, int(Kind.IMAGE)) for name in names],
            )
    read = Figures(7, _PROFILE, _PROFILE, 1.0, -2.0, 0.0, 0.0)
    for folder, names in folders.items():
        shots = [Shot(name, at * 500_000, "One", 1000, 400, 300, read) for at, name in enumerate(names)]
        store.keep(ROOT + b"/" + folder, [KeptShot(shot, 1, 1, looked=True) for shot in shots])


async def test_stacks_behind_many_folders_without_any_are_found(tmp_path: Path) -> None:
    folders = {b"day%04d" % number: [b"one.jpg"] for number in range(420)}
    folders[b"day0000"] = folders[b"day0310"] = folders[b"day0419"] = [b"one.jpg", b"two.jpg"]
    with closing(Database(tmp_path)) as database, closing(JournalDatabase(tmp_path / "journal.db")) as journal:
        store, threads = ShotStore(database), Threads("stack", 1)
        keep(database, store, folders)
        nobody: Any = None
        roots: Any = OneRoot()
        stacking = Stacking(roots, store, StoredDecisions(journal), nobody, nobody, threads)
        for limit in (1, 500):
            found: list[bytes] = []
            after: bytes | None = None
            while True:
                page = await stacking.below(ROOT, after, limit, decided=False)
                found += [one.folder for one in page.stacks]
                if page.next is None:
                    break
                assert after is None or page.next > after
                after = page.next
            assert found == [ROOT + b"/day0000", ROOT + b"/day0310", ROOT + b"/day0419"]
        threads.close()

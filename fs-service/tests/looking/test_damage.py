"""An index that is damaged while the service runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from fs_service.domain.errors import StorageFailed
from fs_service.store.database import FILE, Database


def test_a_damaged_index_is_put_aside_and_the_process_ends_once(tmp_path: Path) -> None:
    ended: list[str] = []
    database = Database(tmp_path, lambda: ended.append("ended"))
    with database.write() as connection:
        connection.executemany(
            "INSERT INTO event VALUES (?, 'scan', ?)", [(number, "x" * 500) for number in range(2000)]
        )
    database.close()
    database = Database(tmp_path, lambda: ended.append("ended"))
    content = bytearray((tmp_path / FILE).read_bytes())
    content[4096:] = bytes(len(content) - 4096)
    (tmp_path / FILE).write_bytes(content)

    for _ in range(2):
        with pytest.raises(StorageFailed), database.read() as connection:
            connection.execute("SELECT max(sequence), sum(length(payload)) FROM event").fetchall()

    assert ended == ["ended"]
    assert (tmp_path / f"{FILE}.broken").exists()
    database.close()
    begun_anew = Database(tmp_path, lambda: ended.append("ended"))
    with begun_anew.read() as connection:
        assert connection.execute("SELECT count(*) FROM event").fetchone()[0] == 0
    begun_anew.close()


def test_a_mistake_in_a_statement_is_no_damage(tmp_path: Path) -> None:
    ended: list[str] = []
    database = Database(tmp_path, lambda: ended.append("ended"))
    with pytest.raises(StorageFailed), database.read() as connection:
        connection.execute("SELECT nothing FROM nowhere")
    assert not ended
    database.close()

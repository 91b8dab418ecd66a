"""An import that is cut off in the middle, from either side, leaves nothing behind and can be made again."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import exquisitor_db as made
import httpx
import pytest
from stack import Stack, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

ITEMS = 12_000
#: So many are in the catalogue when it is cut off.
MIDDLE = 3_000


def started(stack: Stack, file: Path) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FRAMEWELL_")}
    environment["FRAMEWELL_STATE_DIR"] = str(stack.state_dir)
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "gateway.command", "import", "exquisitor", str(file), "--collection", "theirs"),
            *("--thumbnails", made.THUMBNAILS, "--originals", made.ORIGINALS, "--json"),
        ],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # Whatever started the tests may have had Ctrl-C ignored, as a shell does of what goes on in the background.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip


def left(stack: Stack) -> int:
    """Rows of the collection in the catalogue, seen or not."""
    with closing(sqlite3.connect(stack.state_dir / "catalogue.db", timeout=10)) as connection:
        counts = [
            connection.execute(f"SELECT count(*) FROM {table} WHERE {column} >= ?", (2**40,)).fetchone()[0]  # noqa: S608
            for table, column in (
                ("node", "id"), ("folder", "id"), ("item_group", "id"), ("tagset", "id"), ("tag", "id"),
                ("tagging", "item_id"), ("bits", "owner"), ("words", "rowid"), ("collection", "id_base"),
            )
        ]  # fmt: skip
    return sum(counts)


def test_an_import_that_is_cut_off_leaves_nothing_and_can_be_made_again(own_stack: Stack, tmp_path: Path) -> None:
    rows = made.generated(ITEMS)
    file = made.write(rows, tmp_path / "c.db")
    for side in ("command", "service"):
        with started(own_stack, file) as command:
            wait_until(lambda: left(own_stack) > MIDDLE, 60, "it is in the middle of it")
            assert httpx.get(f"{own_stack.url}/exq/init/s").json()["collections"] == []
            if side == "command":
                command.send_signal(signal.SIGINT)
            else:
                own_stack.wait_restarted("metadata", own_stack.kill("metadata"))
            out, errors = command.communicate(timeout=60)
        assert command.returncode != 0, side
        assert out == ""
        if side == "service":
            assert errors == "framewell: The catalogue is not available right now; try again in a moment.\n"
        assert "Traceback" not in errors
        wait_until(lambda: left(own_stack) == 0, 60, f"nothing is left after the {side} went")

    with started(own_stack, file) as command:
        _, errors = command.communicate(timeout=120)
    assert command.returncode == 0, errors
    session = {"session": "s", "collection": "theirs", "modelId": 1}
    ids = sorted(rows.medias)[::13]
    answer = httpx.post(f"{own_stack.url}/exq/item/base", json={"media_ids": ids, "session_info": session}, timeout=30)
    assert answer.json()["items"] == [rows.base(one) for one in ids]

"""Bursts follow from the shots that are there, whatever came, moved or went before, and are cheap to keep."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from metadata_service.domain.groups import BURST_GAP_US, Shot
from metadata_service.domain.groups import bursts as by_rule
from metadata_service.domain.media import Collection, Facts, FileSeen, Kind, Marks
from metadata_service.store import bursts, collections, media
from metadata_service.store.sqlite import Database
from metadata_service.store.transaction import Transaction

STEP_US = BURST_GAP_US // 2
#: By file: where it is in time, None: it is gone.
Batch = dict[int, int | None]


def put(txn: Transaction, collection: Collection, batch: Batch) -> None:
    for number, step in batch.items():
        facts = Facts(size_bytes=1, camera="X", taken_us=None if step is None else step * STEP_US)
        marks = Marks.GONE if step is None else Marks.NONE
        media.upsert_file(txn, collection, FileSeen(b"%d/%d.jpg" % (number % 2, number), Kind.IMAGE, marks, facts, 7))
    bursts.settle(txn)


def groups(txn: Transaction) -> dict[int, set[str]]:
    found = defaultdict(set)
    for group_id, name in txn.execute(f"SELECT group_id, name FROM node WHERE group_id IS NOT NULL AND {bursts._SHOT}"):  # noqa: S608
        found[group_id].add(name)
    return found


FILES = st.integers(0, 15)
BATCHES = st.lists(st.dictionaries(FILES, st.none() | st.integers(0, 24), max_size=6), max_size=8)


@settings(max_examples=250, deadline=None)
@given(st.dictionaries(FILES, st.integers(0, 24)), BATCHES)
def test_after_each_batch_every_run_is_one_group_and_every_group_one_run(first: Batch, batches: list[Batch]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(Path(folder) / "catalogue.db")
        collection = database.write(collections.create, "Mine")
        there: dict[int, int | None] = {}
        for batch in (first, *batches):
            database.write(put, collection, batch)
            there |= batch
            expected = set()
            for side in (0, 1):
                shots = [Shot(n, at * STEP_US) for n, at in there.items() if at is not None and n % 2 == side]
                expected |= {frozenset(f"{number}.jpg" for number in run) for run in by_rule(shots)}
            found = database.write(groups)
            assert sorted(map(sorted, found.values())) == sorted(map(sorted, expected))
        database.close()


def test_what_is_no_shot_any_more_leaves_its_burst(database: Database, collection: Collection) -> None:
    def blank(txn: Transaction) -> None:
        facts = Facts(size_bytes=2)
        media.upsert_file(txn, collection, FileSeen(b"0/2.jpg", Kind.IMAGE, Marks.NONE, facts, 8))
        bursts.settle(txn)

    def grouped(txn: Transaction) -> list[str]:
        return [name for (name,) in txn.execute("SELECT name FROM node WHERE group_id IS NOT NULL ORDER BY name")]

    database.write(put, collection, {0: 0, 2: 1, 4: 2})
    assert database.write(grouped) == ["0.jpg", "2.jpg", "4.jpg"]
    database.write(blank)
    assert database.write(grouped) == ["0.jpg", "4.jpg"]


def test_a_long_burst_is_not_looked_through_for_each_batch_of_it(database: Database, collection: Collection) -> None:
    def work(batch: Batch) -> int:
        """Steps of the database's machine, in hundreds."""
        steps = 0

        def counted() -> int:
            nonlocal steps
            steps += 1
            return 0

        def write(txn: Transaction) -> None:
            for number, step in batch.items():
                put_alone(txn, number, step)
            txn.connection.set_progress_handler(counted, 100)
            bursts.settle(txn)
            txn.connection.set_progress_handler(None, 0)

        database.write(write)
        return steps

    def put_alone(txn: Transaction, number: int, step: int | None) -> None:
        facts = Facts(size_bytes=1, camera="X", taken_us=(step or 0) * STEP_US)
        media.upsert_file(txn, collection, FileSeen(b"a/%d.jpg" % number, Kind.IMAGE, Marks.NONE, facts, 7))

    # From both ends to the middle: each batch goes on with two long runs.
    spent = [work({n: n for at in (start, 3950 - start) for n in range(at, at + 50)}) for start in range(0, 2000, 50)]
    assert len(database.write(groups)) == 1
    assert max(spent[20:-1]) < 2 * max(spent[1:5])

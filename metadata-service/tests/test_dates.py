"""Files by when they are from: the listing's filter against a plain count, what search is told, older catalogues."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from media_common.dates import DAY_US, dated_us
from metadata_service.domain.filters import ListQuery
from metadata_service.domain.media import Collection, Facts, FileSeen, Kind, Marks
from metadata_service.store import frames, indexing, listing, media, search_facts, search_jobs
from metadata_service.store.search_jobs import Lane
from metadata_service.store.sqlite import Database

#: Clocks are put forward and back in it, and it is far from UTC.
ZONE = "Pacific/Auckland"
SPRING_US = int(datetime(2026, 4, 5, tzinfo=ZoneInfo(ZONE)).timestamp()) * 1_000_000

near = st.one_of(
    st.integers(SPRING_US - 3 * DAY_US, SPRING_US + 3 * DAY_US),
    st.builds(lambda day: SPRING_US + day * DAY_US, st.integers(-3, 3)),
)
#: Of a file anything may be said; what a camera says is looked at before it gets here.
moments = near | st.sampled_from([-(2**62), 0, 2**62])


@pytest.fixture(autouse=True)
def _far_away(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", ZONE)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    files=st.lists(st.tuples(st.none() | near, moments), max_size=12),
    bounds=st.tuples(st.none() | moments, st.none() | moments),
)
def test_a_range_of_dates_lists_what_counting_finds(
    tmp_path_factory: pytest.TempPathFactory,
    files: list[tuple[int | None, int]],
    bounds: tuple[int | None, int | None],
) -> None:
    database = Database(tmp_path_factory.mktemp("dates") / "catalogue.db")
    root = database.write(indexing.collection_for, b"/photos")
    ids = []
    for number, (taken_us, modified_us) in enumerate(files):
        facts = Facts(size_bytes=3, modified_us=modified_us, taken_us=taken_us)
        seen = FileSeen(b"a/%03d.jpg" % number, Kind.IMAGE, Marks.NONE, facts, inode=7 + number)
        ids.append(database.write(media.upsert_file, root, seen)[0])
    low, high = bounds
    wanted = {
        node_id
        for node_id, (taken_us, modified_us) in zip(ids, files, strict=True)
        if (low is None or dated_us(taken_us, modified_us) >= low)
        and (high is None or dated_us(taken_us, modified_us) < high)
    }
    kinds = None if low is None and high is None else frozenset(Kind)
    query = ListQuery(root.id, 100, recursive=True, kinds=kinds, dated_from_us=low, dated_before_us=high)
    page = database.read(listing.page, query)
    found = {node_id for node_id in page.ids if node_id in ids}
    assert found == wanted
    if low is not None or high is not None:
        assert page.total == len(wanted)  # folders have no such time
    for node_id, (taken_us, modified_us) in zip(ids, files, strict=True):
        (told,) = database.read(search_facts.facts, [node_id])
        assert told.dated_us == dated_us(taken_us, modified_us)
    database.close()


def test_a_day_is_one_of_this_machine_s_though_clocks_are_put_back_in_it() -> None:
    local = datetime(2026, 4, 5, tzinfo=ZoneInfo(ZONE))  # it has 25 hours
    for hours in (0, 1, 12, 24):
        at_us = SPRING_US + hours * 3_600_000_000
        assert dated_us(None, at_us) // DAY_US == (local.date() - datetime(1970, 1, 1).date()).days
    assert dated_us(None, SPRING_US + 25 * 3_600_000_000) % DAY_US == 0
    assert (local + timedelta(days=1)).timestamp() * 1e6 == SPRING_US + 25 * 3_600_000_000


def test_a_catalogue_from_before_tells_search_the_dates_of_all_that_has_a_vector(tmp_path: Path) -> None:
    database = Database(tmp_path / "old.db")
    root: Collection = database.write(indexing.collection_for, b"/photos")
    ids = []
    for number in range(3):
        facts = Facts(size_bytes=3, modified_us=5)
        seen = FileSeen(b"%d.jpg" % number, Kind.IMAGE, Marks.NONE, facts, inode=7 + number)
        ids.append(database.write(media.upsert_file, root, seen)[0])
    database.write(frames.set_embedded, ids[:2], True)
    while database.write(search_jobs.next_batch, Lane.FACTS, 100, sent=True):
        pass
    database.close()
    raw = sqlite3.connect(tmp_path / "old.db")
    raw.executescript("DROP INDEX node_by_taken; DROP INDEX node_by_modified; PRAGMA user_version = 8;")
    raw.close()
    database = Database(tmp_path / "old.db")
    assert sorted(database.write(search_jobs.next_batch, Lane.FACTS, 100)) == ids[:2]
    database.close()

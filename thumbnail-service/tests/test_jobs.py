"""What is a job, and what becomes of its message."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from media_common.subjects import MAX_DELIVERIES
from thumbnail_service.domain.jobs import (
    Ack,
    Again,
    BadJob,
    Job,
    Outcome,
    Park,
    Result,
    lost_too_often,
    pause_s,
    verdict,
)


@pytest.mark.parametrize(
    ("root", "relative", "size", "cache"),
    [
        (b"", b"a.jpg", 256, b""),
        (b"relative", b"a.jpg", 256, b""),
        (b"/r\0", b"a.jpg", 256, b""),
        (b"/r", b"", 256, b""),
        (b"/r", b"/etc/passwd", 256, b""),
        (b"/r", b"../a.jpg", 256, b""),
        (b"/r", b"a/./b.jpg", 256, b""),
        (b"/r", b"a//b.jpg", 256, b""),
        (b"/r", b"a\0.jpg", 256, b""),
        (b"/r", b"a.jpg", 0, b""),
        (b"/r", b"a.jpg", 1025, b""),
        (b"/r", b"a.jpg", -1, b""),
        (b"/r", b"a.jpg", 256, b"cache"),
        (b"/r", b"a.jpg", 256, b"/c\0"),
    ],
)
def test_what_is_no_job_is_refused(root: bytes, relative: bytes, size: int, cache: bytes) -> None:
    with pytest.raises(BadJob):
        Job(root, relative, size, cache)


@pytest.mark.parametrize(
    ("root", "path"), [(b"/", b"/a.jpg"), (b"/r", b"/r/a.jpg"), (b"/r/", b"/r/a.jpg"), (b"/\xff", b"/\xff/a.jpg")]
)
def test_the_path_is_the_root_and_what_is_below_it(root: bytes, path: bytes) -> None:
    assert Job(root, b"a.jpg", 1).path == path


@given(st.sampled_from([Result.MADE, Result.FRESH, Result.GONE]), st.integers(1, 20))
def test_what_is_done_or_gone_is_acknowledged(result: Result, deliveries: int) -> None:
    assert verdict(Outcome(result), deliveries) == Ack()


@given(st.integers(1, 20))
def test_a_file_that_cannot_be_decoded_is_parked_at_once(deliveries: int) -> None:
    assert verdict(Outcome(Result.UNREADABLE, reason="Broken."), deliveries) == Park("Broken.")


@given(st.sampled_from([Result.UNSTORED, Result.UNREACHABLE, Result.FAILED]), st.integers(1, 20))
def test_what_may_pass_is_tried_again_until_the_last_delivery_and_then_parked(result: Result, deliveries: int) -> None:
    decision = verdict(Outcome(result, reason="It hung."), deliveries)
    if deliveries < MAX_DELIVERIES:
        assert decision == Again(pause_s(deliveries))
    else:
        assert decision == Park(f"It hung. It was tried {deliveries} times.")


@given(st.integers(1, 1000))
def test_every_pause_is_longer_than_the_one_before_up_to_a_minute(deliveries: int) -> None:
    assert pause_s(deliveries) <= pause_s(deliveries + 1) <= 60


def test_a_job_whose_workers_died_is_parked_when_its_deliveries_are_used_up() -> None:
    assert lost_too_often(MAX_DELIVERIES) is None
    assert lost_too_often(MAX_DELIVERIES + 1) == Park("It was given out 5 times and never finished.")

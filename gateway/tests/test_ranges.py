"""Range and condition arithmetic against what the RFC's words say."""

from __future__ import annotations

import pytest
from gateway.ranges import Range, Unsatisfiable, http_date, not_modified, parse_range, range_applies
from hypothesis import given
from hypothesis import strategies as st

SIZES = st.integers(0, 50)
MOMENT_US = 1_742_049_022_500_000
MOMENT = "Sat, 15 Mar 2025 14:30:22 GMT"


def bytes_meant(first: int | None, last: int | None, size: int) -> list[int]:
    """The positions that `first-last` names, one by one."""
    if first is None:
        assert last is not None
        return list(range(size))[max(0, size - last) :] if last else []
    return [at for at in range(size) if at >= first and (last is None or at <= last)]


@given(st.integers(0, 60), st.none() | st.integers(0, 60), SIZES)
def test_a_range_is_exactly_the_bytes_it_names(first: int, last: int | None, size: int) -> None:
    header = f"bytes={first}-{'' if last is None else last}"
    meant = bytes_meant(first, last, size)

    if last is not None and last < first:
        assert parse_range(header, size) is None
    elif not meant:
        with pytest.raises(Unsatisfiable):
            parse_range(header, size)
    else:
        part = parse_range(header, size)
        assert part == Range(meant[0], len(meant))
        assert part.content_range(size) == f"bytes {meant[0]}-{meant[-1]}/{size}"


@given(st.integers(0, 60), SIZES)
def test_a_suffix_is_the_last_bytes(length: int, size: int) -> None:
    header = f"bytes=-{length}"
    meant = bytes_meant(None, length, size)

    if length == 0:
        with pytest.raises(Unsatisfiable):
            parse_range(header, size)
    elif not meant:
        assert parse_range(header, size) is None
    else:
        assert parse_range(header, size) == Range(meant[0], len(meant))


@given(st.text(max_size=30), SIZES)
def test_no_header_is_a_failure(header: str, size: int) -> None:
    for text in (header, f"bytes={header}"):
        try:
            part = parse_range(text, size)
        except Unsatisfiable:
            continue
        assert part is None or 0 <= part.offset < part.offset + part.length <= size


@pytest.mark.parametrize(
    "header", ["", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=9-5", "items=0-1", "bytes=0-1,3-4", "bytes=1_0-20",
               "bytes=\u0661-2", "bytes=0-1;x", "bytes=" + "9" * 40 + "-"]
)  # fmt: skip
def test_what_is_malformed_or_several_is_the_whole(header: str) -> None:
    assert parse_range(header, 100) is None


def test_a_tag_decides_before_a_date() -> None:
    headers = {"if-none-match": '"other"', "if-modified-since": MOMENT}

    assert not not_modified(headers, "e1", MOMENT_US)
    assert not_modified({"if-none-match": 'W/"e1"'}, "e1", MOMENT_US)
    assert not_modified({"if-none-match": '"x", "e1"'}, "e1", MOMENT_US)
    assert not_modified({"if-none-match": "*"}, "e1", MOMENT_US)
    assert not not_modified({}, "e1", MOMENT_US)


@pytest.mark.parametrize(
    ("date", "same"),
    [
        (MOMENT, True),
        ("Sat, 15 Mar 2025 14:30:23 GMT", True),
        ("Sat, 15 Mar 2025 14:30:21 GMT", False),
        ("yesterday", False),
        ("Sat, 99 Mar 2025 14:30:21 GMT", False),
        ("", False),
    ],
)
def test_a_file_not_newer_than_the_date_is_not_sent_again(date: str, same: bool) -> None:
    assert not_modified({"if-modified-since": date}, "e1", MOMENT_US) is same


def test_a_range_holds_for_the_very_file_only() -> None:
    assert range_applies({}, "e1", MOMENT_US)
    assert range_applies({"if-range": '"e1"'}, "e1", MOMENT_US)
    assert range_applies({"if-range": MOMENT}, "e1", MOMENT_US)
    for other in ('"e2"', 'W/"e1"', "Sat, 15 Mar 2025 14:30:23 GMT", "x"):
        assert not range_applies({"if-range": other}, "e1", MOMENT_US)


@given(st.integers(-(2**63), 2**63 - 1))
def test_no_time_of_a_file_system_is_a_failure(us: int) -> None:
    date = http_date(us)
    assert date is None or date.endswith(" GMT")


def test_a_date_is_of_the_second() -> None:
    assert http_date(MOMENT_US) == MOMENT

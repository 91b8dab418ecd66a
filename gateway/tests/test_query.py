"""Query strings: strict integers, bytes that need not be text."""

from __future__ import annotations

import contextlib
import json
from urllib.parse import quote_from_bytes

import pytest
from gateway.errors import Failure
from gateway.paths import bytes_of, dumps, name_of, text_of
from gateway.query import HUGE, Query, strict_integer
from hypothesis import given
from hypothesis import strategies as st


@given(st.integers(-(10**17), 10**17))
def test_a_whole_number_in_ascii_digits_is_itself(number: int) -> None:
    assert strict_integer(str(number).encode()) == number


@given(st.text())
def test_anything_that_is_not_ascii_digits_is_no_number(text: str) -> None:
    value = text.encode("utf-8", "surrogatepass")
    digits = value.removeprefix(b"-")

    if strict_integer(value) is not None:
        assert digits
        assert all(byte in b"0123456789" for byte in digits)
    else:
        assert not digits or any(byte not in b"0123456789" for byte in digits)


@pytest.mark.parametrize(
    "value", ["", "abc", "1.0", "1_0", "+1", " 1", "1 ", "1e3", "0x1", "\u0661", "\uff11", "--1", "-"]
)
def test_these_are_no_numbers(value: str) -> None:
    assert strict_integer(value.encode()) is None
    with pytest.raises(Failure) as refused:
        Query(b"limit=" + quote_from_bytes(value.encode(), safe="").encode()).integer("limit", 5, 1, 10)
    assert refused.value.status == 400


@pytest.mark.parametrize(("value", "number"), [(b"9" * 30, HUGE), (b"-" + b"9" * 5000, -HUGE), (b"0" * 5000 + b"7", 7)])
def test_a_number_beyond_all_bounds_is_only_huge(value: bytes, number: int) -> None:
    assert strict_integer(value) == number


def test_bounds_are_bounds() -> None:
    for text, fits in ((b"0", False), (b"1", True), (b"10", True), (b"11", False), (b"-1", False)):
        if fits:
            assert Query(b"n=" + text).integer("n", 5, 1, 10) == int(text)
        else:
            with pytest.raises(Failure, match="from 1 to 10"):
                Query(b"n=" + text).integer("n", 5, 1, 10)
    assert Query(b"").integer("n", 5, 1, 10) == 5


@given(st.binary(max_size=60), st.booleans())
def test_every_path_survives_the_query(path: bytes, plus: bool) -> None:
    written = quote_from_bytes(path, safe="/")
    if plus:
        written = written.replace("%20", "+")

    assert Query(f"a=1&path={written}&b=2".encode()).raw("path") == path


@given(st.binary(max_size=200))
def test_no_query_string_is_a_failure_of_ours(raw: bytes) -> None:
    query = Query(raw)
    for name in ("path", "limit"):
        with contextlib.suppress(Failure):
            query.raw(name)


def test_a_parameter_given_twice_is_refused() -> None:
    with pytest.raises(Failure, match="more than once"):
        Query(b"path=/a&path=/b").path()
    Query(b"x=1&x=2&path=/a").path()


def test_an_empty_or_missing_path_is_refused() -> None:
    for raw in (b"", b"path", b"path=", b"Path=/a"):
        with pytest.raises(Failure, match="path"):
            Query(raw).path()


def test_a_choice_is_one_of_the_words() -> None:
    assert Query(b"").choice("s", "all", ("all", "seen")) == "all"
    assert Query(b"s=seen").choice("s", "all", ("all", "seen")) == "seen"
    for raw in (b"s=", b"s=SEEN", b"s=%FF", b"s=seen%00"):
        with pytest.raises(Failure, match="all, seen"):
            Query(raw).choice("s", "all", ("all", "seen"))


@given(st.binary())
def test_a_path_becomes_text_and_comes_back(path: bytes) -> None:
    text = text_of(path)

    assert bytes_of(text) == path
    assert json.loads(dumps({"path": text})) == {"path": text}
    name_of(path).encode("utf-8")


@given(st.text(st.characters(min_codepoint=0xD800, max_codepoint=0xDFFF, exclude_categories=()), min_size=1))
def test_only_surrogates_that_stand_for_a_byte_are_understood(text: str) -> None:
    if all(0xDC80 <= ord(character) <= 0xDCFF for character in text):
        assert bytes_of(text) == bytes(ord(character) - 0xDC00 for character in text)
    else:
        with pytest.raises(Failure) as refused:
            bytes_of(text)
        assert refused.value.code == "path_malformed"

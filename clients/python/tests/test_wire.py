"""Addresses and queries."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import parse_qsl, unquote, unquote_to_bytes

import pytest
from framewell_client import Framewell
from framewell_client.wire import path_text, query_of, segment
from hypothesis import given
from hypothesis import strategies as st


@given(st.binary(min_size=1).filter(lambda path: b"\0" not in path))
def test_any_path_arrives_byte_for_byte(path: bytes) -> None:
    _, _, value = query_of(path=path).partition("=")

    assert unquote_to_bytes(value.replace("+", " ")) == path
    assert query_of(path=path_text(path)) == query_of(path=path)


def test_a_path_may_be_of_any_kind() -> None:
    assert query_of(path=Path("/a b")) == query_of(path="/a b") == query_of(path=b"/a b")
    assert path_text(os.fsdecode(b"/odd\xff")) == path_text(b"/odd\xff") == "/odd\udcff"


def test_what_is_none_is_left_out_and_the_rest_is_plain() -> None:
    query = query_of(a=None, b=True, c=False, d=3, e=0.05, f="x y&z", g="")

    assert parse_qsl(query, keep_blank_values=True) == [
        ("b", "true"), ("c", "false"), ("d", "3"), ("e", "0.05"), ("f", "x y&z"), ("g", ""),
    ]  # fmt: skip


@given(st.text(min_size=1).filter(lambda text: text not in (".", "..") and text.isprintable()))
def test_an_id_stays_one_part_of_the_address(text: str) -> None:
    assert "/" not in segment(text)
    assert unquote(segment(text)) == text


@pytest.mark.parametrize("text", ["", ".", ".."])
def test_an_id_that_would_lead_elsewhere_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no id"):
        segment(text)


@pytest.mark.parametrize("url", ["", "127.0.0.1:8080", "ftp://x", "http://", "http://x/?a=1", "file:///etc/passwd"])
def test_an_address_that_is_no_servers_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is not the address of a server"):
        Framewell(url)


def test_a_key_is_not_shown() -> None:
    with Framewell("http://127.0.0.1:1/", "fw_secret") as client:
        assert repr(client) == "Framewell('http://127.0.0.1:1')"

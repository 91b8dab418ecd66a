"""From a request's path to a clean one, and the picker's policy."""

from __future__ import annotations

import os

import pytest
from fs_service.domain.errors import PathMalformed
from fs_service.domain.paths import holds_hidden_place, is_hidden_place, is_inside, normalised
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("given_path", "clean"),
    [
        (b"/a/b", b"/a/b"),
        (b"/a/b/", b"/a/b"),
        (b"//a///b//", b"/a/b"),
        (b"/a/./b/../c", b"/a/c"),
        (b"/../../a", b"/a"),
        (b"/", b"/"),
        (b"///", b"/"),
        (b"/a/\xff\xfe", b"/a/\xff\xfe"),
        (b"/a/...", b"/a/..."),
    ],
)
def test_a_path_is_cleaned_as_text(given_path: bytes, clean: bytes) -> None:
    assert normalised(given_path) == clean


@pytest.mark.parametrize(
    "path",
    [b"", b"a/b", b"./a", b"..", b"/a\0b", b"/" + b"a/" * 2500, b"~nobody-of-this-name/x", b"~\0", b"~\xff/x", b"\xff"],
)
def test_what_cannot_be_a_path_is_malformed(path: bytes) -> None:
    with pytest.raises(PathMalformed):
        normalised(path)


def test_a_tilde_is_the_home_directory() -> None:
    home = os.path.expanduser(b"~")
    assert normalised(b"~") == home
    assert normalised(b"~/x/../y") == home + b"/y"
    assert normalised(b"/a/~") == b"/a/~"


@given(st.lists(st.sampled_from([b"a", b"b", b"..", b".", b"", b"c.jpg", b"\xff"]), max_size=12))
def test_a_clean_path_has_only_names_and_is_cleaned_once(parts: list[bytes]) -> None:
    clean = normalised(b"/" + b"/".join(parts))
    assert clean == b"/" or all(part not in (b"", b".", b"..") for part in clean[1:].split(b"/"))
    assert normalised(clean) == clean


@pytest.mark.parametrize(
    ("path", "hidden", "holds"),
    [
        (b"/", False, True),
        (b"/proc", True, True),
        (b"/proc/1/fd", True, False),
        (b"/process", False, False),
        (b"/sys/kernel", True, False),
        (b"/run", True, True),
        (b"/running", False, False),
        (b"/home", False, False),
    ],
)
def test_hidden_places_are_compared_by_component(path: bytes, hidden: bool, holds: bool) -> None:
    assert is_hidden_place(path) is hidden
    assert holds_hidden_place(path) is holds


def test_a_folder_does_not_hold_its_namesake() -> None:
    assert is_inside(b"/x/rev/a", b"/x/rev")
    assert is_inside(b"/x/rev", b"/x/rev")
    assert not is_inside(b"/x/rev2/a", b"/x/rev")
    assert is_inside(b"/x", b"/")

"""Media types and the extensions that stand for them."""

from __future__ import annotations

import pytest
from media_common.formats import IMAGES, RAWS, VIDEOS
from media_common.media_types import extension_of_type, type_of


@pytest.mark.parametrize("extension", sorted(IMAGES | VIDEOS | {b"pdf", b"mp3", b"glb"}))
def test_the_extension_that_stands_for_a_type_has_that_type(extension: bytes) -> None:
    told = type_of(extension)
    assert told is not None
    assert type_of(extension_of_type(told)) == told


@pytest.mark.parametrize("extension", sorted(RAWS))
def test_a_raw_keeps_its_extension(extension: bytes) -> None:
    assert extension_of_type(type_of(extension) or "") == extension


@pytest.mark.parametrize(("told", "extension"), [("image/jpeg", b"jpg"), ("video/mpeg", b"mpg"), ("text/html", b"")])
def test_one_extension_stands_for_a_type(told: str, extension: bytes) -> None:
    assert extension_of_type(told) == extension
    assert type_of(b"svg") is None

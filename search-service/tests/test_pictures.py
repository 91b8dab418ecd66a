"""Bytes become pictures, or a sentence."""

from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from search_service.domain.errors import UnreadablePicture
from search_service.encoders.pictures import decoded


def stored(picture: Image.Image, kind: str, **how: object) -> bytes:
    file = BytesIO()
    picture.save(file, kind, **how)
    return file.getvalue()


@settings(deadline=None)  # the first call imports every decoder
@given(st.binary(max_size=300))
def test_bytes_that_are_no_picture_are_named(data: bytes) -> None:
    with pytest.raises(UnreadablePicture):
        decoded(data)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    assert decoded(stored(Image.new(mode, (30, 20)), "PNG")).mode == "RGB"


def test_it_is_made_small_and_stands_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    picture = decoded(stored(Image.new("RGB", (4000, 1000)), "JPEG", exif=exif))
    assert (picture.width, picture.height) == (160, 640)


def test_what_is_transparent_shows_white() -> None:
    picture = decoded(stored(Image.new("RGBA", (2, 2), (0, 0, 0, 0)), "PNG"))
    assert picture.getpixel((0, 0)) == (255, 255, 255)


def test_a_picture_cut_short_is_unreadable() -> None:
    noise = Image.effect_noise((200, 200), 80)
    with pytest.raises(UnreadablePicture):
        decoded(stored(noise, "PNG")[:2000])


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_one_too_large_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(UnreadablePicture, match="too large"):
        decoded(stored(Image.new("1", (20_000, 6_000)), "PNG"))


def test_what_would_start_another_program_is_no_picture() -> None:
    with pytest.raises(UnreadablePicture):
        decoded(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n%%EOF\n")


def test_a_heic_photo_is_a_picture() -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    file = BytesIO()
    pillow_heif.from_pillow(Image.new("RGB", (64, 48), "red")).save(file, quality=90)
    picture = decoded(file.getvalue())
    assert picture.size == (64, 48)
    red, green, blue = picture.getpixel((30, 20))  # type: ignore[misc]
    assert red > 200 > 60 > max(green, blue)

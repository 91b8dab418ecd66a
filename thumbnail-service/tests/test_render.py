"""From an open file to its PNG: formats, orientation, colours, hostile bytes, videos, raws."""

from __future__ import annotations

import io
import os
import random
import struct
from pathlib import Path

import av
import numpy as np
import pillow_heif
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms
from thumbnail_service.domain import placeholder
from thumbnail_service.domain.errors import TooLarge, Unreadable
from thumbnail_service.domain.limits import Limits
from thumbnail_service.domain.render import render
from thumbnail_service.testing import (
    CORNERS,
    TRANSPOSED,
    alike,
    marked,
    opened,
    png_header,
    save_photo,
    save_video,
    seen_corners,
)

FORMATS = ["jpg", "png", "webp", "tif", "bmp", "gif", "avif", "heic"]
RED, GREEN, BLUE = (220, 30, 30), (30, 190, 30), (30, 30, 220)


@pytest.fixture(autouse=True, scope="module")
def _heif() -> None:
    pillow_heif.register_heif_opener()


def thumbnail(path: Path, size_px: int = 128, limits: Limits | None = None) -> bytes:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        extension = os.fsencode(path.suffix[1:].lower())
        return render(descriptor, extension, size_px, limits or Limits())
    finally:
        os.close(descriptor)


def shows_the_marks(png: bytes, width_px: int, height_px: int) -> bool:
    return all(alike(seen, meant) for seen, meant in zip(seen_corners(png, width_px, height_px), CORNERS, strict=True))


@pytest.mark.parametrize("extension", FORMATS)
def test_every_format_is_rendered_upright_and_centred_on_a_transparent_ground(extension: str, tmp_path: Path) -> None:
    png = thumbnail(save_photo(tmp_path / f"a.{extension}"))
    assert opened(png).size == (128, 128)
    assert shows_the_marks(png, 128, 96)
    assert opened(png).getpixel((64, 2)) == (0, 0, 0, 0)


@pytest.mark.parametrize("size_px", [1, 2, 3, 127, 256, 1000, 1024])
@pytest.mark.parametrize("shape", [(640, 480), (480, 640), (5, 3), (2000, 1), (1, 2000), (1, 1)])
def test_the_png_is_exactly_the_size_asked_for(size_px: int, shape: tuple[int, int], tmp_path: Path) -> None:
    for extension in ("jpg", "bmp"):
        png = thumbnail(save_photo(tmp_path / f"a.{extension}", *shape), size_px)
        assert opened(png).size == (size_px, size_px)


@pytest.mark.parametrize("extension", ["jpg", "png", "gif"])
def test_a_small_picture_is_never_enlarged(extension: str, tmp_path: Path) -> None:
    picture = opened(thumbnail(save_photo(tmp_path / f"a.{extension}", 40, 20), 256))
    assert picture.getbbox() == (108, 118, 148, 138)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("extension", ["jpg", "png", "webp", "tif", "avif"])
def test_every_orientation_is_shown_upright(orientation: int, extension: str, tmp_path: Path) -> None:
    turn = TRANSPOSED[orientation]
    stored = marked(400, 300) if turn is None else marked(400, 300).transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / f"a.{extension}", exif=exif)
    assert shows_the_marks(thumbnail(tmp_path / f"a.{extension}"), 128, 96)


def test_a_heic_is_turned_as_its_own_rotation_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    heif = pillow_heif.from_pillow(marked(400, 300).transpose(Image.Transpose.ROTATE_90))
    heif[0].info["exif"] = heif.info["exif"] = exif.tobytes()
    heif.save(tmp_path / "a.heic")
    assert b"irot" in (tmp_path / "a.heic").read_bytes()
    assert shows_the_marks(thumbnail(tmp_path / "a.heic"), 128, 96)


@pytest.mark.parametrize(("mode", "extension"), [("L", "png"), ("L", "jpg"), ("1", "png"), ("1", "tif"), ("LA", "png")])
def test_grey_pictures_are_rendered_grey(mode: str, extension: str, tmp_path: Path) -> None:
    marked(400, 300).convert(mode).save(tmp_path / f"a.{extension}")
    for seen, meant in zip(seen_corners(thumbnail(tmp_path / f"a.{extension}"), 128, 96), CORNERS, strict=True):
        grey = round(sum(part * weight for part, weight in zip(meant, (0.299, 0.587, 0.114), strict=True)))
        assert alike(seen, (grey, grey, grey))


@pytest.mark.parametrize("extension", ["png", "tif"])
def test_sixteen_bits_are_shown_as_eight(extension: str, tmp_path: Path) -> None:
    levels = np.full((60, 80), 0x8080, dtype=np.uint16)
    Image.fromarray(levels).save(tmp_path / f"a.{extension}")
    assert alike(opened(thumbnail(tmp_path / f"a.{extension}")).getpixel((64, 64)), (128, 128, 128), 3)  # type: ignore[arg-type]


@pytest.mark.parametrize("extension", ["png", "gif", "tif", "bmp"])
def test_a_palette_is_resolved(extension: str, tmp_path: Path) -> None:
    marked(400, 300).quantize(16).save(tmp_path / f"a.{extension}")
    assert shows_the_marks(thumbnail(tmp_path / f"a.{extension}"), 128, 96)


@pytest.mark.parametrize("extension", ["jpg", "tif"])
def test_cmyk_is_shown_in_recognisable_colours(extension: str, tmp_path: Path) -> None:
    marked(400, 300).convert("CMYK").save(tmp_path / f"a.{extension}")
    seen = seen_corners(thumbnail(tmp_path / f"a.{extension}"), 128, 96)
    for got, meant in zip(seen, CORNERS, strict=True):
        assert alike(got, meant, 110)
    assert [max(range(3), key=lambda part, got=got: got[part]) for got in seen[:3]] == [0, 1, 2]  # type: ignore[misc]


@pytest.mark.parametrize("extension", ["png", "webp", "gif", "avif"])
def test_transparency_is_kept(extension: str, tmp_path: Path) -> None:
    picture = Image.new("RGBA", (100, 100), (0, 0, 0, 0))
    picture.paste((220, 30, 30, 255), (0, 0, 100, 50))
    picture.save(tmp_path / f"a.{extension}")
    seen = opened(thumbnail(tmp_path / f"a.{extension}", 100))
    assert alike(seen.getpixel((50, 20)), RED)  # type: ignore[arg-type]
    assert seen.getpixel((50, 80))[3] == 0  # type: ignore[index]


@pytest.mark.parametrize("extension", ["gif", "webp", "png", "tif"])
def test_of_several_frames_the_first_is_shown(extension: str, tmp_path: Path) -> None:
    frames = [Image.new("RGB", (80, 60), colour) for colour in (RED, GREEN, BLUE)]
    frames[0].save(tmp_path / f"a.{extension}", save_all=True, append_images=frames[1:])
    assert alike(opened(thumbnail(tmp_path / f"a.{extension}")).getpixel((64, 64)), RED)  # type: ignore[arg-type]


@pytest.mark.parametrize("extension", ["jpg", "png", "avif"])
def test_a_picture_in_another_colour_space_is_brought_to_srgb(extension: str, tmp_path: Path) -> None:
    # A profile whose red and green are swapped: if it is applied, red turns green-ish.
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes().replace(b"sRGB", b"test")
    swapped = lab.replace(b"rXYZ", b"TEMP").replace(b"gXYZ", b"rXYZ").replace(b"TEMP", b"gXYZ")
    Image.new("RGB", (80, 60), (255, 0, 0)).save(tmp_path / f"a.{extension}", icc_profile=swapped)
    red, green, _, _ = opened(thumbnail(tmp_path / f"a.{extension}")).getpixel((64, 64))  # type: ignore[misc]
    assert green > 200 > red


def test_the_bytes_and_not_the_name_say_which_format_it_is(tmp_path: Path) -> None:
    save_photo(tmp_path / "a.png").rename(tmp_path / "a.jpg")
    assert shows_the_marks(thumbnail(tmp_path / "a.jpg"), 128, 96)


def test_a_picture_named_as_a_raw_is_still_shown(tmp_path: Path) -> None:
    save_photo(tmp_path / "a.jpg").rename(tmp_path / "a.raw")
    assert shows_the_marks(thumbnail(tmp_path / "a.raw"), 128, 96)


# ---- hostile ----


@pytest.mark.parametrize("extension", FORMATS)
def test_a_file_cut_short_is_unreadable(extension: str, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (600, 800, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / f"a.{extension}")
    whole = (tmp_path / f"a.{extension}").read_bytes()
    for part in (0.01, 0.3, 0.6):
        (tmp_path / f"a.{extension}").write_bytes(whole[: int(len(whole) * part)])
        with pytest.raises(Unreadable):
            thumbnail(tmp_path / f"a.{extension}")


@pytest.mark.parametrize("extension", [*FORMATS, "dng", "cr2", "mp4", "mkv", "avi"])
def test_empty_and_random_files_are_unreadable(extension: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{extension}"
    for data in (b"", b"\0", random.Random(7).randbytes(100_000), b"\0" * 5000):
        path.write_bytes(data)
        with pytest.raises(Unreadable):
            thumbnail(path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    extension=st.sampled_from(["jpg", "png", "webp", "tif", "gif", "bmp"]),
    at=st.floats(0, 1),
    junk=st.binary(min_size=1, max_size=40),
)
def test_broken_bytes_anywhere_give_a_picture_or_unreadable(
    extension: str, at: float, junk: bytes, tmp_path: Path
) -> None:
    path = save_photo(tmp_path / f"a.{extension}", 60, 40)
    data = bytearray(path.read_bytes())
    begin = int(at * (len(data) - 1))
    data[begin : begin + len(junk)] = junk
    path.write_bytes(data)
    try:
        png = thumbnail(path)
    except Unreadable:
        return
    assert opened(png).size == (128, 128)


def test_a_picture_that_says_it_is_60000_pixels_square_is_refused_by_its_header(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png_header(60_000, 60_000) + b"\0\0\0\0IDAT\x35\xaf\x06\x1e")
    with pytest.raises(TooLarge, match="60000 x 60000"):
        thumbnail(tmp_path / "a.png")


@pytest.mark.parametrize("extension", ["bmp", "gif", "avif", "heic"])
def test_a_picture_that_must_be_held_as_a_whole_has_a_lower_limit(extension: str, tmp_path: Path) -> None:
    path = save_photo(tmp_path / f"a.{extension}", 1500, 1000)
    assert thumbnail(path, limits=Limits(decoded_mpx=2))
    with pytest.raises(TooLarge):
        thumbnail(path, limits=Limits(decoded_mpx=1))


@pytest.mark.parametrize(
    "text",
    [b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>", b"1,2,3\n4,5,6\n", b"%PDF-1.4\n", b"%!PS"],
)
def test_formats_that_are_no_photographs_never_find_a_parser(text: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(text)
    with pytest.raises(Unreadable):
        thumbnail(tmp_path / "a.jpg")


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile://{0}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{0}'\n",
        "ffconcat version 1.0\nfile {0}\n",
    ],
)
def test_a_playlist_named_as_a_video_opens_no_other_file(text: str, tmp_path: Path) -> None:
    secret = save_video(tmp_path / "secret.mp4", 1)
    (tmp_path / "a.mp4").write_text(text.format(secret))
    with pytest.raises(Unreadable):
        thumbnail(tmp_path / "a.mp4")


# ---- videos ----


@pytest.mark.parametrize(
    ("extension", "codec", "fps"),
    [
        ("mp4", "libx264", 10),
        ("mov", "mpeg4", 10),
        ("m4v", "libx264", 10),
        ("mkv", "libx264", 10),
        ("avi", "mpeg4", 10),
        ("webm", "libvpx", 10),
        ("mpg", "mpeg2video", 25),
        ("mts", "libx264", 10),
        ("wmv", "wmv2", 10),
        ("3gp", "mpeg4", 10),
    ],
)
def test_a_video_shows_its_frame_at_two_seconds_and_a_shorter_one_its_first(
    extension: str, codec: str, fps: int, tmp_path: Path
) -> None:
    long = save_video(tmp_path / f"long.{extension}", 3, codec=codec, fps=fps)
    short = save_video(tmp_path / f"short.{extension}", 1.5, codec=codec, fps=fps)
    assert alike(seen_corners(thumbnail(long), 128, 96)[0], BLUE)
    assert alike(seen_corners(thumbnail(short), 128, 96)[0], RED)
    assert opened(thumbnail(long)).size == (128, 128)


@pytest.mark.parametrize(
    ("matrix", "turn"),
    [
        ((0, 65536, 0, -65536, 0, 0), Image.Transpose.ROTATE_270),
        ((-65536, 0, 0, 0, -65536, 0), Image.Transpose.ROTATE_180),
        ((0, -65536, 0, 65536, 0, 0), Image.Transpose.ROTATE_90),
    ],
)
def test_a_video_is_turned_as_its_display_matrix_says(
    matrix: tuple[int, ...], turn: Image.Transpose, tmp_path: Path
) -> None:
    shown = marked(160, 120) if turn is Image.Transpose.ROTATE_180 else marked(120, 160)
    undo = {
        Image.Transpose.ROTATE_270: Image.Transpose.ROTATE_90,
        Image.Transpose.ROTATE_180: Image.Transpose.ROTATE_180,
        Image.Transpose.ROTATE_90: Image.Transpose.ROTATE_270,
    }
    stored = np.asarray(shown.transpose(undo[turn]))
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(stored), format="rgb24")))
        container.mux(stream.encode(None))
    data = bytearray(path.read_bytes())
    at = data.index(struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30), data.index(b"tkhd"))
    data[at : at + 24] = struct.pack(">6i", *matrix)
    path.write_bytes(data)
    assert shows_the_marks(thumbnail(path), *((128, 96) if shown.width > shown.height else (96, 128)))


def test_a_video_without_a_frame_that_decodes_is_unreadable(tmp_path: Path) -> None:
    whole = save_video(tmp_path / "a.mp4", 3, codec="libx264").read_bytes()
    begin = whole.index(b"mdat") + 4
    end = whole.index(b"moov") - 4
    (tmp_path / "a.mp4").write_bytes(whole[:begin] + b"\xaa" * (end - begin) + whole[end:])
    with pytest.raises(Unreadable):
        thumbnail(tmp_path / "a.mp4")


def test_a_video_cut_off_before_two_seconds_shows_what_is_left_of_it(tmp_path: Path) -> None:
    whole = save_video(tmp_path / "a.mkv", 4, 640, 480, codec="mpeg4", fps=30).read_bytes()
    (tmp_path / "a.mkv").write_bytes(whole[: len(whole) // 3])
    assert opened(thumbnail(tmp_path / "a.mkv")).getpixel((64, 64))[3] == 255  # type: ignore[index]


# ---- raws ----


def dng(preview: bytes, orientation: int) -> bytes:
    """A digital negative of 32 x 32 grey sensor pixels with a JPEG preview."""
    sensor = b"\x80\x00" * 32 * 32

    def directory(entries: list[tuple[int, int, int, int]]) -> bytes:
        rows = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
        return struct.pack("<H", len(entries)) + rows + struct.pack("<I", 0)

    with Image.open(io.BytesIO(preview)) as picture:
        width, height = picture.size
    first_at = 8
    main = 2 + 12 * 14 + 4
    sub_at = first_at + main
    sub = 2 + 12 * 11 + 4
    bits_at = sub_at + sub
    model_at = bits_at + 8
    preview_at = model_at + 8
    sensor_at = preview_at + len(preview) + len(preview) % 2
    first = [
        (254, 4, 1, 1),
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 3, bits_at),
        (259, 3, 1, 7),
        (262, 3, 1, 6),
        (271, 2, 4, int.from_bytes(b"Lab\0", "little")),
        (272, 2, 4, int.from_bytes(b"Lab\0", "little")),
        (273, 4, 1, preview_at),
        (274, 3, 1, orientation),
        (277, 3, 1, 3),
        (279, 4, 1, len(preview)),
        (330, 4, 1, sub_at),
        (50706, 1, 4, int.from_bytes(b"\1\4\0\0", "little")),
    ]
    second = [
        (254, 4, 1, 0),
        (256, 4, 1, 32),
        (257, 4, 1, 32),
        (258, 3, 1, 16),
        (259, 3, 1, 1),
        (262, 3, 1, 32803),
        (273, 4, 1, sensor_at),
        (277, 3, 1, 1),
        (279, 4, 1, len(sensor)),
        (33421, 3, 2, 2 | 2 << 16),
        (33422, 1, 4, int.from_bytes(b"\0\1\1\2", "little")),
    ]
    data = b"II*\0" + struct.pack("<I", first_at) + directory(first) + directory(second)
    data += struct.pack("<4H", 8, 8, 8, 0) + b"Lab\0Lab\0" + preview + b"\0" * (len(preview) % 2)
    return data + sensor


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_raw_shows_its_preview_upright(orientation: int, tmp_path: Path) -> None:
    turn = TRANSPOSED[orientation]
    stored = marked(400, 300) if turn is None else marked(400, 300).transpose(turn)
    stored.save(tmp_path / "preview.jpg", quality=95)
    (tmp_path / "a.dng").write_bytes(dng((tmp_path / "preview.jpg").read_bytes(), orientation))
    assert shows_the_marks(thumbnail(tmp_path / "a.dng"), 128, 96)


# ---- placeholders ----


@pytest.mark.parametrize("size_px", [1, 2, 16, 47, 48, 128, 256, 1024])
def test_a_placeholder_is_of_the_size_asked_for(size_px: int) -> None:
    assert opened(placeholder.draw(size_px, "Video", b"mp4")).size == (size_px, size_px)


@pytest.mark.parametrize("extension", [b"", b"jpg", b"\xff\xfe", b"a" * 200, "é".encode()])
def test_a_placeholder_is_labelled_whatever_the_extension_is(extension: bytes) -> None:
    colours = opened(placeholder.draw(256, "Photo", extension)).getcolors(65536)
    assert colours is not None
    assert any(min(colour[:3]) > 200 for _, colour in colours)  # type: ignore[index,arg-type,type-var]

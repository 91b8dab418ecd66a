"""What cameras write, as it is read: from real files of every kind, and from values that no camera should write."""

from __future__ import annotations

import io
import struct
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pillow_heif
import pytest
from hypothesis import given
from hypothesis import strategies as st
from media_common.insides import camera
from media_common.insides.description import Camera, Form, Size, form_of
from media_common.insides.read import described, sized
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

pillow_heif.register_heif_opener()

TAKEN = datetime(2025, 7, 21, 18, 5, 9, 250_000, tzinfo=UTC)
TAKEN_US = int(TAKEN.timestamp() * 1_000_000)


def exif(**more: Any) -> Image.Exif:
    """What a good camera writes, and more by directory: `main={...}`, `shot={...}`, `gps={...}`."""
    made = Image.Exif()
    made[0x010F], made[0x0110], made[0x0112] = "Lumora", "LX Pro", 6
    shot, gps = made.get_ifd(0x8769), made.get_ifd(0x8825)
    shot.update({0x9003: "2025:07:21 18:05:09", 0x9291: "25", 0x9011: "+02:00", 0xA434: "Lumora 35mm f/2"})
    gps.update({1: "N", 2: (47.0, 30.0, 0.0), 3: "W", 4: (9.0, 15.0, 36.0)})
    made.update(more.get("main", {}))
    shot.update(more.get("shot", {}))
    gps.update(more.get("gps", {}))
    return made


WRITTEN = Camera(TAKEN_US, 120, "Lumora", "LX Pro", "Lumora 35mm f/2", 6, 47.5, -9.26)


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp", "avif"])
def test_every_format_says_what_the_camera_wrote(tmp_path: Path, suffix: str) -> None:
    Image.new("RGB", (60, 40), (9, 99, 200)).save(tmp_path / f"a.{suffix}", exif=exif().tobytes())
    with (tmp_path / f"a.{suffix}").open("rb") as file:
        found = described(file, Form.PICTURE)
        assert found.camera == WRITTEN
        assert found.size == sized(file, Form.PICTURE) == Size(40, 60)


def test_a_heic_too_whose_turn_is_in_the_picture_itself(tmp_path: Path) -> None:
    Image.new("RGB", (60, 40)).save(tmp_path / "a.heic", exif=exif())
    with (tmp_path / "a.heic").open("rb") as file:
        found = described(file, Form.PICTURE).camera
    assert (found.taken_us, found.model, found.latitude) == (TAKEN_US, "LX Pro", 47.5)


def tiff(head: bytes = b"II*\0") -> bytes:
    """The tags as a raw has them, with the first bytes of its maker."""
    written = exif()
    written.endian = "<"
    return head + written.tobytes()[6:][4:]


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def little(values: dict[int, Any]) -> bytes:
    made = Image.Exif()
    made.update(values)
    return made.tobytes()[6:]


@pytest.mark.parametrize("head", [b"IIRO", b"IIRS", b"IIU\0", b"II*\0"])
def test_a_raw_that_is_nearly_a_tiff_is_read_as_one(head: bytes) -> None:
    from media_common.insides.stills import _raw_camera

    found = _raw_camera(io.BytesIO(tiff(head)))
    assert found == WRITTEN


def test_a_fuji_raw_says_it_in_its_preview() -> None:
    from media_common.insides.stills import _raw_camera

    preview = io.BytesIO()
    Image.new("RGB", (8, 8)).save(preview, "JPEG", exif=exif())
    raw = b"FUJIFILMCCD-RAW ".ljust(84, b"\0") + struct.pack(">I", 200)
    assert _raw_camera(io.BytesIO(raw.ljust(200, b"\0") + preview.getvalue())) == WRITTEN


def test_a_new_canon_raw_says_it_in_boxes() -> None:
    from media_common.insides.stills import _CANON, _raw_camera

    tags = (
        box(b"CMT1", little({0x010F: "Canon", 0x0110: "EOS R9"}))
        + box(b"CMT2", little({0x9003: "2025:07:21 18:05:09", 0x9291: "25"}))
        + box(b"CMT4", b"no tags at all")
    )
    raw = box(b"ftyp", b"crx \0\0\0\1") + box(b"moov", box(b"uuid", b"other".ljust(16)) + box(b"uuid", _CANON + tags))
    assert _raw_camera(io.BytesIO(raw)) == Camera(taken_us=TAKEN_US, make="Canon", model="EOS R9")


def test_a_video_says_when_it_began_and_where(tmp_path: Path) -> None:
    path = tmp_path / "a.mov"
    with av.open(str(path), "w") as container:
        container.metadata.update(
            {"creation_time": "2025-07-21T18:05:09.250000Z", "make": "Corvid", "model": "Phone 7"}
        )
        stream = container.add_stream("mpeg4", rate=Fraction(25))
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame.from_image(Image.new("RGB", (64, 48)))))
        container.mux(stream.encode(None))
    with path.open("rb") as file:
        found = described(file, form_of(b"a.mov"))
    assert found.size == Size(64, 48, 0.2)
    assert found.camera.taken_us in (TAKEN_US, TAKEN_US - 250_000)  # the container keeps whole seconds
    assert found.camera.taken_offset_min == 0


def test_apple_s_local_time_is_the_camera_s_own() -> None:
    found = camera.of_container(
        {
            "creation_time": "2025-07-21T16:05:09.000000Z",
            "com.apple.quicktime.creationdate": "2025-07-21T18:05:09+0200",
            "com.apple.quicktime.make": "Apple",
            "com.apple.quicktime.model": "iPhone",
            "com.apple.quicktime.location.ISO6709": "+47.5000-009.2600+400.1/",
        }
    )
    assert found == Camera(TAKEN_US - 250_000, 120, "Apple", "iPhone", latitude=47.5, longitude=-9.26)


@pytest.mark.parametrize("never", ["1904-01-01T00:00:00.000000Z", "1970-01-01T00:00:00Z", "2025", "", "soon"])
def test_a_video_s_clock_that_was_never_set_says_nothing(never: str) -> None:
    assert camera.of_container({"creation_time": never}) == Camera()


# ---- what no camera should write ----


@pytest.mark.parametrize(
    "stamp",
    ["0000:00:00 00:00:00", "2025:02:30 10:00:00", "    :  :     :  :  ", "2025:01:01 25:00:00", "", "\0" * 19, b"\xff",
     None, 7, (), "99999:01:01 00:00:00", "0001:01:01 00:00:00"],
)  # fmt: skip
def test_a_date_that_is_none_is_none(stamp: object) -> None:
    assert camera.moment(stamp, "12") == (None, None)


def test_a_date_is_read_however_it_is_written() -> None:
    for stamp in ("2025:07:21 18:05:09", "2025-07-21T18:05:09", "2025/07/21 18:05:09\0", b"2025:07:21 18:05:09\0"):
        assert camera.moment(stamp, " 250 ") == (TAKEN_US, None)


def test_the_times_are_tried_in_their_order_and_an_editor_s_is_not_taken_for_a_camera_s() -> None:
    digitised, changed = {0x9004: "2020:01:01 00:00:00"}, {0x0132: "2021:01:01 00:00:00"}
    assert camera.of_exif({**changed}, {}, {}).taken_us is None
    assert camera.of_exif({**changed, 0x0110: "X"}, {}, {}).taken_us == 1_609_459_200_000_000
    assert camera.of_exif({**changed, 0x0110: "X"}, digitised, {}).taken_us == 1_577_836_800_000_000
    original = {**digitised, 0x9003: "2025:07:21 18:05:09", 0x9291: "25", 0x9292: "99"}
    assert camera.of_exif(changed, original, {}).taken_us == TAKEN_US
    assert camera.of_exif(changed, {**original, 0x9003: "0000:00:00 00:00:00"}, {}).taken_us == 1_577_836_800_990_000


@pytest.mark.parametrize(
    ("written", "read"),
    [("NIKON\0\0garbage", "NIKON"), ("  two   words ", "two words"), ("\0", None), ("", None), (b"bytes", "bytes"),
     ("grÃ¼n", "grün"), ("é", "é"), ("a\x07b", "a b"), ("x" * 10**6, "x" * 120), (5, None), (("a", "b"), None)],
)  # fmt: skip
def test_a_name_is_cleaned(written: object, read: str | None) -> None:
    assert camera.text(written) == read


@pytest.mark.parametrize(
    "gps",
    [{2: (47.0, 30.0, 0.0)}, {1: "N", 2: (47.0, 30.0, 0.0)},
     {1: "N", 2: (IFDRational(1, 0), 0, 0), 3: "E", 4: (9, 0, 0)}, {1: "N", 2: (91, 0, 0), 3: "E", 4: (9, 0, 0)},
     {1: "N", 2: (0, 0, 0), 3: "E", 4: (0, 0, 0)}, {1: "Q", 2: (1, 0, 0), 3: "E", 4: (9, 0, 0)},
     {1: "N", 2: (-1, 0, 0), 3: "E", 4: (9, 0, 0)}, {1: "N", 2: "47", 3: "E", 4: None}],
)  # fmt: skip
def test_a_place_that_is_none_is_none(gps: dict[int, Any]) -> None:
    found = camera.of_exif({}, {}, gps)
    assert (found.latitude, found.longitude) == (None, None)


@pytest.mark.parametrize("orientation", [0, 9, -1, 65535, "6", (6,), 6.0, None, True])
def test_a_turn_that_is_none_of_the_eight_is_none(orientation: object) -> None:
    assert camera.of_exif({0x0112: orientation}, {}, {}).orientation is None


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40) | st.binary(max_size=40)
    | st.builds(IFDRational, st.integers(-5, 5), st.integers(0, 2)),
    lambda inner: st.lists(inner, max_size=4).map(tuple) | st.dictionaries(st.integers(0, 9), inner, max_size=2),
    max_leaves=5,
)  # fmt: skip
DIGITS = st.from_regex(
    r"\A[0-9]{4}[:-][0-9]{2}[:-][0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{4})?\Z"
)
TAGS = (0x010F, 0x0110, 0x0112, 0x0132, 0x9003, 0x9004, 0x9010, 0x9011, 0x9290, 0x9291, 0xA434, 1, 2, 3, 4)
DIRECTORY = st.dictionaries(st.sampled_from(TAGS), ODD | DIGITS, max_size=len(TAGS))


@given(DIRECTORY, DIRECTORY, DIRECTORY)
def test_whatever_the_tags_are_the_answer_is_sensible(
    main: dict[int, Any], shot: dict[int, Any], gps: dict[int, Any]
) -> None:
    _is_sensible(camera.of_exif(main, shot, gps))


@given(st.dictionaries(st.sampled_from(["creation_time", "make", "model", "location", "date"]), st.text() | DIGITS))
def test_whatever_a_container_says_the_answer_is_sensible(tags: dict[str, str]) -> None:
    _is_sensible(camera.of_container(tags))


def _is_sensible(found: Camera) -> None:
    for name in (found.make, found.model, found.lens):
        assert name is None or (0 < len(name) <= 120 and name.isprintable() and name == name.strip())
    if found.taken_us is not None:
        assert 1800 <= datetime.fromtimestamp(found.taken_us // 1_000_000, UTC).year <= 9999
    assert found.taken_offset_min is None or -720 <= found.taken_offset_min <= 840
    assert found.orientation in (None, *range(1, 9))
    assert (found.latitude is None) == (found.longitude is None)
    assert found.latitude is None or (-90 <= found.latitude <= 90 and -180 <= (found.longitude or 0) <= 180)

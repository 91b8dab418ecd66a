"""Sizes and durations through real child processes, on good files and on hostile ones."""

from __future__ import annotations

import json
import os
import random
import signal
import struct
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pillow_heif
import pytest
from fs_service.domain.items import Described, Identity, Probe
from fs_service.domain.media import Kind, kind_of
from fs_service.probe import Prober
from fs_service.probe_wire import ANSWER, LENGTH, Garbled, answer_of, description_answer, description_of, probe_of
from hypothesis import given
from hypothesis import strategies as st
from media_common.formats import IMAGES, VIDEOS
from media_common.insides.description import Camera
from PIL import Image

NOTHING = Probe()


@pytest.fixture(scope="module")
def prober() -> Iterator[Prober]:
    made = Prober()
    made.start()
    yield made
    made.close()


def asked(*paths: Path) -> list[tuple[bytes, Kind]]:
    return [(os.fsencode(path), kind_of(os.fsencode(path.name)) or Kind.IMAGE) for path in paths]


def picture(path: Path, size: tuple[int, int] = (60, 40), orientation: int = 1) -> Path:
    image = Image.new("RGB", size, (200, 30, 30))
    exif = Image.Exif()
    exif[0x0112] = orientation
    if path.suffix in (".heic", ".heif"):
        heif = pillow_heif.from_pillow(image)
        heif.save(path)
    elif orientation == 1:
        image.save(path)
    else:
        image.save(path, exif=exif)
    return path


def video(path: Path, codec: str = "mpeg4", form: str | None = None, degrees: int = 0) -> Path:
    """Two seconds of noise."""
    chance = np.random.default_rng(1)
    with av.open(str(path), "w", format=form) as container:
        stream = container.add_stream(codec, rate=Fraction(25))  # MPEG-1 and -2 know only a few rates
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        if degrees:
            stream.set_display_rotation(degrees)
        for _ in range(50):
            frame = av.VideoFrame.from_ndarray(chance.integers(0, 256, (48, 64, 3), np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def huge_png(path: Path, side: int = 60_000) -> Path:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(1000))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))
    return path


def dng(path: Path, width: int = 64, height: int = 48, orientation: int = 1) -> Path:
    """The smallest DNG that LibRaw takes: one uncompressed 16-bit Bayer picture, and a smaller preview before it."""
    data = bytes(width * height * 2)
    entries: list[tuple[int, int, int, bytes]] = [
        (254, 4, 1, struct.pack("<I", 0)),
        (256, 4, 1, struct.pack("<I", width)),
        (257, 4, 1, struct.pack("<I", height)),
        (258, 3, 1, struct.pack("<H", 16)),
        (259, 3, 1, struct.pack("<H", 1)),
        (262, 3, 1, struct.pack("<H", 32803)),
        (271, 2, 5, b"Acme\0"),
        (272, 2, 4, b"One\0"),
        (273, 4, 1, b"DATA"),
        (274, 3, 1, struct.pack("<H", orientation)),
        (277, 3, 1, struct.pack("<H", 1)),
        (278, 4, 1, struct.pack("<I", height)),
        (279, 4, 1, struct.pack("<I", len(data))),
        (33421, 3, 2, struct.pack("<HH", 2, 2)),
        (33422, 1, 4, bytes((0, 1, 1, 2))),
        (50706, 1, 4, bytes((1, 4, 0, 0))),
        (50708, 2, 9, b"Acme One\0"),
        (50721, 10, 9, struct.pack("<18i", *(v for i in range(9) for v in (1 if i % 4 == 0 else 0, 1)))),
        (50728, 5, 3, struct.pack("<6I", 1, 1, 1, 1, 1, 1)),
    ]
    extra_at = 8 + 2 + 12 * len(entries) + 4
    extra = b""
    rows = b""
    for tag, kind, count, value in entries:
        if len(value) > 4:
            rows += struct.pack("<HHII", tag, kind, count, extra_at + len(extra))
            extra += value + b"\0" * (len(value) % 2)
        else:
            rows += struct.pack("<HHI", tag, kind, count) + value.ljust(4, b"\0")
    rows = rows.replace(b"DATA", struct.pack("<I", extra_at + len(extra)))
    head = b"II*\0" + struct.pack("<IH", 8, len(entries))
    path.write_bytes(head + rows + bytes(4) + extra + data)
    return path


@pytest.mark.parametrize("suffix", ["jpg", "JPEG", "png", "gif", "bmp", "tif", "tiff", "webp", "heic", "avif"])
def test_a_picture_gives_its_size(prober: Prober, tmp_path: Path, suffix: str) -> None:
    assert prober.probe(asked(picture(tmp_path / f"a.{suffix}"))) == [Probe(60, 40)]


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp", "avif"])
@pytest.mark.parametrize("orientation", [3, 5, 6, 8])
def test_a_turned_picture_gives_its_size_as_shown(
    prober: Prober, tmp_path: Path, suffix: str, orientation: int
) -> None:
    expected = Probe(60, 40) if orientation == 3 else Probe(40, 60)
    assert prober.probe(asked(picture(tmp_path / f"a.{suffix}", orientation=orientation))) == [expected]


def test_a_heic_is_turned_by_its_own_rotation_and_not_by_its_exif(prober: Prober, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    heif = pillow_heif.from_pillow(Image.new("RGB", (60, 40)))
    heif.info["exif"] = exif.tobytes()
    heif.save(tmp_path / "turned.heic")
    assert b"irot" in (tmp_path / "turned.heic").read_bytes()
    assert prober.probe(asked(tmp_path / "turned.heic")) == [Probe(40, 60)]


def test_the_content_counts_not_the_extension(prober: Prober, tmp_path: Path) -> None:
    picture(tmp_path / "a.png").rename(tmp_path / "a.jpg")
    assert prober.probe(asked(tmp_path / "a.jpg")) == [Probe(60, 40)]


@pytest.mark.parametrize(("orientation", "expected"), [(1, Probe(64, 48)), (6, Probe(48, 64)), (8, Probe(48, 64))])
def test_a_raw_file_gives_its_full_size(prober: Prober, tmp_path: Path, orientation: int, expected: Probe) -> None:
    assert prober.probe(asked(dng(tmp_path / "a.dng", orientation=orientation))) == [expected]


@pytest.mark.alone
def test_a_gigantic_png_gives_its_size_at_once(prober: Prober, tmp_path: Path) -> None:
    began = time.monotonic()
    assert prober.probe(asked(huge_png(tmp_path / "a.png"))) == [Probe(60_000, 60_000)]
    assert time.monotonic() - began < 1


@pytest.mark.parametrize(
    ("name", "codec", "form"),
    [
        ("a.mp4", "mpeg4", None),
        ("a.mov", "mpeg4", None),
        ("a.m4v", "mpeg4", "mp4"),
        ("a.3gp", "mpeg4", "3gp"),
        ("a.mkv", "mpeg4", None),
        ("a.webm", "libvpx", None),
        ("a.avi", "mpeg4", None),
        ("a.mpg", "mpeg1video", None),
        ("a.mts", "mpeg2video", "mpegts"),
        ("a.m2ts", "mpeg2video", "mpegts"),
        ("a.wmv", "wmv2", "asf"),
    ],
)
def test_a_video_gives_its_size_and_duration(
    prober: Prober, tmp_path: Path, name: str, codec: str, form: str | None
) -> None:
    path = video(tmp_path / name, codec, form)
    [probe] = prober.probe(asked(path))
    assert (probe.width_px, probe.height_px) == (64, 48)
    assert probe.duration_s == pytest.approx(2.0, abs=0.35)


@pytest.mark.parametrize(("degrees", "expected"), [(90, (48, 64)), (180, (64, 48)), (270, (48, 64))])
def test_a_turned_video_gives_its_size_as_shown(
    prober: Prober, tmp_path: Path, degrees: int, expected: tuple[int, int]
) -> None:
    [probe] = prober.probe(asked(video(tmp_path / "a.mp4", degrees=degrees)))
    assert (probe.width_px, probe.height_px) == expected


def test_a_playlist_named_as_a_video_opens_nothing(prober: Prober, tmp_path: Path) -> None:
    video(tmp_path / "real.mp4")
    (tmp_path / "a.mp4").write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{tmp_path}/real.mp4\n")
    (tmp_path / "b.mp4").write_text(f"ffconcat version 1.0\nfile {tmp_path}/real.mp4\n")
    assert prober.probe(asked(tmp_path / "a.mp4", tmp_path / "b.mp4")) == [NOTHING, NOTHING]


def test_a_name_that_is_no_utf8_is_probed(prober: Prober, tmp_path: Path) -> None:
    for suffix, made in (("jpg", picture), ("mp4", video), ("dng", dng)):
        name = os.fsencode(tmp_path) + b"/caf\xe9\n\xff." + suffix.encode()
        os.rename(made(tmp_path / f"x.{suffix}"), name)  # type: ignore[operator]
        [probe] = prober.probe(asked(Path(os.fsdecode(name))))
        assert probe.width_px


@pytest.mark.parametrize("extension", sorted(IMAGES | VIDEOS))
def test_random_bytes_give_nothing(prober: Prober, tmp_path: Path, extension: bytes) -> None:
    chance = random.Random(extension)
    files = []
    for number, size in enumerate((0, 1, 11, 300, 70_000)):
        path = tmp_path / f"{number}.{extension.decode()}"
        path.write_bytes(chance.randbytes(size))
        files.append(path)
    assert prober.probe(asked(*files)) == [NOTHING] * len(files)


@pytest.mark.parametrize(
    "name", ["a.jpg", "a.png", "a.tif", "a.webp", "a.gif", "a.heic", "a.avif", "a.mp4", "a.mkv", "a.dng"]
)
def test_a_truncated_or_mangled_file_never_raises(prober: Prober, tmp_path: Path, name: str) -> None:
    make: Callable[[Path], Path] = video if name.endswith(("mp4", "mkv")) else dng if name.endswith("dng") else picture
    whole = make(tmp_path / name).read_bytes()
    chance = random.Random(7)
    files = []
    for number in range(40):
        bytes_ = bytearray(whole[: chance.randrange(len(whole))] if number % 2 else whole)
        for _ in range(number if bytes_ else 0):
            bytes_[chance.randrange(len(bytes_))] = chance.randrange(256)
        path = tmp_path / f"{number}-{name}"
        path.write_bytes(bytes_)
        files.append(path)
    assert len(prober.probe(asked(*files))) == len(files)


def test_what_cannot_be_opened_gives_nothing(prober: Prober, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    good = picture(tmp_path / "good.jpg")
    paths = [tmp_path / "pipe.jpg", tmp_path / "folder.jpg", tmp_path / "no.jpg", good]
    assert prober.probe(asked(*paths)) == [NOTHING, NOTHING, NOTHING, Probe(60, 40)]


def test_many_files_from_many_threads_keep_their_order(prober: Prober, tmp_path: Path) -> None:
    files = [picture(tmp_path / f"{side}.bmp", (side, 1)) for side in range(1, 130)]
    expected = [Probe(side, 1) for side in range(1, 130)]
    results: list[list[Probe]] = []
    threads = [threading.Thread(target=lambda: results.append(prober.probe(asked(*files)))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 6


# ---- children that misbehave: a fake one that obeys the file's name ----

FAKE = """
import os, signal, socket, sys, threading
from fs_service.domain.items import Probe
from fs_service.domain.items import Described
from fs_service.probe_wire import HELLO, answer_of, description_answer, receive_files
parent = socket.socket(fileno=0)
parent.sendall(HELLO)
done = 0
while (asked := receive_files(parent)) is not None:
    for path, kind in asked[0]:
        if b"kill" in path: os.kill(os.getpid(), signal.SIGKILL)
        if b"hang" in path: threading.Event().wait()
        if b"tired" in path and done: os._exit(3)
        if b"flood" in path: parent.sendall(b"\\xff" * 1000)
        done += 1
        if asked[1]:
            parent.sendall(description_answer(Described(Probe(7, 7))))
            continue
        parent.sendall(answer_of(Probe(done, 1)) if b"." in path else answer_of(Probe(7, 7)))
"""


@pytest.fixture
def fragile() -> Iterator[Prober]:
    made = Prober(1, (sys.executable, "-c", FAKE), image_limit_s=0.4, video_limit_s=0.4)
    yield made
    made.close()


def named(*names: str) -> list[tuple[bytes, Kind]]:
    return [(name.encode(), Kind.IMAGE) for name in names]


@pytest.mark.parametrize("deed", ["kill", "hang", "flood"])
def test_only_the_culprit_loses_its_answer(fragile: Prober, deed: str) -> None:
    assert fragile.probe(named("a", "b", deed, "c", "d")) == [Probe(7, 7)] * 2 + [NOTHING] + [Probe(7, 7)] * 2
    assert fragile.probe(named("e")) == [Probe(7, 7)]


@pytest.mark.parametrize("deed", ["kill", "hang", "flood"])
def test_only_the_culprit_loses_its_description(fragile: Prober, deed: str) -> None:
    good = Described(Probe(7, 7))
    assert fragile.describe(named("a", "b", deed, "c", "d")) == [good] * 2 + [Described()] + [good] * 2


def test_a_file_that_dies_of_what_others_left_behind_is_tried_in_a_fresh_process(fragile: Prober) -> None:
    assert fragile.probe(named("a", "tired", "b")) == [Probe(7, 7)] * 3


@pytest.mark.alone
def test_files_that_hang_do_not_add_up_for_ever(fragile: Prober) -> None:
    slow = Prober(1, (sys.executable, "-c", FAKE), image_limit_s=1.5)
    try:
        began = time.monotonic()
        assert slow.probe(named(*["hang"] * 6, "a")) == [NOTHING] * 6 + [Probe(7, 7)]
        assert time.monotonic() - began < 6 * 1.5
    finally:
        slow.close()


def test_a_command_that_never_starts_gives_nothing_and_does_not_raise() -> None:
    for command in (("/nonexistent/program",), (sys.executable, "-c", "raise SystemExit(1)")):
        broken = Prober(1, command)
        try:
            assert broken.probe(named("a", "b")) == [NOTHING] * 2
            assert broken.describe(named("a")) == [None]
        finally:
            broken.close()


def test_children_killed_in_the_middle_of_a_batch_cost_no_file(tmp_path: Path) -> None:
    files = [picture(tmp_path / f"{side}.bmp", (side, 1)) for side in range(1, 400)]
    made = Prober()
    results: list[list[Probe]] = []
    try:
        made.start()
        made.probe(asked(files[0]))
        thread = threading.Thread(target=lambda: results.append(made.probe(asked(*files))))
        thread.start()
        for child in made._children:
            process = child._process
            if process is not None:
                os.kill(process.pid, signal.SIGKILL)
        thread.join()
    finally:
        made.close()
    assert results == [[Probe(side, 1) for side in range(1, 400)]]


def test_no_child_outlives_its_parent(tmp_path: Path) -> None:
    made = Prober()
    made.start()
    made.probe(asked(picture(tmp_path / "a.jpg")))
    pids = [child._process.pid for child in made._children if child._process is not None]
    made.close()
    assert pids
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@given(
    st.builds(
        Probe,
        width_px=st.integers(1, 2**31 - 1),
        height_px=st.integers(1, 2**31 - 1),
        duration_s=st.none() | st.floats(0, 9e8),
    )
    | st.just(NOTHING)
)
def test_an_answer_survives_the_wire(probe: Probe) -> None:
    assert probe_of(answer_of(probe)) == probe


@given(st.binary(min_size=17, max_size=17))
def test_a_garbled_answer_is_refused_or_sensible(answer: bytes) -> None:
    try:
        probe = probe_of(answer)
    except Garbled:
        return
    assert probe.width_px is None or probe.width_px > 0
    assert probe.duration_s is None or 0 <= probe.duration_s < 1e9


def test_a_description_is_of_the_very_file_that_was_read(prober: Prober, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0112] = "Lumora", "LX Pro", 6
    exif.get_ifd(0x8769)[0x9003] = "2025:07:21 18:05:09"
    path = tmp_path / "a.jpg"
    Image.new("RGB", (60, 40)).save(path, exif=exif)
    facts = path.stat()
    camera = Camera(1_753_121_109_000_000, make="Lumora", model="LX Pro", orientation=6)
    identity = Identity(facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns)
    plain = picture(tmp_path / "b.png")
    broken = tmp_path / "c.jpg"
    broken.write_bytes(b"no picture")
    found = prober.describe(asked(path, plain, broken, tmp_path / "none.jpg"))
    assert found[0] == Described(Probe(40, 60), camera, identity)
    assert found[1] is not None
    assert (found[1].probe, found[1].camera) == (Probe(60, 40), Camera())
    assert found[2] is not None
    assert found[2].identity is not None
    assert found[2].probe == NOTHING
    assert found[3] == Described()


@pytest.mark.parametrize("name", ["a.jpg", "a.tif", "a.png", "a.heic", "a.mp4", "a.dng"])
def test_a_mangled_file_has_a_description_all_the_same(prober: Prober, tmp_path: Path, name: str) -> None:
    if name.endswith("mp4"):
        whole = video(tmp_path / name).read_bytes()
    elif name.endswith("dng"):
        whole = dng(tmp_path / name).read_bytes()
    else:
        exif = Image.Exif()
        exif[0x0110] = "x" * 500
        exif.get_ifd(0x8769)[0x9003] = "2025:07:21 18:05:09"
        exif.get_ifd(0x8825)[2] = (1.0, 2.0, 3.0)
        image = Image.new("RGB", (60, 40))
        if name.endswith("heic"):
            pillow_heif.from_pillow(image).save(tmp_path / name, exif=exif.tobytes())
        else:
            image.save(tmp_path / name, exif=exif.tobytes())
        whole = (tmp_path / name).read_bytes()
    chance = random.Random(7)
    files = []
    for number in range(60):
        bytes_ = bytearray(whole)
        for _ in range(1 + number // 3):
            bytes_[chance.randrange(min(len(bytes_), 900))] = chance.randrange(256)
        path = tmp_path / f"{number}-{name}"
        path.write_bytes(bytes_)
        files.append(path)
    found = prober.describe(asked(*files))
    assert all(one is not None and one.identity is not None for one in found)


CAMERAS = st.builds(
    Camera,
    taken_us=st.none() | st.integers(-(2**62), 2**62),
    make=st.none() | st.text(min_size=1, max_size=120),
    orientation=st.none() | st.integers(1, 8),
    latitude=st.none() | st.floats(-90, 90),
)
IDENTITIES = st.none() | st.builds(
    Identity, st.integers(0, 2**32), st.integers(0, 2**64 - 1), st.integers(0, 2**62), st.integers(-(2**63), 2**64 - 1)
)


@given(CAMERAS, IDENTITIES)
def test_a_description_survives_the_wire(camera: Camera, identity: Identity | None) -> None:
    one = Described(Probe(3, 4), camera, identity)
    answer = description_answer(one)
    head = LENGTH.size + ANSWER.size
    assert LENGTH.unpack(answer[: LENGTH.size]) == (len(answer) - head,)
    assert description_of(answer[LENGTH.size : head], answer[head:]) == one


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["camera", "identity", "make", "taken_us", "latitude"]), inner, max_size=4)
    ),
)


@given(JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=60))
def test_a_garbled_description_is_refused_or_sensible(body: bytes) -> None:
    try:
        found = description_of(answer_of(NOTHING), body)
    except Garbled:
        return
    assert found.camera.make is None or 0 < len(found.camera.make) <= 1000
    assert found.camera.latitude is None or -180 <= found.camera.latitude <= 180

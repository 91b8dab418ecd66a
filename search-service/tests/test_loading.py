"""Files become pictures in a process of their own: upright, small, and whatever the file does, the service goes on."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import struct
import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import psutil
import pytest
from media_common.blobs import StoreFailed, StoreUnreachable
from media_common.blobs.folder import FolderStore
from PIL import Image
from search_service.config import decoding_environment
from search_service.domain.errors import OriginalsUnavailable, OutOfReach, UnreadablePicture
from search_service.domain.items import Still
from search_service.loading.child import RAW, STILL, VIDEO
from search_service.loading.given import GivenPictures
from search_service.loading.pixels import Pixels, Place
from search_service.loading.pool import Pool
from search_service.loading.process import DecodingProcess
from search_service.loading.videos import MOST

COLOURS = [(220, 30, 30), (30, 190, 30), (30, 30, 220), (230, 220, 40)]


class Loader:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.blobs = FolderStore(folder / "blobs")
        self.process = DecodingProcess(decoding_environment(), 2048)
        self.pixels = Pixels([self.process], self.blobs)

    async def load(self, name: str, form: bytes = STILL) -> list[Still[Image.Image]]:
        return await self.pixels.load(Place(os.fsencode(self.folder), os.fsencode(name), form=form))


@pytest.fixture
async def loader(tmp_path: Path) -> AsyncIterator[Loader]:
    loader = Loader(tmp_path)
    yield loader
    await loader.pixels.close()


def film(
    path: Path,
    scenes: Sequence[int],
    frames_a_scene: int,
    rate: int = 10,
    size: tuple[int, int] = (160, 120),
    degrees: int = 0,
) -> None:
    """A video whose scenes are of one colour each."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"  # type: ignore[union-attr]
        if degrees:
            stream.set_display_rotation(degrees)  # type: ignore[union-attr]
        for number in scenes:
            pixels = np.full((size[1], size[0], 3), COLOURS[number % 4], np.uint8)
            for _ in range(frames_a_scene):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))  # type: ignore[union-attr]
        container.mux(stream.encode(None))  # type: ignore[union-attr]


def negative(width: int, height: int, orientation: int) -> bytes:
    """The smallest DNG that LibRaw takes: one uncompressed Bayer picture of 16 bits, and no preview."""
    short, long = partial(struct.pack, "<H"), partial(struct.pack, "<I")
    entries = [
        (254, 4, 1, long(0)), (256, 4, 1, long(width)), (257, 4, 1, long(height)), (258, 3, 1, short(16)),
        (259, 3, 1, short(1)), (262, 3, 1, short(32803)), (271, 2, 4, b"Lab\0"), (272, 2, 4, b"Lab\0"),
        (273, 4, 1, long(8 + 2 + 12 * 16 + 4)), (274, 3, 1, short(orientation)), (277, 3, 1, short(1)),
        (278, 4, 1, long(height)), (279, 4, 1, long(width * height * 2)), (33421, 3, 2, struct.pack("<HH", 2, 2)),
        (33422, 1, 4, bytes((0, 1, 1, 2))), (50706, 1, 4, bytes((1, 4, 0, 0))),
    ]  # fmt: skip
    rows = b"".join(
        struct.pack("<HHI", tag, kind, count) + value.ljust(4, b"\0") for tag, kind, count, value in entries
    )
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + rows + bytes(4) + short(0x8000) * (width * height)


def hostile_png(side: int) -> bytes:
    """Small, and says that it is large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IEND", b"")


def colour(still: Still[Image.Image]) -> int:
    """Which of the colours it shows in the middle."""
    seen = np.asarray(still.picture.getpixel((still.picture.width // 2, still.picture.height // 2)), int)
    return int(np.argmin([np.abs(seen - meant).sum() for meant in COLOURS]))


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif", "a.webp"])
@pytest.mark.parametrize(("orientation", "across", "down"), [(1, 4000, 1000), (3, 4000, 1000), (6, 1000, 4000)])
async def test_a_photo_is_small_and_upright_and_says_how_large_it_is(
    loader: Loader, name: str, orientation: int, across: int, down: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (4000, 1000), "red").save(loader.folder / name, exif=exif)
    [still] = await loader.load(name)
    assert (still.width_px, still.height_px) == (across, down)
    assert still.picture.size == (across * 640 // 4000, down * 640 // 4000)
    assert colour(still) == 0


async def test_a_blob_comes_from_the_blob_store(loader: Loader) -> None:
    file = io.BytesIO()
    Image.new("RGB", (30, 20), COLOURS[2]).save(file, "PNG")
    writer = loader.blobs.writer()
    writer.write(file.getvalue())
    sha256 = writer.commit().sha256
    [still] = await loader.pixels.load(Place(sha256=sha256))
    assert colour(still) == 2
    with pytest.raises(UnreadablePicture, match="not in the blob store any more"):
        await loader.pixels.load(Place(sha256=b"?" * 32))


class Ailing(FolderStore):
    """Fails as it is told to."""

    def __init__(self, folder: Path, error: Exception) -> None:
        super().__init__(folder)
        self.error = error

    def local(self, sha256: bytes) -> AbstractContextManager[Path]:
        raise self.error


@pytest.mark.parametrize(
    ("error", "named"), [(StoreUnreachable(), OriginalsUnavailable), (StoreFailed("no space left"), OutOfReach)]
)
async def test_a_blob_store_that_is_away_is_told_from_one_that_fails_on_a_blob(
    loader: Loader, error: Exception, named: type[Exception]
) -> None:
    pixels = Pixels([loader.process], Ailing(loader.folder, error))
    with pytest.raises(named, match="blob store"):
        await pixels.load(Place(sha256=b"?" * 32))


async def test_a_raw_without_a_preview_is_developed_and_one_that_is_a_photo_is_read_as_that(loader: Loader) -> None:
    Image.new("RGB", (300, 200), COLOURS[1]).save(loader.folder / "a.jpg")
    (loader.folder / "a.jpg").rename(loader.folder / "a.nef")
    [still] = await loader.load("a.nef", RAW)
    assert colour(still) == 1
    (loader.folder / "b.nef").write_bytes(b"junk" * 100)
    with pytest.raises(UnreadablePicture, match="raw file"):
        await loader.load("b.nef", RAW)


@pytest.mark.parametrize(("orientation", "size"), [(1, (1200, 900)), (6, (900, 1200)), (8, (900, 1200))])
async def test_a_raw_is_as_large_as_its_sensor_and_not_as_its_preview(
    loader: Loader, orientation: int, size: tuple[int, int]
) -> None:
    (loader.folder / "a.dng").write_bytes(negative(1200, 900, orientation))
    [still] = await loader.load("a.dng", RAW)
    assert (still.width_px, still.height_px) == size
    assert max(still.picture.size) <= 640
    assert (still.picture.width > still.picture.height) == (size[0] > size[1])


@pytest.mark.parametrize(("degrees", "size"), [(0, (1280, 720)), (90, (720, 1280)), (180, (1280, 720))])
async def test_a_large_video_says_how_large_it_is_as_it_is_shown(
    loader: Loader, degrees: int, size: tuple[int, int]
) -> None:
    film(loader.folder / "a.mp4", [1], 3, size=(1280, 720), degrees=degrees)
    [still] = await loader.load("a.mp4", VIDEO)
    assert (still.width_px, still.height_px) == size
    assert still.picture.size == (size[0] * 3 // 10, size[1] * 3 // 10)
    with Image.open(io.BytesIO(still.jpeg), formats=["JPEG"]) as shown:
        assert shown.size == (size[0] * 8 // 10, size[1] * 8 // 10)
        middle = np.asarray(shown.getpixel((shown.width // 2, shown.height // 2)), int)
    assert np.abs(middle - COLOURS[1]).max() < 30


async def test_a_video_has_a_frame_a_scene(loader: Loader) -> None:
    film(loader.folder / "a.mp4", range(4), 30)
    found = await loader.load("a.mp4", VIDEO)
    assert [colour(still) for still in found] == [0, 1, 2, 3]
    assert [still.timestamp_s for still in found] == pytest.approx([0, 3, 6, 9], abs=1.3)


async def test_a_still_video_has_a_frame_every_ten_seconds(loader: Loader) -> None:
    film(loader.folder / "a.mp4", [0] * 45, 10)
    times = [still.timestamp_s for still in await loader.load("a.mp4", VIDEO)]
    assert len(times) in (4, 5)
    assert all(10 <= after - before <= 12 for before, after in pairwise(times))


async def test_a_video_of_one_key_frame_is_looked_at_as_a_whole(loader: Loader) -> None:
    with av.open(str(loader.folder / "a.mkv"), "w") as container:
        stream = container.add_stream("mpeg4", rate=5, options={"g": "600", "sc_threshold": "1000000000"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"  # type: ignore[union-attr]
        for _ in range(150):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")))  # type: ignore[union-attr]
        container.mux(stream.encode(None))  # type: ignore[union-attr]
    assert [still.timestamp_s for still in await loader.load("a.mkv", VIDEO)] == pytest.approx([0, 10, 20], abs=0.3)


async def test_a_video_of_many_scenes_has_32_frames_from_all_of_it(loader: Loader) -> None:
    film(loader.folder / "a.avi", range(120), 20)
    found = await loader.load("a.avi", VIDEO)
    times = [still.timestamp_s for still in found]
    assert len(times) == MOST == 32
    assert times == sorted(times)
    assert times[0] == 0
    assert times[-1] > 200
    assert max(after - before for before, after in pairwise(times)) < 40


@pytest.mark.parametrize("form", [STILL, VIDEO])
async def test_what_cannot_be_decoded_is_said_so_and_the_process_goes_on(loader: Loader, form: bytes) -> None:
    (loader.folder / "a").write_bytes(os.urandom(5000))
    (loader.folder / "empty").write_bytes(b"")
    for name in ("a", "empty"):
        with pytest.raises(UnreadablePicture):
            await loader.load(name, form)
    first = loader.process.pid
    Image.new("RGB", (9, 9)).save(loader.folder / "b.png")
    assert await loader.load("b.png")
    assert loader.process.pid == first


async def test_a_playlist_that_is_called_a_video_opens_nothing(loader: Loader) -> None:
    (loader.folder / "a.mp4").write_text("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n")
    with pytest.raises(UnreadablePicture):
        await loader.load("a.mp4", VIDEO)


async def test_a_picture_that_would_fill_the_memory_is_unreadable(loader: Loader) -> None:
    (loader.folder / "a.png").write_bytes(hostile_png(60_000))
    with pytest.raises(UnreadablePicture):
        await loader.load("a.png")


async def test_what_is_not_there_or_leads_out_of_the_root_has_no_pictures(loader: Loader, tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "below").mkdir(parents=True)
    Image.new("RGB", (9, 9)).save(tmp_path / "secret.png")
    (root / "link.png").symlink_to(tmp_path / "secret.png")
    (root / "folder").symlink_to(tmp_path)
    os.mkfifo(root / "pipe.png")
    for relative in (b"none.png", b"link.png", b"folder/secret.png", b"pipe.png", b"below", b"../secret.png"):
        assert await loader.pixels.load(Place(os.fsencode(root), relative)) == []
    with pytest.raises(OutOfReach, match="review path cannot be reached"):
        await loader.pixels.load(Place(os.fsencode(tmp_path / "away"), b"a.png"))


async def test_a_process_that_dies_fails_one_file_and_the_next_one_gets_another(loader: Loader) -> None:
    Image.new("RGB", (9, 9)).save(loader.folder / "b.png")
    assert await loader.load("b.png")
    pid = loader.process.pid
    assert pid is not None
    psutil.Process(pid).kill()
    with pytest.raises(OutOfReach, match="died"):
        await loader.load("b.png")
    assert await loader.load("b.png")
    assert loader.process.pid != pid


async def test_a_file_that_takes_too_long_ends_its_process(loader: Loader) -> None:
    Image.effect_noise((5000, 5000), 90).save(loader.folder / "a.png", compress_level=1)
    with pytest.raises(OutOfReach, match="more than"):
        await loader.process.asked([os.fsencode(loader.folder), b"a.png", STILL], 0.01)
    assert loader.process.pid is None


async def test_a_picture_that_a_caller_sends_is_decoded_by_the_process_and_its_faults_stay_there(
    loader: Loader,
) -> None:
    given, file = GivenPictures(Pool([loader.process])), io.BytesIO()
    Image.new("RGB", (2000, 1000), COLOURS[1]).save(file, "PNG")
    picture = await given.decoded(file.getvalue())
    assert (picture.size, picture.getpixel((9, 9))) == ((640, 320), COLOURS[1])
    assert loader.process.pid is not None

    for hostile in (b"", b"GIF89a", hostile_png(60_000), file.getvalue()[:200]):
        with pytest.raises(UnreadablePicture):
            await given.decoded(hostile)
    asyncio.get_running_loop().call_later(0.05, os.kill, loader.process.pid, signal.SIGSTOP)
    await asyncio.sleep(0.1)
    asking = asyncio.create_task(given.decoded(file.getvalue()))
    asyncio.get_running_loop().call_later(0.1, os.kill, loader.process.pid, signal.SIGKILL)
    with pytest.raises(UnreadablePicture):
        await asking
    assert (await given.decoded(file.getvalue())).size == (640, 320)


async def test_what_has_nothing_to_do_is_let_go(loader: Loader) -> None:
    loader.pixels = Pixels([loader.process], loader.blobs, idle_s=0.01)
    Image.new("RGB", (9, 9)).save(loader.folder / "b.png")
    await loader.load("b.png")
    pid = loader.process.pid
    assert pid is not None
    async with asyncio.timeout(10):
        while psutil.pid_exists(pid):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert await loader.load("b.png")

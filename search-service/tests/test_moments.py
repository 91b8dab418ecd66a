"""A video that is looked at again is looked at where it was looked at before, however long that takes."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import pytest
from media_common.blobs.folder import FolderStore
from search_service.config import decoding_environment
from search_service.domain.errors import UnreadablePicture
from search_service.loading import moments, videos
from search_service.loading.child import VIDEO
from search_service.loading.pixels import Pixels, Place
from search_service.loading.process import DecodingProcess
from search_service.loading.videos import Found

RATE = 10
SECONDS = 40


def film(path: Path, **options: str) -> Path:
    """Another shade of grey every second: some of these changes are scenes, others are not."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"  # type: ignore[union-attr]
        for second in range(SECONDS):
            pixels = np.full((48, 64, 3), shade(second), np.uint8)
            for _ in range(RATE):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))  # type: ignore[union-attr]
        container.mux(stream.encode(None))  # type: ignore[union-attr]
    return path


def shade(second: int) -> int:
    return second * 67 % 200 + 20


@contextmanager
def opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def seen(found: Found) -> list[tuple[float, int]]:
    """The second of each, and what it shows."""
    return [(still.timestamp_s, int(np.asarray(still.picture).mean())) for still in found]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.ts", "a.mpg"])
@pytest.mark.parametrize("key_every", ["7", "600"])
def test_looked_at_again_it_shows_the_same(tmp_path: Path, name: str, key_every: str) -> None:
    with opened(film(tmp_path / name, g=key_every)) as descriptor:
        first = videos.frames(descriptor)
        assert len(first) > 2
        again = moments.frames_at(descriptor, [still.timestamp_s for still in first])
    assert seen(again) == seen(first)
    assert [(still.width_px, still.height_px) for still in again] == [(64, 48)] * len(first)


def test_no_frame_is_lost_to_a_slow_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(film(tmp_path / "a.mp4", g="600")) as descriptor:
        first = videos.frames(descriptor)
        monkeypatch.setattr(videos, "_PATIENCE_S", -1.0)
        assert len(videos.frames(descriptor)) < len(first)
        again = moments.frames_at(descriptor, [still.timestamp_s for still in first])
    assert seen(again) == seen(first)


def test_a_moment_between_two_frames_shows_the_one_that_is_seen_then_and_one_behind_the_end_the_last(
    tmp_path: Path,
) -> None:
    with opened(film(tmp_path / "a.mp4")) as descriptor:
        found = moments.frames_at(descriptor, [500.0, 3.95, 0.0])
    assert [still.timestamp_s for still in found] == [0.0, 3.95, 500.0]
    assert [shown for _, shown in seen(found)] == pytest.approx([shade(0), shade(3), shade(SECONDS - 1)], abs=4)


def test_what_is_no_video_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(os.urandom(5000))
    with opened(tmp_path / "a.mp4") as descriptor, pytest.raises(UnreadablePicture):
        moments.frames_at(descriptor, [0.0, 1.0])


@pytest.fixture
async def pixels(tmp_path: Path) -> AsyncIterator[Pixels]:
    pixels = Pixels([DecodingProcess(decoding_environment(), 2048)], FolderStore(tmp_path / "blobs"))
    yield pixels
    await pixels.close()


async def test_the_decoding_process_is_told_the_moments(pixels: Pixels, tmp_path: Path) -> None:
    film(tmp_path / "a.mp4", g="7")
    place = Place(os.fsencode(tmp_path), b"a.mp4", form=VIDEO, moments_s=(1.5, 30.0))
    assert [still.timestamp_s for still in await pixels.load(place)] == [1.5, 30.0]

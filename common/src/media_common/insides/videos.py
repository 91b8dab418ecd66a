"""The headers of a video, and of audio. No frame is decoded."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, Final

import av
import av.stream

from media_common.insides import camera
from media_common.insides.boxes import boxes, read_at
from media_common.insides.description import Description, Size

#: What ffmpeg may take a video for; above all no playlist, which would open other files and addresses.
_CONTAINERS: Final = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,asf,m4v,h264,hevc"
_AUDIO_CONTAINERS: Final = "mp3,mov,mp4,m4a,3gp,3g2,mj2,aac,flac,ogg,wav"
_LONGEST_S: Final = 1e9


def sized(file: IO[bytes]) -> Size:
    turned = _is_turned(file)
    with _opened(file) as container:
        return _size(container, turned)


def described(file: IO[bytes]) -> Description:
    turned = _is_turned(file)
    with _opened(file) as container:
        tags = {str(key): str(value) for stream in container.streams.video for key, value in stream.metadata.items()}
        tags |= {str(key): str(value) for key, value in container.metadata.items()}
        return Description(_size(container, turned), camera.of_container(tags))


def audio_sized(file: IO[bytes]) -> Size:
    """Its duration; a cover is no picture of it."""
    with _opened(file, _AUDIO_CONTAINERS) as container:
        return (
            Size(duration_s=_duration_s(container, container.streams.audio[0])) if container.streams.audio else Size()
        )


@contextmanager
def _opened(file: IO[bytes], containers: str = _CONTAINERS) -> Iterator[Any]:
    av.logging.set_level(None)
    file.seek(0)
    options = {"format_whitelist": containers, "protocol_whitelist": "none"}
    with av.open(file, mode="r", options=options, metadata_errors="replace") as container:
        yield container


def _size(container: Any, turned: bool) -> Size:
    streams = [stream for stream in container.streams.video if not _is_cover(stream)]
    if not streams:
        return Size()
    stream = streams[0]
    width, height = stream.codec_context.width, stream.codec_context.height
    duration_s = _duration_s(container, stream)
    if not (0 < width < 2**31 and 0 < height < 2**31):
        return Size(duration_s=duration_s)
    return Size(height, width, duration_s) if turned else Size(width, height, duration_s)


def _duration_s(container: Any, stream: Any) -> float | None:
    duration_s: float | None = None
    if container.duration is not None:
        duration_s = container.duration / 1_000_000
    elif stream.duration is not None and stream.time_base is not None:
        duration_s = float(stream.duration * stream.time_base)
    return round(duration_s, 3) if duration_s is not None and 0 < duration_s < _LONGEST_S else None


def _is_cover(stream: Any) -> bool:
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _is_turned(file: IO[bytes]) -> bool:
    """Whether an ISO media file's first video track is shown turned by a quarter.

    Source: ISO/IEC 14496-12, `tkhd` (matrix) and `hdlr`; the av library gives the matrix with decoded frames only.
    """
    if read_at(file, 0, 8)[4:] not in (b"ftyp", b"moov", b"free", b"skip", b"wide", b"mdat"):
        return False
    end = file.seek(0, io.SEEK_END)
    for moov in boxes(file, 0, end, b"moov"):
        for track in boxes(file, *moov, b"trak"):
            handlers = [
                handler
                for media in boxes(file, *track, b"mdia")
                for handler in boxes(file, *media, b"hdlr")
                if read_at(file, handler[0] + 8, 4) == b"vide"
            ]
            headers = list(boxes(file, *track, b"tkhd")) if handlers else []
            if not headers:
                continue
            start = headers[0][0]
            matrix_at = start + (52 if read_at(file, start, 1) == b"\x01" else 40)
            a, b, _u, c, d = struct.unpack(">5i", read_at(file, matrix_at, 20))
            return bool(a == 0 and d == 0 and b and c)
    return False

"""The process that opens strangers' files: reads their sizes and durations, and may die of them.

`python -m fs_service.probe_child`, its standard input one end of a socket pair. It says hello, then for every
request frame (see `probe.py`) answers one record a file, in order, each as soon as it is known. It decodes no picture:
headers and container metadata only.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import resource
import signal
import socket
import stat
import struct
import sys
import warnings
from collections.abc import Iterator
from functools import cache
from typing import IO, Any, Final

from media_common.formats import RAWS, extension_of
from PIL import Image

from fs_service.domain.items import Probe
from fs_service.domain.media import Kind
from fs_service.probe_wire import HELLO, answer_of, receive_files

# The plugins by name: Pillow's own search would load forty, and ask each.
for _plugin in ("Bmp", "Gif", "Jpeg", "Png", "Tiff", "WebP"):
    importlib.import_module(f"PIL.{_plugin}ImagePlugin")

_MEMORY_BYTES: Final = 2 * 2**30
#: The parent kills sooner; this ends a child whose parent was killed while a file held it.
_BACKSTOP_S: Final = 60
_ORIENTATION: Final = 0x0112
_SIDEWAYS: Final = (5, 6, 7, 8)
_PLAIN: Final = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP")
#: What ffmpeg may take a video for; above all no playlist, which would open other files and addresses.
_CONTAINERS: Final = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,asf,m4v,h264,hevc"


def main() -> None:
    _confine()
    with socket.socket(fileno=0) as parent:
        parent.sendall(HELLO)
        while (files := receive_files(parent)) is not None:
            for path, kind in files:
                signal.setitimer(signal.ITIMER_REAL, _BACKSTOP_S)
                probe = read(path, kind)
                signal.setitimer(signal.ITIMER_REAL, 0)
                parent.sendall(answer_of(probe))


def _confine() -> None:
    os.nice(5)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # the kernel's, since a decoder may never return to Python
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    # A header may say any size; nothing is decoded, so no size is too large.
    Image.MAX_IMAGE_PIXELS = None
    warnings.simplefilter("ignore")


def read(path: bytes, kind: Kind) -> Probe:
    """What the file's header says; all None when it says nothing sensible. Out of memory ends the process."""
    try:
        with _opened(path) as file:
            if kind is Kind.VIDEO:
                return _video(file)
            if extension_of(path) in RAWS:
                return _raw(file) or _image(file)
            return _image(file)
    except MemoryError:
        os._exit(1)
    except Exception:  # noqa: BLE001 - the libraries raise anything at all on hostile bytes; this process is the fence
        return Probe()


@contextlib.contextmanager
def _opened(path: bytes) -> Iterator[IO[bytes]]:
    # O_NONBLOCK: opening a FIFO must not hang. O_NOFOLLOW: where a link leads was asked before; it may be another now.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("not a regular file")
        yield file


def _image(file: IO[bytes]) -> Probe:
    file.seek(0)
    head = file.read(12)
    file.seek(0)
    formats = _modern() if head[4:8] == b"ftyp" else _PLAIN
    with Image.open(file, formats=formats) as image:
        width, height = image.size
        # Pillow has turned a TIFF's size already. A PNG's own `getexif` would decode the whole picture.
        turned = image.format != "TIFF" and Image.Image.getexif(image).get(_ORIENTATION) in _SIDEWAYS
    return _sized(height, width) if turned else _sized(width, height)


@cache
def _modern() -> tuple[str, ...]:
    """HEIF and AVIF; imported when the first such file comes."""
    import pillow_heif

    importlib.import_module("PIL.AvifImagePlugin")
    pillow_heif.register_heif_opener(thumbnails=False)
    return ("AVIF", "HEIF")


def _raw(file: IO[bytes]) -> Probe | None:
    import rawpy

    try:
        # By descriptor: the very file that was checked, whatever bytes its name is of.
        with rawpy.imread(f"/dev/fd/{file.fileno()}") as raw:
            sizes = raw.sizes
            if sizes.flip in (5, 6):
                return _sized(sizes.height, sizes.width)
            return _sized(sizes.width, sizes.height)
    except rawpy.LibRawError:
        return None


def _video(file: IO[bytes]) -> Probe:
    import av

    av.logging.set_level(None)
    turned = _is_turned(file)
    file.seek(0)
    options = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "none"}
    with av.open(file, mode="r", options=options, metadata_errors="replace") as container:
        streams = [stream for stream in container.streams.video if not _is_cover(stream)]
        if not streams:
            return Probe()
        stream = streams[0]
        width, height = stream.codec_context.width, stream.codec_context.height
        duration_s: float | None = None
        if container.duration is not None:
            duration_s = container.duration / 1_000_000
        elif stream.duration is not None and stream.time_base is not None:
            duration_s = float(stream.duration * stream.time_base)
    sized = _sized(height, width) if turned else _sized(width, height)
    if duration_s is None or not 0 < duration_s < 1e9:
        return sized
    return Probe(sized.width_px, sized.height_px, round(duration_s, 3))


def _is_cover(stream: Any) -> bool:
    import av.stream

    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _is_turned(file: IO[bytes]) -> bool:
    """Whether an ISO media file's first video track is shown turned by a quarter.

    Source: ISO/IEC 14496-12, `tkhd` (matrix) and `hdlr`; the av library gives the matrix with decoded frames only.
    """
    file.seek(0)
    if file.read(8)[4:] not in (b"ftyp", b"moov", b"free", b"skip", b"wide", b"mdat"):
        return False
    end = file.seek(0, io.SEEK_END)
    for moov in _boxes(file, 0, end, b"moov"):
        for track in _boxes(file, *moov, b"trak"):
            handlers = [
                handler
                for media in _boxes(file, *track, b"mdia")
                for handler in _boxes(file, *media, b"hdlr")
                if _read_at(file, handler[0] + 8, 4) == b"vide"
            ]
            headers = list(_boxes(file, *track, b"tkhd")) if handlers else []
            if not headers:
                continue
            start = headers[0][0]
            matrix_at = start + (52 if _read_at(file, start, 1) == b"\x01" else 40)
            a, b, _u, c, d = struct.unpack(">5i", _read_at(file, matrix_at, 20))
            return bool(a == 0 and d == 0 and b and c)
    return False


def _boxes(file: IO[bytes], start: int, end: int, wanted: bytes) -> Iterator[tuple[int, int]]:
    """Where the contents of the boxes of one type lie, among the first 10,000 boxes."""
    for _ in range(10_000):
        header = _read_at(file, start, 16)
        if start + 8 > end or len(header) < 8:
            return
        size, kind = struct.unpack_from(">I4s", header)
        skip = 8
        if size == 1 and len(header) == 16:
            (size,) = struct.unpack_from(">Q", header, 8)
            skip = 16
        elif size == 0:
            size = end - start
        if size < skip or start + size > end:
            return
        if kind == wanted:
            yield start + skip, start + size
        start += size


def _read_at(file: IO[bytes], offset: int, length: int) -> bytes:
    file.seek(offset)
    return file.read(length)


def _sized(width: int, height: int) -> Probe:
    if not (0 < width < 2**31 and 0 < height < 2**31):
        return Probe()
    return Probe(width, height)


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        main()
    sys.exit(0)

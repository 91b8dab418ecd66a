"""What an uploaded file is: told by its first bytes, and by its name only where they do not say. Pure.

Text and archives say what they are, whatever they are called: nothing that a browser could run is ever taken for media.
Source: the formats' own specifications; the list of magic numbers of file(1).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from media_common.formats import RAWS, extension_of
from media_common.media_types import type_of
from media_proto import metadata_pb2 as pb

#: So much of a file's beginning is looked at.
HEAD_BYTES: Final = 4096

_TIFF: Final = (b"II*\0", b"MM\0*")
#: Raws that begin as no other file does; the rest are TIFF to the eye.
_OWN_RAWS: Final = (
    (0, b"FUJIFILMCCD-RAW", b"raf"),
    (0, b"FOVb", b"x3f"),
    (0, b"\0MRM", b"mrw"),
    (6, b"HEAPCCDR", b"crw"),
    (8, b"CR\x02", b"cr2"),
    (0, b"IIRO", b"orf"),
    (0, b"IIRS", b"orf"),
    (0, b"MMOR", b"orf"),
    (0, b"IIU\0", b"rw2"),
)
_PLAIN: Final = (
    (0, b"\xff\xd8\xff", b"jpg"),
    (0, b"\x89PNG\r\n\x1a\n", b"png"),
    (0, b"GIF87a", b"gif"),
    (0, b"GIF89a", b"gif"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", b"wmv"),
    (0, b"\0\0\x01\xba", b"mpg"),
    (0, b"\0\0\x01\xb3", b"mpg"),
    (0, b"ID3", b"mp3"),
    (0, b"fLaC", b"flac"),
    (0, b"%PDF-", b"pdf"),
    (0, b"glTF", b"glb"),
    (0, b"ply\n", b"ply"),
    (0, b"ply\r", b"ply"),
)
_RIFF: Final = {b"WEBP": b"webp", b"AVI ": b"avi", b"WAVE": b"wav"}
#: By the brand of an ISO media file; every other brand is MP4.
_BRANDS: Final = {
    b"avif": b"avif",
    b"avis": b"avif",
    b"heic": b"heic",
    b"heix": b"heic",
    b"heim": b"heic",
    b"heis": b"heic",
    b"hevc": b"heic",
    b"hevx": b"heic",
    b"mif1": b"heic",
    b"msf1": b"heic",
    b"crx ": b"cr3",
    b"qt  ": b"mov",
    b"M4A ": b"m4a",
    b"M4B ": b"m4a",
    b"M4V ": b"m4v",
}
_BOXES: Final = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_BMP_HEADERS: Final = (12, 40, 52, 56, 64, 108, 124)
#: These say what they are, and it is nothing that is kept here.
_OTHERS: Final = (
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"\x7fELF",
    b"MZ",
    b"\x1f\x8b",
    b"7z\xbc\xaf\x27\x1c",
    b"Rar!",
    b"\xca\xfe\xba\xbe",
)
#: Three-dimensional models that are text.
_TEXTS: Final = frozenset((b"obj", b"stl", b"ply"))
_TEXT: Final = re.compile(rb"[\t\n\x0b\x0c\r\x1b -~\x80-\xff]*")
_MARKUP: Final = re.compile(rb"[\xef\xbb\xbf\s]*<")

_KINDS: Final = {
    "image": pb.MEDIA_KIND_IMAGE,
    "video": pb.MEDIA_KIND_VIDEO,
    "audio": pb.MEDIA_KIND_AUDIO,
    "model": pb.MEDIA_KIND_MODEL,
    "application": pb.MEDIA_KIND_DOCUMENT,
}


def kind_of(content_type: str) -> pb.MediaKind.ValueType:
    """The catalogue's kind of a type that is kept here."""
    return _KINDS[content_type.partition("/")[0]]


def told(head: bytes, name: str) -> str | None:
    """The media type; None for what is not kept here.

    Args:
        head: the first `HEAD_BYTES` of the file, or all of a smaller one.
        name: as the client calls it; it may be any text.
    """
    by_name = extension_of(name.encode("utf-8", "replace"))
    extension = _by_bytes(head, by_name)
    if extension is None and head and not _says_otherwise(head):
        extension = _of_text(head, by_name) if _is_text(head) else by_name
    return type_of(extension) if extension else None


def is_refused(head: bytes) -> bool:
    """Whether the beginning alone says that it is nothing that is kept here, whatever its name."""
    return _says_otherwise(head) and _by_bytes(head, b"") is None


def _by_bytes(head: bytes, by_name: bytes) -> bytes | None:
    for offset, magic, extension in _OWN_RAWS:
        if head.startswith(magic, offset):
            return by_name if extension == b"rw2" and by_name in RAWS else extension
    if head.startswith(_TIFF):
        return by_name if by_name in RAWS else b"tif"
    for offset, magic, extension in _PLAIN:
        if head.startswith(magic, offset):
            return extension
    for look in _LOOKS:
        if (found := look(head)) is not None:
            return found
    return None


def _riff(head: bytes) -> bytes | None:
    return _RIFF.get(head[8:12]) if head.startswith(b"RIFF") else None


def _iso(head: bytes) -> bytes | None:
    """ISO/IEC 14496-12: a first box `ftyp` with its brands; QuickTime files of old have none."""
    if head[4:8] in _BOXES:
        return b"mov"
    if head[4:8] != b"ftyp":
        return None
    major = head[8:12]
    if major in (b"mif1", b"msf1"):
        size = min(int.from_bytes(head[:4], "big"), len(head))
        compatible = {head[at : at + 4] for at in range(16, size, 4)}
        return b"avif" if compatible & {b"avif", b"avis"} else b"heic"
    if major[:2] in (b"3g",):
        return b"3gp"
    return _BRANDS.get(major, b"mp4")


def _matroska(head: bytes) -> bytes | None:
    if not head.startswith(b"\x1a\x45\xdf\xa3"):
        return None
    return b"webm" if b"webm" in head[:64] else b"mkv"


def _transport_stream(head: bytes) -> bytes | None:
    """A sync byte every packet: 188 bytes, or 192 with a time code in front."""
    for first, step in ((0, 188), (4, 192)):
        if len(head) > first + 3 * step and all(head[first + n * step] == 0x47 for n in range(4)):
            return b"mts"
    return None


def _bmp(head: bytes) -> bytes | None:
    if head.startswith(b"BM") and len(head) >= 18 and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return b"bmp"
    return None


def _ogg(head: bytes) -> bytes | None:
    """Sound only; the first page names the codec."""
    if not head.startswith(b"OggS"):
        return None
    return b"ogg" if any(codec in head[:128] for codec in (b"vorbis", b"OpusHead", b"FLAC", b"Speex")) else b""


def _mpeg_audio(head: bytes) -> bytes | None:
    """An MPEG audio or ADTS frame header whose fields are none of the reserved ones."""
    if len(head) < 4 or head[0] != 0xFF:
        return None
    if head[1] & 0xF6 == 0xF0:
        return b"aac"
    layer, rate, sampling = head[1] >> 1 & 3, head[2] >> 4, head[2] >> 2 & 3
    is_frame = head[1] & 0xE0 == 0xE0 and head[1] >> 3 & 3 != 1 and layer == 1 and rate not in (0, 15) and sampling != 3
    return b"mp3" if is_frame else None


_LOOKS: Final[tuple[Callable[[bytes], bytes | None], ...]] = (
    _riff, _iso, _matroska, _transport_stream, _bmp, _ogg, _mpeg_audio,
)  # fmt: skip


def _says_otherwise(head: bytes) -> bool:
    return head.startswith(_OTHERS) or _MARKUP.match(head) is not None


def _is_text(head: bytes) -> bool:
    return _TEXT.fullmatch(head) is not None


def _of_text(head: bytes, by_name: bytes) -> bytes | None:
    """Of text, only the models that are written as such, by name."""
    return by_name if by_name in _TEXTS else None

"""Where a file's thumbnail is kept and what makes it fresh: the freedesktop thumbnail layout inside each root.

`<root>/.thumbnails/<bucket>/<md5 of the file URI>.png`. Reading and writing both follow no link. The worker writes,
the file service reads.
Source: the freedesktop.org Thumbnail Managing Standard (names, text keys); one bucket a size is our addition.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
import struct
import zlib
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote_from_bytes, unquote_to_bytes

from media_common import beneath

FOLDER: Final = b".thumbnails"
SOFTWARE: Final = "Framewell"
#: The folders that hold thumbnails; `.thumbnails` may hold other things of other programs.
_BUCKET: Final = re.compile(rb"normal|large|x-large|xx-large|size-[1-9][0-9]{0,3}")
_NAMED: Final = {128: b"normal", 256: b"large", 512: b"x-large", 1024: b"xx-large"}
_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_END: Final = b"\0\0\0\0IEND\xae\x42\x60\x82"


def uri_of(path: bytes) -> str:
    """The percent-encoded `file://` URI of an absolute path."""
    return "file://" + quote_from_bytes(path, safe="/")


def bucket_of(size_px: int) -> bytes:
    """The sub-folder of one size; no two sizes share a file."""
    return _NAMED.get(size_px, b"size-%d" % size_px)


def is_bucket(name: bytes) -> bool:
    """Whether a folder in `.thumbnails` is one of ours."""
    return _BUCKET.fullmatch(name) is not None


def path_of(uri: str) -> bytes | None:
    """The absolute path that a `file://` URI names; None for any other text. The inverse of `uri_of`."""
    path = unquote_to_bytes(uri.removeprefix("file://"))
    return path if uri.startswith("file:///") and uri_of(path) == uri and b"\0" not in path else None


def name_of(path: bytes) -> bytes:
    """The thumbnail's file name for an absolute source path."""
    return hashlib.md5(uri_of(path).encode("ascii")).hexdigest().encode("ascii") + b".png"


@dataclass(frozen=True, slots=True)
class Source:
    """The facts of a source file that its thumbnail must match."""

    path: bytes  # absolute
    mtime_ns: int
    size_bytes: int


def text_chunks(source: Source) -> dict[str, str]:
    """The PNG text entries of a thumbnail."""
    return {
        "Thumb::URI": uri_of(source.path),
        "Thumb::MTime": str(source.mtime_ns // 1_000_000_000),
        "Thumb::Size": str(source.size_bytes),
        "Software": SOFTWARE,
    }


def with_text(png: bytes, entries: dict[str, str]) -> bytes:
    """The same PNG with tEXt chunks right behind its header."""
    header_end = len(_SIGNATURE) + 4 + 4 + 13 + 4
    chunks = b"".join(
        _chunk(b"tEXt", key.encode("latin-1") + b"\0" + value.encode("latin-1")) for key, value in entries.items()
    )
    return png[:header_end] + chunks + png[header_end:]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def read_text(png: bytes) -> dict[str, str]:
    """The tEXt entries before the picture data; a broken file has none."""
    entries: dict[str, str] = {}
    at = len(_SIGNATURE)
    if not png.startswith(_SIGNATURE):
        return entries
    while at + 8 <= len(png):
        (length,) = struct.unpack_from(">I", png, at)
        kind = png[at + 4 : at + 8]
        if kind in (b"IDAT", b"IEND"):
            break
        if kind == b"tEXt":
            key, _, value = png[at + 8 : at + 8 + length].partition(b"\0")
            entries[key.decode("latin-1")] = value.decode("latin-1")
        at += 12 + length
    return entries


def read_fresh(base: bytes, source: Source, size_px: int) -> bytes | None:
    """The stored thumbnail if it is of exactly this source state.

    Args:
        base: the folder that holds `.thumbnails` (a root, or the state directory's stand-in for it).
    """
    try:
        with beneath.root(base) as base_fd:
            descriptor = beneath.open_file(base_fd, b"/".join((FOLDER, bucket_of(size_px), name_of(source.path))))
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(file.fileno())
        if facts.st_mtime_ns != source.mtime_ns:
            return None
        png = file.read()
    # A power cut can leave a renamed file short; the end chunk tells.
    if not png.endswith(_END) or read_text(png).get("Thumb::Size") != str(source.size_bytes):
        return None
    return png


def store(base: bytes, source: Source, size_px: int, png: bytes) -> None:
    """Write the thumbnail beside its name, set the source's mtime, rename: a reader sees all of it or none.

    Raises:
        OSError: the folder cannot be written, or a link stands in the way.
    """
    bucket, name = bucket_of(size_px), name_of(source.path)
    with beneath.root(base) as base_fd:
        thumbnails_fd = _made(base_fd, FOLDER)
        try:
            bucket_fd = _made(thumbnails_fd, bucket)
        finally:
            os.close(thumbnails_fd)
    try:
        temporary = b".%s.%d.%s" % (name, os.getpid(), os.urandom(4).hex().encode("ascii"))
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, 0o600, dir_fd=bucket_fd)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(png)
                file.flush()
                os.utime(file.fileno(), ns=(source.mtime_ns, source.mtime_ns))
            os.rename(temporary, name, src_dir_fd=bucket_fd, dst_dir_fd=bucket_fd)
        except BaseException:
            os.unlink(temporary, dir_fd=bucket_fd)
            raise
    finally:
        os.close(bucket_fd)


def _made(parent: int, name: bytes) -> int:
    """A descriptor of the real (not linked) folder, made when missing."""
    try:
        return beneath.open_folder(parent, [name])
    except FileNotFoundError:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=parent)
        return beneath.open_folder(parent, [name])


def is_writable(base: bytes) -> bool:
    """Whether thumbnails can be kept there: a real, writable directory whose `.thumbnails` is no link."""
    try:
        with beneath.root(base) as base_fd:
            if not os.access(b".", os.W_OK | os.X_OK, dir_fd=base_fd):
                return False
            try:
                facts = os.stat(FOLDER, dir_fd=base_fd, follow_symlinks=False)
            except FileNotFoundError:
                return True
            return stat.S_ISDIR(facts.st_mode) and os.access(FOLDER, os.W_OK | os.X_OK, dir_fd=base_fd)
    except OSError:
        return False

"""The file of a backup: a tar, gzipped when its name says so, of a few members with fixed names.

    about.json     first: the form of the archive, who made it and when
    ...            what `MEMBERS` names, and uploads as blobs/ab/cd/<sha-256>
    manifest.json  last: size and SHA-256 of each; uploads are counted, for each is named after what it holds

Nothing else is accepted: only these names, plain files, each once. What the members hold is no business of this module.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

from media_common import kept
from media_common.kept import KeptFile

from gateway.auth import KEY_FILE
from gateway.secret_file import SIGNING_KEY_FILE

#: Raised when a reader of the form before could not read it, or would not put it where it belongs. Since 2 uploads that
#: were in S3 are in the archive, and all that the catalogue names.
FORM: Final = 2
#: What `about.json` says beside the form; `uploads` is where they were, or that they were left out.
TOLD: Final = ("version", "createdAt", "uploads")
IN_FOLDER: Final = "folder"
IN_S3: Final = "s3"
LEFT_OUT: Final = "left out"
#: In place of a file's name: standard output, or input.
STREAM: Final = Path("-")
ABOUT: Final = "about.json"
MANIFEST: Final = "manifest.json"
KEY_FILES: Final = (KEY_FILE, SIGNING_KEY_FILE)
DATABASES: Final = (kept.JOURNAL, kept.CATALOGUE)
BLOBS: Final = "blobs"

_TELLING_CHARS: Final = 100
_SMALL: Final = 16 * 1024 * 1024
#: The most bytes of a member; None: what the disk has room for.
MEMBERS: Final[dict[str, int | None]] = {
    ABOUT: _SMALL,
    MANIFEST: _SMALL,
    **dict.fromkeys(kept.CONFIG_FILES, _SMALL),
    **dict.fromkeys(KEY_FILES, 4096),
    **dict.fromkeys((one.name for one in DATABASES), None),
}
#: Members of the state directory, beside uploads.
HELD: Final = tuple(name for name in MEMBERS if name not in (ABOUT, MANIFEST))
_BLOB: Final = re.compile(rf"{BLOBS}/([0-9a-f]{{2}})/([0-9a-f]{{2}})/((?:\1\2)[0-9a-f]{{60}})")
_BLOCK: Final = tarfile.BLOCKSIZE
_GZIP: Final = b"\x1f\x8b"
#: Uploads are compressed as they are, and databases shrink well at any level.
_LEVEL: Final = 1


class Damaged(Exception):
    """The file is no backup, or not as it was written; the text is a sentence."""


@dataclass
class Contents:
    """What went into an archive, or came out of one."""

    about: dict[str, Any] = field(default_factory=dict)
    members: dict[str, dict[str, Any]] = field(default_factory=dict)  # bytes and sha256, by name
    blob_count: int = 0
    blob_bytes: int = 0
    #: Of the names of the uploads, in their order: a missing one is noticed.
    blob_names: Any = field(default_factory=hashlib.sha256)

    def note(self, name: str, size_bytes: int, digest: str) -> None:
        if _BLOB.fullmatch(name):
            self.blob_count += 1
            self.blob_bytes += size_bytes
            self.blob_names.update(name.encode())
        elif name != MANIFEST:  # which cannot tell its own
            self.members[name] = {"bytes": size_bytes, "sha256": digest}

    def manifest(self) -> dict[str, Any]:
        blobs = {"count": self.blob_count, "bytes": self.blob_bytes, "namesSha256": self.blob_names.hexdigest()}
        return {"members": dict(self.members), "blobs": blobs}


class Sink(Protocol):
    """Where the bytes of a member go."""

    def write(self, data: bytes, /) -> object: ...


class Writer:
    """Members one after the other, each announced with its size; then `finish`."""

    def __init__(self, out: Sink, about: dict[str, Any], time_s: float) -> None:
        self.contents = Contents(about={"form": FORM, **about})
        self._out = out
        self._time_s = int(time_s)
        self._name = ""
        self._is_open = False
        self._left = 0
        self._size = 0
        self._hash = hashlib.sha256()
        self._whole(ABOUT, _json(self.contents.about))

    def add(self, part: KeptFile | bytes) -> None:
        """
        Raises:
            Damaged: a member is not as long as it was said to be, or must not be in an archive; an upload is not what
                it is named after.
        """
        if isinstance(part, KeptFile):
            self._refuse_unfinished()
            self._begin(part.name, part.size_bytes)
        else:
            self._left -= len(part)
            if self._left < 0:
                raise Damaged(f"{self._name} grew while it was read.")
            self._hash.update(part)
            self._out.write(part)
        if self._is_open and not self._left:
            self._end()

    def finish(self) -> Contents:
        """The manifest and the end of the archive."""
        self._refuse_unfinished()
        self._whole(MANIFEST, _json(self.contents.manifest()))
        self._out.write(bytes(2 * _BLOCK))
        return self.contents

    def _whole(self, name: str, content: bytes) -> None:
        self.add(KeptFile(name, len(content)))
        self.add(content)

    def _begin(self, name: str, size_bytes: int) -> None:
        _check(name, size_bytes)
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = size_bytes, 0o600, self._time_s
        # The GNU form has room for any size in the header itself.
        self._out.write(info.tobuf(tarfile.GNU_FORMAT))
        self._name, self._left, self._size, self._hash = name, size_bytes, size_bytes, hashlib.sha256()
        self._is_open = True

    def _refuse_unfinished(self) -> None:
        if self._is_open:
            raise Damaged(f"{self._name} ended before its time.")

    def _end(self) -> None:
        digest = self._hash.hexdigest()
        if (sha256 := blob_of(self._name)) is not None and sha256.hex() != digest:
            raise Damaged(f"The bytes of {self._name} are not those that it is named after.")
        self._out.write(bytes(-self._size % _BLOCK))
        self.contents.note(self._name, self._size, digest)
        self._is_open = False


def blob_name(sha256: bytes) -> str:
    """The member of an upload."""
    name = sha256.hex()
    return f"{BLOBS}/{name[:2]}/{name[2:4]}/{name}"


def blob_of(name: str) -> bytes | None:
    """The SHA-256 of the upload that a member is; None: it is another."""
    found = _BLOB.fullmatch(name)
    return bytes.fromhex(found[3]) if found else None


def holds_uploads(about: Mapping[str, Any]) -> bool:
    """Whether all that the catalogue names are in the archive, from what it says of itself."""
    in_first_form = about["form"] == 1 and about["uploads"] == IN_S3
    return about["uploads"] != LEFT_OUT and not in_first_form


@contextmanager
def compressing(out: BinaryIO, *, gzipped: bool) -> Iterator[Sink]:
    """`out` itself, or gzip into it."""
    if gzipped:
        with gzip.GzipFile("", "wb", _LEVEL, out) as packed:
            yield packed
    else:
        yield out


class Source(Protocol):
    """What an archive is read from: fewer bytes may come than were asked for, and none at its end."""

    def read(self, size: int, /) -> bytes: ...


class _Begun:
    """A source with the bytes that were taken from it in front: a stream cannot be put back."""

    def __init__(self, head: bytes, rest: Source) -> None:
        self._head = head
        self._rest = rest

    def read(self, size: int) -> bytes:
        if not self._head:
            return self._rest.read(size)
        head, self._head = self._head[:size], self._head[size:]
        return head


def read(archive: Source, take: Callable[[str, int], Sink | None]) -> Contents:
    """Go through an archive from end to end and compare everything with its manifest.

    Args:
        take: from a member's name and size, where its bytes go (None: nowhere). Called in the archive's order; what was
            given before is complete then.
    Raises:
        Damaged: at the first thing that is not as it should be; what was taken until then is not to be trusted.
    """
    try:
        head = archive.read(2)
        source = _Begun(head, archive)
        if head != _GZIP:
            return _read(source, take)
        with gzip.GzipFile(fileobj=source) as unpacked:  # type: ignore[call-overload]  # it reads, and no more
            return _read(unpacked, take)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Damaged("The archive is damaged: it is cut off, or bytes of it have changed.") from error


def _read(source: Source, take: Callable[[str, int], Sink | None]) -> Contents:
    contents, small = Contents(), {ABOUT: b"", MANIFEST: b""}
    last = ""
    while last != MANIFEST:
        name, size_bytes = _header(_exactly(source, _BLOCK, last or "the archive"), first=not last)
        if not last and name != ABOUT:
            raise Damaged("This is no backup of Framewell.")
        if name in contents.members or (name == ABOUT and last):
            raise Damaged(f"The archive holds {name} twice.")
        digest = hashlib.sha256()
        sink = None if name in small else take(name, size_bytes)
        left = size_bytes
        while left:
            piece = _exactly(source, min(left, kept.PIECE_BYTES), name)
            left -= len(piece)
            digest.update(piece)
            if name in small:
                small[name] += piece
            elif sink is not None:
                sink.write(piece)
        _exactly(source, -size_bytes % _BLOCK, name)
        if (sha256 := blob_of(name)) is not None and sha256 != digest.digest():
            raise Damaged(f"The archive is damaged: the bytes of {name} have changed.")
        if name == ABOUT:
            contents.about = _about(small[ABOUT])
        contents.note(name, size_bytes, digest.hexdigest())
        last = name
    _compare(contents, small[MANIFEST])
    while rest := source.read(kept.PIECE_BYTES):
        if rest.strip(b"\0"):
            raise Damaged("The archive is damaged: there is something behind its end.")
    return contents


def _header(block: bytes, first: bool) -> tuple[str, int]:
    """Name and size of the member that begins here."""
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    except (tarfile.HeaderError, ValueError) as error:
        if first:
            raise Damaged("This is no backup of Framewell.") from error
        raise Damaged("The archive is damaged: a member's header cannot be read.") from error
    if info.type != tarfile.REGTYPE:
        raise Damaged(f"The archive holds {info.name!r}, which is no plain file.")
    _check(info.name, info.size)
    return info.name, info.size


def _check(name: str, size_bytes: int) -> None:
    """
    Raises:
        Damaged: no archive holds such a member.
    """
    if name in MEMBERS:
        limit = MEMBERS[name]
    elif _BLOB.fullmatch(name):
        limit = None
    else:
        raise Damaged(f"The archive holds {name!r}, which is no part of a backup.")
    if size_bytes < 0 or (limit is not None and size_bytes > limit):
        raise Damaged(f"{name} is larger than it can be.")


def _exactly(source: Source, count: int, name: str) -> bytes:
    data = source.read(count)
    while len(data) < count:
        more = source.read(count - len(data))
        if not more:
            raise Damaged(f"The archive is cut off within or behind {name}.")
        data += more
    return data


def _about(content: bytes) -> dict[str, Any]:
    about = _object(content, ABOUT)
    form = about.get("form")
    if type(form) is not int or form < 1 or not all(_is_telling(about.get(name)) for name in TOLD):
        raise Damaged("This is no backup of Framewell.")
    if form > FORM:
        made_by = about.get("version")
        raise Damaged(
            f"The archive has form {form}, made by Framewell {made_by}; this Framewell reads forms up to {FORM}. "
            "Restore it with the program that made it, or a newer one."
        )
    return {"form": form, **{name: about[name] for name in TOLD}}


def _is_telling(value: object) -> bool:
    """Whether it can be printed on any terminal: no control characters, no lone surrogates."""
    return isinstance(value, str) and len(value) <= _TELLING_CHARS and value.isprintable()


def _compare(contents: Contents, manifest: bytes) -> None:
    told = _object(manifest, MANIFEST)
    found = contents.manifest()
    members = told.get("members")
    if not isinstance(members, dict):
        raise Damaged(f"The archive is damaged: {MANIFEST} lists nothing.")
    for name in sorted(members.keys() | found["members"].keys()):
        if name not in found["members"]:
            raise Damaged(f"The archive is damaged: {name} is missing.")
        if members.get(name) != found["members"][name]:
            raise Damaged(f"The archive is damaged: the bytes of {name} have changed.")
    if told.get("blobs") != found["blobs"]:
        raise Damaged("The archive is damaged: uploads are missing.")


def _object(content: bytes, name: str) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Damaged(f"The archive is damaged: {name} cannot be read.") from error
    if not isinstance(value, dict):
        raise Damaged(f"The archive is damaged: {name} cannot be read.")
    return value


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, indent=1).encode() + b"\n"


def opened(file: Path) -> BinaryIO:
    """To be read once from its beginning; `STREAM` is standard input.

    Raises:
        Damaged: it cannot be opened.
    """
    try:
        return os.fdopen(os.dup(0), "rb") if file == STREAM else file.open("rb")
    except OSError as error:
        raise Damaged(f"{file} cannot be read: {error.strerror}.") from error

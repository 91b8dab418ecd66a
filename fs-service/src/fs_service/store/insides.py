"""What is inside files, for a reader that keeps a catalogue: descriptions, and hashes of their whole content.

An answer names the very file that it is of, so that the reader can tell whether that is still the one it knows.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from media_common.dates import dated_us
from media_common.errors import ServiceError

from fs_service.domain.errors import FileChanged, NotMedia, PathMissing, StorageFailed
from fs_service.domain.items import Described, Description, Hashed, Identity
from fs_service.domain.media import Kind, is_hidden, kind_of
from fs_service.domain.paths import normalised
from fs_service.domain.ports import Describer, Place, Roots
from fs_service.store.files import Files
from fs_service.store.reach import Reached, groups, held
from fs_service.store.rows import Facts, Row, key_of, relative_of, signed

logger = logging.getLogger(__name__)

#: Large: each chunk is a hop out of the interpreter and back, and beside hashing costs nothing.
_CHUNK_BYTES: Final = 2**20
#: Hashes given at once, and how long one waits for others; a caller that leaves is noticed as often.
_BATCH: Final = 64
_BATCH_S: Final = 0.25
#: A file system's clock may tick as slowly as this: a change within the tick of the one before leaves no trace.
_TICK_NS: Final = 50_000_000

Answer: TypeAlias = Description | ServiceError


class Insides:
    """Reads inside media files of the review roots."""

    def __init__(
        self,
        roots: Roots,
        describer: Describer,
        files: Files,
        learned: Callable[[Mapping[bytes, Facts]], None] = lambda found: None,
    ) -> None:
        """
        Args:
            learned: told what was found, by path: nobody needs to look at these files again.
        """
        self._learned = learned
        self._roots = roots
        self._describer = describer
        self._files = files

    def describe(self, paths: Sequence[bytes]) -> list[Answer]:
        """What each file says of itself, or why there is no knowing, in the order given."""
        answers: dict[int, Answer] = {}
        by_root: dict[bytes, dict[int, Row]] = {}
        for number, path in enumerate(paths):
            try:
                place, kind = self._media(path)
                by_root.setdefault(place.root, {})[number] = _row(place.relative, kind, link=False)
            except ServiceError as error:
                answers[number] = error
        for root, rows in by_root.items():
            answers |= self._below(root, rows)
        return [answers[number] for number in range(len(paths))]

    def _below(self, root: bytes, rows: Mapping[int, Row]) -> dict[int, Answer]:
        answers: dict[int, Answer] = {}
        try:
            for group in groups(rows):
                answers |= self._read(root, group)
            # What is no regular file may be a link to one.
            links = {n: _row(relative_of(row.key), Kind(row.kind), True) for n, row in rows.items() if n not in answers}
            for group in groups(links):
                answers |= self._read(root, group)
        except ServiceError as error:
            return {number: answers.get(number, error) for number in rows}
        return {number: answers.get(number) or PathMissing() for number in rows}

    def _read(self, root: bytes, rows: Mapping[int, Row]) -> dict[int, Answer]:
        """Of those that are there."""
        with held(self._roots, root, rows.values()) as files:
            there = [(number, file) for number, file in zip(rows, files, strict=True) if file is not None]
            found = self._describer.describe([(file.path, Kind(rows[number].kind)) for number, file in there])
        answers: dict[int, Answer] = {}
        learned: dict[bytes, Facts] = {}
        for (number, file), one in zip(there, found, strict=True):
            if one is None:
                answers[number] = StorageFailed("No process could be started to read the file.")
                continue
            identity = one.identity or _identity(file)
            answers[number] = Description(one.probe, one.camera, identity)
            path = root.rstrip(b"/") + b"/" + relative_of(rows[number].key)
            learned[path] = _facts(one, identity, file.created_us)
        try:
            self._learned(learned)
        except ServiceError as error:  # who asked gets the answer all the same
            logger.warning("what was read is not kept: %s", error.message)
        return answers

    def hashes(self, paths: Sequence[bytes]) -> Iterator[list[tuple[bytes, Hashed | ServiceError]]]:
        """Each file's hash, or why it has none, in the order given; a list may be empty while a big file is read."""
        ready: list[tuple[bytes, Hashed | ServiceError]] = []
        given = time.monotonic()
        buffer = memoryview(bytearray(_CHUNK_BYTES))
        for path in paths:
            try:
                place, _ = self._media(path)
                with self._files.opened(place) as descriptor:
                    before = _settled(os.fstat(descriptor))
                    digest = hashlib.sha256()
                    for chunk in _chunks(descriptor, buffer):
                        digest.update(chunk)
                        if time.monotonic() - given > _BATCH_S:
                            yield ready
                            ready, given = [], time.monotonic()
                    if _stamp(os.fstat(descriptor)) != _stamp(before):
                        raise FileChanged
                ready.append((path, Hashed(digest.digest(), _identity_of(before))))
            except ServiceError as error:
                ready.append((path, error))
            if len(ready) >= _BATCH or time.monotonic() - given > _BATCH_S:
                yield ready
                ready, given = [], time.monotonic()
        if ready:
            yield ready

    def _media(self, path: bytes) -> tuple[Place, Kind]:
        place = self._roots.place(normalised(path))
        folders, _, name = place.relative.rpartition(b"/")
        kind = kind_of(name)
        if kind is None or any(is_hidden(part) for part in folders.split(b"/")):
            raise NotMedia
        return place, kind


def _chunks(descriptor: int, buffer: memoryview) -> Iterator[memoryview]:
    """The file's bytes, each chunk in the buffer and good until the next."""
    offset = 0
    try:
        while count := os.preadv(descriptor, [buffer], offset):
            yield buffer[:count]
            offset += count
    except OSError as error:
        raise StorageFailed("The disk could not read the file.") from error


def _settled(facts: os.stat_result) -> os.stat_result:
    """Raises FileChanged: so lately that a further change might not show."""
    if 0 <= time.time_ns() - facts.st_ctime_ns < _TICK_NS:
        raise FileChanged
    return facts


def _stamp(facts: os.stat_result) -> tuple[int, int, int, int]:
    # The time of change cannot be set by anybody, unlike that of modification.
    return facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns


def _facts(one: Described, identity: Identity, created_us: int) -> Facts:
    return Facts(
        signed(identity.inode),
        identity.size_bytes,
        signed(identity.mtime_ns),
        created_us,
        one.probe.width_px,
        one.probe.height_px,
        one.probe.duration_s,
        dated_us(one.camera.taken_us, identity.mtime_ns // 1000),
    )


def _identity(file: Reached) -> Identity:
    return _identity_of(file.facts)


def _identity_of(facts: os.stat_result) -> Identity:
    return Identity(facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns)


def _row(relative: bytes, kind: Kind, link: bool) -> Row:
    """As `held` takes them; what is known of the file does not matter."""
    return Row(key_of(relative), int(kind), 0, link, None, 0, 0, 0, None, None, None)

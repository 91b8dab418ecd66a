"""Uploads on their way into an archive and back into the blob store, be that a folder or S3.

Nothing here removes one. What is in the store is compared by reading it: a name and a size say little about bytes.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import suppress
from typing import Final

from media_common.blobs import BlobMissing, BlobStore, BlobWriter, Listed, StoreUnreachable
from media_common.kept import KeptFile

from gateway.command.archive import Damaged, Sink, Writer, blob_name
from gateway.command.stack import Refused

#: So long may the store be away in the middle of a backup: hours of work are not lost by a restart of it.
PATIENCE_S: Final = 60.0
_PAUSE_S: Final = 0.5
#: From here on it takes long and much room, which is said beforehand.
MUCH_BYTES: Final = 10 * 10**9
#: Of many missing ones so many are told one by one.
_TOLD: Final = 5

#: The id of an item, by the SHA-256 of its bytes.
Named = Mapping[bytes, bytes]


async def add_uploads(
    writer: Writer, store: BlobStore, named: Named, *, room_bytes: int | None, tell: Callable[[str], None]
) -> None:
    """Every blob of the store goes into the archive.

    Args:
        named: those that the catalogue in the archive names. The others may be gone when their turn comes.
        room_bytes: free where the archive is written; None: nobody knows.
        tell: given a sentence when it will take long.
    Raises:
        Refused: one that is named is not in the store, or has changed there; or there is no room.
        ServiceError: the store does not answer, or fails.
    """
    stored = list(store.listed())
    _refuse_missing(named, named.keys() - {one.sha256 for one in stored})
    size_bytes = sum(one.size_bytes for one in stored)
    told = f"{len(stored):,} uploads of {size_bytes:,} bytes"
    if room_bytes is not None and size_bytes > room_bytes:
        raise Refused(f"There is no room for {told}: {room_bytes:,} bytes are free. --without-blobs leaves them out.")
    if size_bytes > MUCH_BYTES:
        tell(f"{told} go into the backup, which takes a while; --without-blobs leaves them out.")
    for blob in stored:
        await _add(writer, store, blob, named)


async def _add(writer: Writer, store: BlobStore, blob: Listed, named: Named) -> None:
    announced = KeptFile(blob_name(blob.sha256), blob.size_bytes)
    is_begun = False
    try:
        async for piece in _read(store, blob):
            if not is_begun:
                writer.add(announced)
                is_begun = True
            writer.add(piece)
        if not is_begun:  # it is empty
            writer.add(announced)
    except BlobMissing:
        if is_begun or blob.sha256 in named:
            _refuse_missing(named, {blob.sha256})
    except Damaged as error:
        raise Refused(
            f"The bytes of {_spoken(blob.sha256, named)} have changed in the blob store, and a restore would refuse "
            "the backup. Upload the same file again, or delete it and purge."
        ) from error


async def _read(store: BlobStore, blob: Listed) -> AsyncIterator[bytes]:
    """A blob's bytes, from where it was when the store goes away and comes back."""
    clock = asyncio.get_running_loop().time
    done, heard_s = 0, clock()
    while True:
        try:
            for piece in store.read(blob.sha256, done, blob.size_bytes - done):
                yield piece
                done, heard_s = done + len(piece), clock()
            return
        except StoreUnreachable:
            if clock() - heard_s > PATIENCE_S:
                raise
        await asyncio.sleep(_PAUSE_S)


def _refuse_missing(named: Named, missing: Collection[bytes]) -> None:
    if not missing:
        return
    first = ", ".join(_spoken(sha256, named) for sha256 in sorted(missing)[:_TOLD])
    more = f" and {len(missing) - _TOLD} more" if len(missing) > _TOLD else ""
    hint = (
        "Are S3_ENDPOINT and S3_BUCKET what Framewell runs with?"
        if len(missing) == len(named)
        else "Upload the same files again, or delete them and purge; --without-blobs leaves all out."
    )
    raise Refused(f"The catalogue names uploads whose bytes are not in the blob store: {first}{more}. {hint}")


def _spoken(sha256: bytes, named: Named) -> str:
    """`framewell resolve` takes the id."""
    return f"{named[sha256].hex()} (SHA-256 {sha256.hex()})" if sha256 in named else f"SHA-256 {sha256.hex()}"


class PutBack:
    """Writes uploads out of an archive into the store: those that are not there, or not as they should be.

    Given to `archive.read` as `take`, for members in their order; then `settle`.
    """

    def __init__(self, store: BlobStore) -> None:
        self.written = 0
        self.present = 0
        self._store = store
        self._writer: BlobWriter | None = None
        self._sha256 = b""
        self._size_bytes = 0

    def take(self, sha256: bytes, size_bytes: int) -> Sink | None:
        """Where the bytes of an upload go; None: they are in the store already.

        Raises:
            Refused: the store did not keep the one before.
            ServiceError
        """
        self.settle()
        if self._is_whole(sha256, size_bytes):
            self.present += 1
            return None
        self._sha256, self._size_bytes, self._writer = sha256, size_bytes, self._store.writer()
        return self._writer

    def settle(self) -> None:
        """The upload before is complete.

        Raises:
            Refused: the store did not keep it.
            ServiceError
        """
        writer, self._writer = self._writer, None
        if writer is None:
            return
        try:
            writer.commit()
        finally:
            writer.discard()
        if not self._is_whole(self._sha256, self._size_bytes):
            raise Refused(f"The blob store did not keep {_spoken(self._sha256, {})} as it was given.")
        self.written += 1

    def discard(self) -> None:
        """Leave nothing of one that is not complete."""
        if self._writer is not None:
            self._writer.discard()
            self._writer = None

    def _is_whole(self, sha256: bytes, size_bytes: int) -> bool:
        digest = hashlib.sha256()
        with suppress(BlobMissing):
            if self._store.size(sha256) == size_bytes:
                for piece in self._store.read(sha256, 0, size_bytes):
                    digest.update(piece)
                return digest.digest() == sha256
        return False

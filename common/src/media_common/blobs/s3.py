"""Blobs as objects of one S3 bucket: `blobs/<sha-256 in hex>`, thumbnails of them as
`thumbnails/<sha-256>-<size>.png`, frames of videos as `frames/<item>/<millisecond>.jpg`, and what is on its way in as
`incoming/<random>`.

The bytes are sent in parts as they come and hashed on the way; at the end the server copies the object to its name.
The same bytes again replace the object with themselves.
"""

from __future__ import annotations

import hashlib
import io
import queue
import re
import secrets
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Final, cast
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.commonconfig import CopySource
from minio.error import MinioException, S3Error

from media_common.blobs import CHUNK_BYTES, BlobMissing, Listed, Stored, StoreFailed, StoreUnreachable, removal

INCOMING: Final = "incoming/"
BLOBS: Final = "blobs/"
THUMBNAILS: Final = "thumbnails/"
FRAMES: Final = "frames/"
#: A part is held in memory until it is sent; ten thousand of them are the largest object: 80 GB.
_PART_BYTES: Final = 8 * 1024 * 1024
#: Chunks that may wait for the sender.
_AHEAD: Final = 4
#: No upload takes so long; what is older was left by a process that died.
_ABANDONED: Final = timedelta(days=2)
_CONNECT_S: Final = 3.0
_READ_S: Final = 60.0
_CONNECTIONS: Final = 16
_NAME: Final = re.compile(r"[0-9a-f]{64}")
_MISSING: Final = frozenset(("NoSuchKey", "NoSuchBucket", "NoSuchObject", "InvalidRange"))


class S3Store:
    """Implements `BlobStore`. The bucket is made when something is first written."""

    def __init__(self, endpoint: str, access_key: str, secret_key: str, bucket: str, region: str = "") -> None:
        parts = urlsplit(endpoint)
        self._bucket = bucket
        self._pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=_CONNECT_S, read=_READ_S),
            maxsize=_CONNECTIONS,
            retries=urllib3.Retry(total=2, backoff_factor=0.2, status_forcelist=(500, 502, 503, 504)),
        )
        self._client = Minio(
            parts.netloc,
            access_key=access_key,
            secret_key=secret_key,
            secure=parts.scheme == "https",
            region=region or None,
            http_client=self._pool,
        )
        self._has_bucket = False

    def writer(self) -> S3Writer:
        with _server():
            self._ensure_bucket()
        return S3Writer(self._client, self._bucket)

    def size(self, sha256: bytes) -> int:
        with _server():
            return self._client.stat_object(self._bucket, _key(sha256)).size or 0

    def read(self, sha256: bytes, offset: int, length: int) -> Iterator[bytes]:
        if not length:
            self.size(sha256)
            return
        with _server():
            answer = self._client.get_object(self._bucket, _key(sha256), offset=offset, length=length)
            try:
                left = length
                for data in answer.stream(CHUNK_BYTES):
                    left -= len(data)
                    yield data
                if left:
                    raise BlobMissing
            finally:
                answer.close()
                answer.release_conn()

    @contextmanager
    def local(self, sha256: bytes) -> Iterator[Path]:
        with tempfile.NamedTemporaryFile(prefix="framewell-blob-") as file:
            for data in self.read(sha256, 0, self.size(sha256)):
                try:
                    file.write(data)
                except OSError as error:
                    raise StoreFailed((error.strerror or "the disk fails").lower()) from error
            file.flush()
            yield Path(file.name)

    def thumbnail(self, sha256: bytes, size_px: int) -> bytes | None:
        return self._whole(_thumbnail_key(sha256, size_px))

    def keep_thumbnail(self, sha256: bytes, size_px: int, png: bytes) -> None:
        with _server():
            key = _thumbnail_key(sha256, size_px)
            self._client.put_object(self._bucket, key, io.BytesIO(png), len(png), "image/png")

    def frame(self, item_id: int, at_ms: int) -> bytes | None:
        return self._whole(_frame_key(item_id, at_ms))

    def keep_frames(self, item_id: int, jpegs: Mapping[int, bytes]) -> None:
        named = {_frame_key(item_id, at_ms): jpeg for at_ms, jpeg in jpegs.items()}
        with _server():
            self._ensure_bucket()
            for key, jpeg in named.items():
                self._client.put_object(self._bucket, key, io.BytesIO(jpeg), len(jpeg), "image/jpeg")
            stale = [key for key in self._frame_keys(item_id) if key not in named]
            removal.remove_objects(self._client, self._bucket, stale)

    def framed(self) -> Iterator[int]:
        with suppress(BlobMissing), _server():
            for one in self._client.list_objects(self._bucket, FRAMES):
                name = (one.object_name or "").removeprefix(FRAMES).removesuffix("/")
                if name.isdecimal():
                    yield int(name)

    def drop_frames(self, item_id: int) -> None:
        with suppress(BlobMissing), _server():
            removal.remove_objects(self._client, self._bucket, self._frame_keys(item_id))

    def listed(self) -> Iterator[Listed]:
        with suppress(BlobMissing), _server():
            for one in self._client.list_objects(self._bucket, BLOBS):
                name = (one.object_name or "").removeprefix(BLOBS)
                if _NAME.fullmatch(name) and one.last_modified is not None:
                    yield Listed(bytes.fromhex(name), one.size or 0, one.last_modified.timestamp())

    def remove(self, blob: Listed) -> bool:
        """S3 has no lock: an upload of the very bytes between the look and the deletion would be lost. That is
        milliseconds in the life of a blob that nobody wanted for an hour."""
        with suppress(BlobMissing), _server():
            found = self._client.stat_object(self._bucket, _key(blob.sha256))
            # The listing's time has fractions of a second, an object's own has none.
            if found.last_modified is None or found.last_modified.timestamp() > blob.written_s + 1:
                return False
            thumbnails = self._client.list_objects(self._bucket, THUMBNAILS + blob.sha256.hex())
            names = [one.object_name for one in thumbnails if one.object_name]
            removal.remove_objects(self._client, self._bucket, [_key(blob.sha256), *names])
            return True
        return False

    def close(self) -> None:
        self._pool.clear()

    def _ensure_bucket(self) -> None:
        if not self._has_bucket:
            if not self._client.bucket_exists(self._bucket):
                self._client.make_bucket(self._bucket)
            self._has_bucket = True

    def _whole(self, key: str) -> bytes | None:
        """A small object."""
        with suppress(BlobMissing), _server():
            answer = self._client.get_object(self._bucket, key)
            try:
                return answer.read() or None
            finally:
                answer.close()
                answer.release_conn()
        return None

    def _frame_keys(self, item_id: int) -> list[str]:
        found = self._client.list_objects(self._bucket, _frames_of(item_id))
        return [one.object_name for one in found if one.object_name]

    def incoming(self) -> int:
        """How many uploads are under way or abandoned."""
        with _server():
            return sum(1 for _ in self._client.list_objects(self._bucket, INCOMING))

    def drop_abandoned(self) -> int:
        oldest = datetime.now(UTC) - _ABANDONED
        with suppress(BlobMissing), _server():
            left = [
                one.object_name
                for one in self._client.list_objects(self._bucket, INCOMING)
                if one.object_name and one.last_modified is not None and one.last_modified < oldest
            ]
            removal.remove_objects(self._client, self._bucket, left)
            return len(left)
        return 0


class S3Writer:
    """Implements `BlobWriter`. The client pulls from a stream, so it has a thread, and `write` waits for its turn."""

    def __init__(self, client: Minio, bucket: str) -> None:
        self._client = client
        self._bucket = bucket
        self._key = INCOMING + secrets.token_hex(16)
        self._hash = hashlib.sha256()
        self._size = 0
        self._stream = _Stream()
        self._error: BaseException | None = None
        self._over = False
        self._sender = threading.Thread(target=self._send, name="s3-upload", daemon=True)
        self._sender.start()

    def write(self, data: bytes) -> None:
        self._hash.update(data)
        self._size += len(data)
        if data and not self._stream.put(bytes(data)):
            self._raise()

    def commit(self) -> Stored:
        self._stream.put(b"")
        self._sender.join()
        self._raise()
        digest = self._hash.digest()
        try:
            with _server():
                if self._client.stat_object(self._bucket, self._key).size != self._size:
                    raise StoreFailed("the server did not keep what it was given")
                is_new = not _exists(self._client, self._bucket, _key(digest))
                # By the server itself; in parts when it is larger than one copy may be.
                self._client.copy_object(self._bucket, _key(digest), CopySource(self._bucket, self._key))
        finally:
            self.discard()
        return Stored(digest, self._size, is_new)

    def discard(self) -> None:
        if self._over:
            return
        self._over = True
        self._stream.fail()
        self._sender.join()
        with suppress(StoreUnreachable, BlobMissing), _server():
            removal.remove_objects(self._client, self._bucket, [self._key])

    def _send(self) -> None:
        try:
            # Broken off, the client aborts the parts it has sent.
            self._client.put_object(
                self._bucket,
                self._key,
                cast(BinaryIO, self._stream),
                -1,
                part_size=_PART_BYTES,
                num_parallel_uploads=1,
            )
        except Exception as error:  # noqa: BLE001 - told by the next call
            self._error = error
        finally:
            self._stream.close()

    def _raise(self) -> None:
        if self._error is not None:
            with _server():
                raise self._error


class _Discarded(Exception):
    """What ends the client's upload."""


class _Stream:
    """Between two threads: one puts, one reads; never more than a few chunks in between."""

    def __init__(self) -> None:
        self._chunks: queue.Queue[bytes] = queue.Queue(_AHEAD)
        self._rest = b""
        self._ended = False
        self._failed = threading.Event()
        self._closed = threading.Event()

    def put(self, chunk: bytes) -> bool:
        """An empty one ends the stream. Whether there still is a reader."""
        while not self._closed.is_set():
            try:
                self._chunks.put(chunk, timeout=0.2)
            except queue.Full:
                continue
            return True
        return False

    def fail(self) -> None:
        """The reader is to break off."""
        self._failed.set()

    def close(self) -> None:
        """Nobody reads any more."""
        self._closed.set()

    def read(self, size: int = -1) -> bytes:
        while not self._rest and not self._ended:
            if self._failed.is_set():
                raise _Discarded
            try:
                self._rest = self._chunks.get(timeout=0.2)
            except queue.Empty:
                continue
            self._ended = not self._rest
        part, self._rest = self._rest[:size], self._rest[size:]
        return part


def _key(sha256: bytes) -> str:
    return BLOBS + sha256.hex()


def _thumbnail_key(sha256: bytes, size_px: int) -> str:
    return f"{THUMBNAILS}{sha256.hex()}-{size_px}.png"


def _frames_of(item_id: int) -> str:
    return f"{FRAMES}{item_id}/"


def _frame_key(item_id: int, at_ms: int) -> str:
    return f"{_frames_of(item_id)}{at_ms}.jpg"


def _exists(client: Minio, bucket: str, key: str) -> bool:
    try:
        client.stat_object(bucket, key)
    except S3Error as error:
        if error.code in _MISSING:
            return False
        raise
    return True


@contextmanager
def _server() -> Iterator[None]:
    """The client's failures as the port's."""
    try:
        yield
    except S3Error as error:
        if error.code in _MISSING:
            raise BlobMissing from error
        raise StoreUnreachable from error
    except (MinioException, urllib3.exceptions.HTTPError, OSError) as error:
        raise StoreUnreachable from error

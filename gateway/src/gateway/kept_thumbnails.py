"""Thumbnails that the gateway has had lately, in memory. Never served on their own word: the file service is asked
every time, and what is saved is only that the picture travels between the two once more."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from media_proto import fs_pb2

#: A screenful of large thumbnails, or some hundred usual ones.
LIMIT_BYTES: Final = 24 * 2**20

Key = tuple[bytes, int]  # path, size in pixels


class KeptThumbnails:
    """The most recently asked for, up to a number of bytes."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._bytes = 0
        self._kept: OrderedDict[Key, fs_pb2.Thumbnail] = OrderedDict()

    def etag(self, key: Key) -> str:
        """Of what is kept; empty when nothing is."""
        kept = self._kept.get(key)
        return kept.etag if kept is not None else ""

    def settle(self, key: Key, callers_etags: str, answer: fs_pb2.Thumbnail) -> fs_pb2.Thumbnail:
        """What the caller is told, given the service's answer to the caller's tags and the kept one's.

        Args:
            callers_etags: comma-separated.
        """
        if answer.placeholder:
            self._drop(key)
            return answer
        if not answer.not_modified:
            self._drop(key)
            if answer.etag and 0 < len(answer.png) <= self._limit_bytes // 8:
                self._keep(key, answer)
            return answer
        if answer.etag in callers_etags.split(","):
            return answer
        kept = self._kept[key]
        self._kept.move_to_end(key)
        return kept

    def _keep(self, key: Key, answer: fs_pb2.Thumbnail) -> None:
        kept = fs_pb2.Thumbnail()
        kept.CopyFrom(answer)
        kept.cache_hit = True
        self._kept[key] = kept
        self._bytes += len(kept.png)
        while self._bytes > self._limit_bytes:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= len(oldest.png)

    def _drop(self, key: Key) -> None:
        if (kept := self._kept.pop(key, None)) is not None:
            self._bytes -= len(kept.png)

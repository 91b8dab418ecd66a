"""The collection that a request names, asked for at most every two seconds."""

from __future__ import annotations

import time
from typing import Final

from media_common.errors import ErrorCode
from media_proto import metadata_pb2 as pb

from gateway.access import Access
from gateway.catalogue import CatalogueClient
from gateway.errors import Failure

#: Only what hardly ever changes is read from it: its number, and where an imported one's files are.
TTL_S: Final = 2.0
_MOST: Final = 1024


class KnownCollections:
    """By the name that requests use: a slug or an id."""

    def __init__(self, catalogue: CatalogueClient) -> None:
        self._catalogue = catalogue
        self._known: dict[str, tuple[pb.Collection, float]] = {}

    async def named(self, name: str, access: Access) -> pb.Collection:
        """
        Raises:
            Failure: 404, there is none; 403, the caller is limited to others.
        """
        collection, asked_at = self._known.get(name, (None, 0.0))
        now = time.monotonic()
        if collection is None or now - asked_at > TTL_S:
            self._known.pop(name, None)
            collection = await self._catalogue.collection(_text(name))
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[name] = (collection, now)
        access.require_collection(collection.id)
        return collection


def _text(name: str) -> str:
    """A name that no message can carry is nobody's.

    Raises:
        Failure: 404.
    """
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise Failure(404, ErrorCode.COLLECTION_NOT_FOUND, "There is no such collection.") from error
    return name

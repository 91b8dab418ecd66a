"""Where the files of an imported collection are: on a server of its own, below two addresses."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote_from_bytes

from media_proto import metadata_pb2 as pb

_ABSOLUTE: Final = re.compile(rb"https?://", re.IGNORECASE)
#: What a part of an address may hold as it is (RFC 3986, pchar), and the slashes between the parts.
_AS_IS: Final = "/!$&'()*+,;=:@~"
#: In a whole address also what parts it, and what was encoded when it was written.
_AS_IS_IN_ADDRESS: Final = _AS_IS + "?#[]%"


def original(collection: pb.Collection, uri: bytes) -> str | None:
    """None: it has no file, or the collection came without addresses."""
    return joined(collection.originals_url, uri)


def thumbnail(collection: pb.Collection, uri: bytes, thumbnail_uri: str) -> str | None:
    """An item without a thumbnail shows itself."""
    if not thumbnail_uri:
        return original(collection, uri)
    return joined(collection.thumbnails_url, thumbnail_uri.encode())


def joined(base_url: str, uri: bytes) -> str | None:
    """One absolute address, with one slash between its halves, encoded once; None when there is nothing to join."""
    if _ABSOLUTE.match(uri):
        return quote_from_bytes(uri, safe=_AS_IS_IN_ADDRESS)
    name = uri.lstrip(b"/")
    if not base_url or not name:
        return None
    return f"{base_url.rstrip('/')}/{quote_from_bytes(name, safe=_AS_IS)}"

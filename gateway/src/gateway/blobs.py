"""Addresses of media bytes that work without a key for a while: signed, so that nobody can make one up."""

from __future__ import annotations

import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import blake2b
from hmac import compare_digest
from typing import Final, Literal, NamedTuple

from media_common.errors import ErrorCode
from starlette.requests import Request

from gateway.errors import Failure

Face = Literal["file", "thumb"]

#: The signed text is `<face letter>.<item id>.<expiry in ms>`, all of it fit for an address as it is.
_LETTERS: Final[dict[Face, str]] = {"file": "f", "thumb": "t"}
_FACES: Final[dict[str, Face]] = {letter: face for face, letter in _LETTERS.items()}
#: An address stays the same for this part of its life, so that a browser's cache knows it again.
_STEPS: Final = 60


class Blob(NamedTuple):
    """What an address stands for."""

    face: Face
    item_id: int


class BlobSigner:
    """Makes and reads the tokens."""

    def __init__(self, key: str, ttl_s: int, clock: Callable[[], float] = time.time) -> None:
        self._key = blake2b(key.encode(), person=b"framewell.blob", digest_size=32).digest()
        self._ttl_ms = ttl_s * 1000
        self._step_ms = max(1, self._ttl_ms // _STEPS)
        self._clock = clock

    def token(self, face: Face, item_id: int) -> str:
        expires_ms = (int(self._clock() * 1000) + self._ttl_ms) // self._step_ms * self._step_ms + self._step_ms
        text = f"{_LETTERS[face]}.{item_id}.{expires_ms}"
        return f"{text}~{self._signature(text)}"

    def read(self, token: str) -> Blob:
        """
        Raises:
            Failure: 403, it is not one of ours or its time is over.
        """
        try:
            text, _, signature = token.partition("~")
            if not compare_digest(signature.encode(), self._signature(text).encode()):
                raise ValueError("not signed by us")
            letter, item_id, expires_ms = text.split(".")
        except ValueError:
            raise Failure(403, ErrorCode.OUTSIDE_ROOTS, "This address is not one of ours.") from None
        if self._clock() * 1000 >= int(expires_ms):
            raise Failure(403, ErrorCode.OUTSIDE_ROOTS, "This address has expired; ask for the item again.")
        return Blob(_FACES[letter], int(item_id))

    def _signature(self, text: str) -> str:
        """Keyed BLAKE2b (RFC 7693): a page of a hundred items has two hundred, and HMAC costs five times as much."""
        digest = blake2b(text.encode(), key=self._key, digest_size=20).digest()
        return urlsafe_b64encode(digest).decode("ascii").rstrip("=")


class BlobAddresses:
    """The absolute addresses, as this request's caller reaches the server."""

    def __init__(self, signer: BlobSigner, request: Request) -> None:
        scheme = request.headers.get("x-forwarded-proto", "").strip().lower()
        if scheme not in ("http", "https"):
            scheme = request.scope["scheme"]
        self._base = f"{scheme}://{request.headers['host']}/blob/"
        self._signer = signer

    def file(self, item_id: int) -> str:
        return self._base + self._signer.token("file", item_id)

    def thumbnail(self, item_id: int) -> str:
        return self._base + self._signer.token("thumb", item_id)

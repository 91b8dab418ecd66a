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

#: An address is `<face letter>.<item id>.<expiry in ms>~<signature>`, all of it fit for an address as it is.
_LETTERS: Final[dict[Face, str]] = {"file": "f", "thumb": "t"}
_FACES: Final[dict[str, Face]] = {letter: face for face, letter in _LETTERS.items()}
#: Bytes of a signature, and the characters they make: no padding.
_SIZE: Final = 21
_LENGTH: Final = 28
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

    def expiry_ms(self) -> int:
        """When an address made now ends."""
        return (int(self._clock() * 1000) + self._ttl_ms) // self._step_ms * self._step_ms + self._step_ms

    def token(self, face: Face, item_id: int) -> str:
        return dict(zip(_LETTERS, self.tokens(item_id, self.expiry_ms()), strict=True))[face]

    def tokens(self, item_id: int, expires_ms: int) -> tuple[str, str]:
        """Of file and thumbnail: they are asked for together, and one digest holds the signatures of both."""
        text = f"{item_id}.{expires_ms}"
        file, thumb = self._signatures(text)
        return f"f.{text}~{file}", f"t.{text}~{thumb}"

    def read(self, token: str) -> Blob:
        """
        Raises:
            Failure: 403, it is not one of ours or its time is over.
        """
        try:
            named, _, signature = token.partition("~")
            letter, _, text = named.partition(".")
            own = dict(zip(_FACES, self._signatures(text), strict=True)).get(letter, "")
            if not own or not compare_digest(signature.encode(), own.encode()):
                raise ValueError("not signed by us")
            item_id, expires_ms = text.split(".")
        except ValueError:
            raise Failure(403, ErrorCode.OUTSIDE_ROOTS, "This address is not one of ours.") from None
        if self._clock() * 1000 >= int(expires_ms):
            raise Failure(403, ErrorCode.OUTSIDE_ROOTS, "This address has expired; ask for the item again.")
        return Blob(_FACES[letter], int(item_id))

    def _signatures(self, text: str) -> tuple[str, str]:
        """Of file and thumbnail. Keyed BLAKE2b (RFC 7693): HMAC costs five times as much, and a page of a hundred items
        has a hundred of them."""
        digest = blake2b(text.encode(), key=self._key, digest_size=2 * _SIZE).digest()
        both = urlsafe_b64encode(digest).decode("ascii")
        return both[:_LENGTH], both[_LENGTH:]


class BlobAddresses:
    """The absolute addresses, as this request's caller reaches the server."""

    def __init__(self, signer: BlobSigner, request: Request) -> None:
        scheme = request.headers.get("x-forwarded-proto", "").strip().lower()
        if scheme not in ("http", "https"):
            scheme = request.scope["scheme"]
        self._base = f"{scheme}://{request.headers['host']}/blob/"
        self._signer = signer
        self._expires_ms = signer.expiry_ms()

    def file(self, item_id: int) -> str:
        return self.both(item_id)[0]

    def thumbnail(self, item_id: int) -> str:
        return self.both(item_id)[1]

    def both(self, item_id: int) -> tuple[str, str]:
        """Of the file and of its thumbnail."""
        file, thumbnail = self._signer.tokens(item_id, self._expires_ms)
        return self._base + file, self._base + thumbnail

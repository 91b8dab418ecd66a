"""Addresses of media bytes that work without a key for a while: signed, so that nobody can make one up."""

from __future__ import annotations

import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from hashlib import blake2b
from hmac import compare_digest
from typing import Final, Literal, NamedTuple

from media_common.errors import ErrorCode
from starlette.requests import Request

from gateway.errors import Failure

Face = Literal["file", "thumb", "frame"]

#: An address is `<face letter>.<item id>.<expiry in ms>~<signature>`, all of it fit for an address as it is.
_LETTERS: Final[dict[Face, str]] = {"file": "f", "thumb": "t", "frame": "m"}
_FACES: Final[dict[str, Face]] = {letter: face for face, letter in _LETTERS.items()}
#: Bytes of a signature, and the characters they make: no padding.
_SIZE: Final = 21
_LENGTH: Final = 28
#: An address stays the same for this part of its life, so that a browser's cache knows it again.
_STEPS: Final = 60
#: Items whose addresses are kept; 300 bytes each.
_MOST_MADE: Final = 20_000


class Blob(NamedTuple):
    """What an address stands for."""

    face: Face
    item_id: int  # of a frame: its own


class BlobSigner:
    """Makes and reads the tokens."""

    def __init__(self, key: str, ttl_s: int, clock: Callable[[], float] = time.time) -> None:
        self._key = blake2b(key.encode(), person=b"framewell.blob", digest_size=32).digest()
        self._frame_key = blake2b(key.encode(), person=b"framewell.frame", digest_size=32).digest()
        self._ttl_ms = ttl_s * 1000
        self._step_ms = max(1, self._ttl_ms // _STEPS)
        self._clock = clock
        #: Of file and thumbnail of items that were asked for lately, all of the same expiry.
        self._made: dict[int, tuple[str, str]] = {}
        self._made_until_ms = 0

    def expiry_ms(self) -> int:
        """When an address made now ends."""
        return (int(self._clock() * 1000) + self._ttl_ms) // self._step_ms * self._step_ms + self._step_ms

    def token(self, face: Face, item_id: int) -> str:
        return self.token_until(face, item_id, self.expiry_ms())

    def token_until(self, face: Face, item_id: int, expires_ms: int) -> str:
        text = f"{item_id}.{expires_ms}"
        return f"{_LETTERS[face]}.{text}~{self._signature(face, text)}"

    def tokens(self, item_ids: Sequence[int], expires_ms: int) -> list[tuple[str, str]]:
        """Of file and thumbnail of each: they are asked for together, and of the same items again and again."""
        if expires_ms != self._made_until_ms or len(self._made) > _MOST_MADE:
            self._made, self._made_until_ms = {}, expires_ms
        made = self._made
        if missing := [item_id for item_id in item_ids if item_id not in made]:
            made.update(zip(missing, self._tokens(missing, expires_ms), strict=True))
        return [made[item_id] for item_id in item_ids]

    def _tokens(self, item_ids: Sequence[int], expires_ms: int) -> list[tuple[str, str]]:
        texts = [f"{item_id}.{expires_ms}" for item_id in item_ids]
        return [
            (f"f.{text}~{file}", f"t.{text}~{thumb}")
            for text, (file, thumb) in zip(texts, self._signatures(texts), strict=True)
        ]

    def read(self, token: str) -> Blob:
        """
        Raises:
            Failure: 403, it is not one of ours or its time is over.
        """
        try:
            named, _, signature = token.partition("~")
            letter, _, text = named.partition(".")
            face = _FACES.get(letter)
            if face is None or not compare_digest(signature.encode(), self._signature(face, text).encode()):
                raise ValueError("not signed by us")
            item_id, expires_ms = text.split(".")
        except ValueError:
            raise Failure(403, ErrorCode.OUTSIDE_ROOTS, "This address is not one of ours.") from None
        if self._clock() * 1000 >= int(expires_ms):
            raise Failure(403, ErrorCode.OUTSIDE_ROOTS, "This address has expired; ask for the item again.")
        return Blob(face, int(item_id))

    def _signature(self, face: Face, text: str) -> str:
        if face == "frame":
            digest = blake2b(text.encode(), key=self._frame_key, digest_size=_SIZE).digest()
            return urlsafe_b64encode(digest).decode("ascii")
        file, thumb = self._signatures([text])[0]
        return file if face == "file" else thumb

    def _signatures(self, texts: Sequence[str]) -> list[tuple[str, str]]:
        """Of file and thumbnail of each, in one digest. Keyed BLAKE2b (RFC 7693): HMAC costs five times as much, and a
        page of a hundred items has a hundred of them."""
        key, size = self._key, 2 * _SIZE
        digests = [blake2b(text.encode(), key=key, digest_size=size).digest() for text in texts]
        # In one go: a digest makes a whole number of characters.
        signed = urlsafe_b64encode(b"".join(digests)).decode("ascii")
        return [
            (signed[at : at + _LENGTH], signed[at + _LENGTH : at + 2 * _LENGTH])
            for at in range(0, len(signed), 2 * _LENGTH)
        ]


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

    def frame(self, frame_id: int) -> str:
        """Of what a video shows at that moment."""
        return self._base + self._signer.token_until("frame", frame_id, self._expires_ms)

    def both(self, item_id: int) -> tuple[str, str]:
        """Of the file and of its thumbnail."""
        return self.of_each([item_id])[0]

    def of_each(self, item_ids: Sequence[int]) -> list[tuple[str, str]]:
        """Of the file and of its thumbnail, of each."""
        base = self._base
        return [(base + file, base + thumb) for file, thumb in self._signer.tokens(item_ids, self._expires_ms)]

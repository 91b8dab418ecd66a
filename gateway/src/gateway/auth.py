"""Who is calling: the admin key, the keys of the catalogue, the cookie of the web page, and the rule for callers on
this machine that send none."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import grpc
from media_common.errors import ErrorCode
from media_common.grpc_client import error_code_of
from media_proto import metadata_pb2 as pb

from gateway.access import ADMIN, LOCAL, Access
from gateway.catalogue import CatalogueClient
from gateway.dialects import Dialect
from gateway.errors import Failure
from gateway.hosts import is_loopback_address, is_loopback_name
from gateway.secret_file import kept_secret
from gateway.session_cookie import cookie_key, local_token

KEY_FILE: Final = "admin.key"
#: How long an answer of the catalogue about a key is good for, and so how long a revoked one goes on.
KEY_TTL_S: Final = 2.0
#: Keys remembered, wrong ones too.
_MAX_KNOWN: Final = 4096
#: Dialects whose own clients always send a key.
_ALWAYS_KEYED: Final = frozenset((Dialect.COREVIZ, Dialect.WICKSON))
#: A proxy on this machine speaks for somebody else: what any of the usual ones adds to a request.
_FORWARDED: Final = frozenset(
    (
        *("forwarded", "via", "cdn-loop", "cf-connecting-ip", "fastly-client-ip", "fly-client-ip", "true-client-ip"),
        *("x-client-ip", "x-cluster-client-ip", "x-envoy-external-address", "x-original-host", "x-real-ip"),
        *("x-forwarded", "x-forwarded-by", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port"),
        *("x-forwarded-prefix", "x-forwarded-proto", "x-forwarded-server", "x-forwarded-ssl"),
    )
)
#: nginx that was told nothing but where to pass requests to calls by that address and adds no header; it speaks this,
#: which no browser and no client has done for decades.
_OF_PROXIES: Final = "1.0"


def admin_key(preset: str, state_dir: Path) -> str:
    """The preset key, else the one kept in the state directory, made at first start with mode 600.

    Raises:
        SettingsError: the file is there and cannot be used.
    """
    return preset or kept_secret(state_dir / KEY_FILE, "an admin key", "fw_")


@dataclass(frozen=True)
class Caller:
    """Where a request comes from, as far as the rule about keys cares."""

    peer: str | None  # address of the other end of the connection
    host: str  # name in the Host header
    http_version: str = "1.1"
    is_embedded: bool = False  # a page of another site asks, by the caller's browser

    def is_local(self, headers: Mapping[str, str]) -> bool:
        """On this machine, talking to it by a loopback name, with no proxy between that could be told from it, and of
        its own will."""
        return (
            self.peer is not None
            and is_loopback_address(self.peer)
            and is_loopback_name(self.host)
            and self.http_version != _OF_PROXIES
            and not self.is_embedded
            and _FORWARDED.isdisjoint(headers)
        )


class Keys:
    """The rule: a key that is sent must be right; without one only a local caller is served, in two dialects."""

    def __init__(
        self, admin: str, mode: Literal["auto", "required"], catalogue: CatalogueClient, signing_key: str
    ) -> None:
        self._admin = admin.encode()
        self.local_token = local_token(signing_key)
        self._local_needs_none = mode == "auto"
        self._catalogue = catalogue
        # By digest, so that no secret is kept: what it may do (None: it is no key), and when that was asked.
        self._known: OrderedDict[bytes, tuple[Access | None, float]] = OrderedDict()

    async def check(self, headers: Mapping[str, str], caller: Caller, dialect: Dialect) -> Access:
        """Let the caller in, with what it may do.

        Raises:
            Failure: 401; 503 when only the catalogue could tell and it does not answer.
        """
        if sent := sent_key(headers):
            access = await self._of_key(sent)
            if access is None:
                raise _unauthorized("The key is not valid.", "invalid")
            return access
        is_local = self._local_needs_none and caller.is_local(headers)
        # A browser sends its cookie unasked, so one that is not good any more is as none.
        if cookie := cookie_key(headers):
            if is_local and hmac.compare_digest(cookie.encode(), self.local_token.encode()):
                return LOCAL
            if (access := await self._of_key(cookie)) is not None:
                return access
        if is_local and dialect not in _ALWAYS_KEYED:
            return LOCAL
        raise _unauthorized("A key is required.", "missing")

    def forget(self) -> None:
        """Ask the catalogue about every key again: one was revoked."""
        self._known.clear()

    async def _of_key(self, sent: str) -> Access | None:
        if hmac.compare_digest(sent.encode("latin-1", "replace"), self._admin):
            return ADMIN
        return await self._of_catalogue(sent)

    async def _of_catalogue(self, secret: str) -> Access | None:
        if not self._catalogue.is_set_up:
            return None
        digest = hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
        known = self._known.get(digest)
        if known is not None and time.monotonic() - known[1] < KEY_TTL_S:
            return known[0]
        try:
            request = pb.CheckKeyRequest(secret=secret)
            access: Access | None = Access.of_key(await self._catalogue.ask(self._catalogue.stub.CheckKey, request))
        except grpc.aio.AioRpcError as error:
            if error_code_of(error) is not ErrorCode.KEY_NOT_FOUND:
                raise
            access = None
        self._known[digest] = (access, time.monotonic())
        self._known.move_to_end(digest)
        if len(self._known) > _MAX_KNOWN:
            self._known.popitem(last=False)
        return access


def sent_key(headers: Mapping[str, str]) -> str:
    """The key in `X-Api-Key` or `Authorization: Bearer`; an empty header counts as missing. Another scheme is a key
    that is wrong."""
    if key := headers.get("x-api-key", "").strip():
        return key
    authorization = headers.get("authorization", "").strip()
    scheme, _, value = authorization.partition(" ")
    return value.strip() if scheme.lower() == "bearer" else authorization


def _unauthorized(message: str, reason: str) -> Failure:
    details = {"header": "X-Api-Key", "reason": reason}
    return Failure(401, "unauthorized", message, details, {"WWW-Authenticate": "Bearer"})

"""Who is calling: the admin key, and the rule for callers on this machine that send none.

Named keys with scopes come with the catalogue; until then the one key may do everything.
"""

from __future__ import annotations

import hmac
import logging
import os
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from media_common.config import SettingsError

from gateway.dialects import Dialect
from gateway.errors import Failure
from gateway.hosts import is_loopback_address, is_loopback_name

logger = logging.getLogger(__name__)

KEY_FILE: Final = "admin.key"
#: Dialects whose own clients always send a key.
_ALWAYS_KEYED: Final = frozenset((Dialect.COREVIZ, Dialect.WICKSON))
#: A proxy on this machine speaks for somebody else.
_FORWARDED: Final = ("x-forwarded-for", "forwarded", "x-real-ip", "x-forwarded-host")


def admin_key(preset: str, state_dir: Path) -> str:
    """The preset key, else the one kept in the state directory, made at first start with mode 600.

    Raises:
        SettingsError: the file is there and cannot be used.
    """
    if preset:
        return preset
    file = state_dir / KEY_FILE
    try:
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not file.exists():
            _make(file)
            logger.warning("made an admin key; it is in %s", file)
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            logger.warning("%s can be read by others; its mode should be 600", file)
        key = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"The admin key in {file} cannot be used: {error}.") from error
    if not key:
        raise SettingsError(f"The admin key in {file} is empty; remove the file and a new one is made.")
    return key


def _make(file: Path) -> None:
    """Write a new key whole or not at all; one that somebody else made in the meantime stays."""
    temporary = file.with_name(f".{KEY_FILE}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as out:
            out.write(f"fw_{secrets.token_urlsafe(32)}\n")
            out.flush()
            os.fsync(out.fileno())
        try:
            os.link(temporary, file)
        except FileExistsError:
            return
    finally:
        temporary.unlink()


@dataclass(frozen=True)
class Caller:
    """Where a request comes from, as far as the rule about keys cares."""

    peer: str | None  # address of the other end of the connection
    host: str  # name in the Host header

    def is_local(self, headers: Mapping[str, str]) -> bool:
        """On this machine, talking to it by a loopback name, with no proxy between."""
        return (
            self.peer is not None
            and is_loopback_address(self.peer)
            and is_loopback_name(self.host)
            and not any(name in headers for name in _FORWARDED)
        )


class Keys:
    """The rule: a key that is sent must be right; without one only a local caller is served, in two dialects."""

    def __init__(self, admin: str, mode: Literal["auto", "required"]) -> None:
        self._admin = admin.encode()
        self._local_needs_none = mode == "auto"

    def check(self, headers: Mapping[str, str], caller: Caller, dialect: Dialect) -> None:
        """Let the caller in.

        Raises:
            Failure: 401.
        """
        sent = sent_key(headers)
        if sent:
            if not hmac.compare_digest(sent.encode("latin-1", "replace"), self._admin):
                raise _unauthorized("The key is not valid.", "invalid")
            return
        if self._local_needs_none and dialect not in _ALWAYS_KEYED and caller.is_local(headers):
            return
        raise _unauthorized("A key is required.", "missing")


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

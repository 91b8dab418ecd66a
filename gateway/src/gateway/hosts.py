"""Who may name this server, and from where a browser may change things: the Host check (DNS rebinding) and the
cross-site check (CSRF)."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

import grpc

from gateway.dialects import Dialect
from gateway.errors import Failure

_HOST: Final = re.compile(r"(\[[0-9a-fA-F:.%]+\]|[A-Za-z0-9_.-]+)(?::([0-9]{1,5}))?")
_SAFE_METHODS: Final = frozenset(("GET", "HEAD", "OPTIONS", "TRACE"))
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}
#: How long a list of trusted hosts is good for; an edit of config.yaml shows within it.
TRUSTED_TTL_S: Final = 5.0


@lru_cache(maxsize=1024)
def split_host(value: str) -> tuple[str, str] | None:
    """`(name in lower case, port or "")` of a Host header; None when it is none."""
    found = _HOST.fullmatch(value)
    if not found:
        return None
    name, port = found.groups()
    return name.strip("[]").rstrip(".").lower(), port or ""


def is_loopback_name(name: str) -> bool:
    """`localhost` and the addresses of this machine's loopback interface."""
    return name == "localhost" or is_loopback_address(name)


@lru_cache(maxsize=1024)
def is_loopback_address(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped.is_loopback
    return parsed.is_loopback


class Hosts:
    """The names this server answers to: loopback, the address it was told to listen on, the trusted hosts."""

    def __init__(
        self, listen_host: str, trusted: Callable[[], Awaitable[Sequence[str]]], always: Sequence[str] = ()
    ) -> None:
        """
        Args:
            trusted: asks for the setting; it is asked only for names that are not known, at most every 5 s.
            always: trusted whatever the setting says.
        """
        own = listen_host.strip("[]").lower()
        self._own = _names(always) | (frozenset() if own in ("0.0.0.0", "::", "") else frozenset((own,)))
        self._ask = trusted
        self._trusted: frozenset[str] = frozenset()
        self._asked_at = float("-inf")
        self._lock = asyncio.Lock()

    async def check(self, host: str) -> str:
        """The name in the Host header, without its port.

        Raises:
            Failure: 400, it is not one of ours.
        """
        parts = split_host(host)
        if parts is not None:
            name = parts[0]
            if is_loopback_name(name) or name in self._own or name in await self._trusted_names():
                return name
        raise Failure(
            400,
            "untrusted_host",
            "The Host header is not one that this server answers to; add it to server.trusted_hosts in config.yaml.",
        )

    async def _trusted_names(self) -> frozenset[str]:
        async with self._lock:
            if time.monotonic() - self._asked_at > TRUSTED_TTL_S:
                try:
                    names = await self._ask()
                except (Failure, grpc.aio.AioRpcError):
                    names = tuple(self._trusted)
                self._trusted = _names(names)
                self._asked_at = time.monotonic()
            return self._trusted


def _names(hosts: Sequence[str]) -> frozenset[str]:
    """Of `name` or `name:port`, as a Host header is read."""
    return frozenset(parts[0] for host in hosts if (parts := split_host(host)))


def check_same_site(
    method: str, headers: Mapping[str, str], host: str, dialect: Dialect, allowed: frozenset[str]
) -> None:
    """Refuse a change that a browser says another site asked for. Programs send none of the headers and pass.

    Raises:
        Failure: 403.
    """
    if method in _SAFE_METHODS or _is_allowed(headers, dialect, allowed):
        return
    origin, site = headers.get("origin"), headers.get("sec-fetch-site", "").lower()
    if origin is None and not site:
        # A browser of before either was sent; it sends its cookies whatever SameSite says.
        origin = headers.get("referer") or None
    if site in ("cross-site", "same-site") or (origin is not None and not _same(origin, host)):
        raise Failure(403, "cross_site", "A request that changes something must not come from another site.")


def is_embedded_elsewhere(headers: Mapping[str, str], dialect: Dialect, allowed: frozenset[str]) -> bool:
    """Whether a browser says that a page of another site asks, for a picture or a frame in it, say. A link that was
    followed to here is no such thing."""
    if headers.get("sec-fetch-site", "").lower() != "cross-site":
        return False
    is_followed = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    return not is_followed and not _is_allowed(headers, dialect, allowed)


def _is_allowed(headers: Mapping[str, str], dialect: Dialect, allowed: frozenset[str]) -> bool:
    return dialect is Dialect.EXQUISITOR and headers.get("origin", "").lower() in allowed


def _same(origin: str, host: str) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    here, there = split_host(host), split_host(parts.netloc)
    default = _DEFAULT_PORTS.get(parts.scheme)
    if here is None or there is None or default is None:
        return False
    return (here[0], here[1] or default) == (there[0], there[1] or default)

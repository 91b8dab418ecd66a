"""The cookie of the web page: pictures, videos and event streams of a page cannot send a header."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Final
from urllib.parse import quote, unquote

from starlette.requests import Request

from gateway.hosts import split_host

MAX_AGE_S: Final = 30 * 86_400


def cookie_name(host: str) -> str:
    """Cookies do not tell ports apart, so the name does: two servers on one machine keep a cookie each."""
    parts = split_host(host)
    return f"framewell_key_{parts[1]}" if parts and parts[1] else "framewell_key"


def cookie_key(headers: Mapping[str, str]) -> str:
    """The key in the cookie; "" when there is none."""
    name = cookie_name(headers.get("host", ""))
    for pair in headers.get("cookie", "").split(";"):
        given, _, value = pair.strip().partition("=")
        if given == name:
            return unquote(value.strip())
    return ""


def local_token(signing_key: str) -> str:
    """What the page of a caller on this machine is given: no key, and good only on this machine. Other servers of the
    machine are sent it too, and can do no more with it than any program here can without.

    Args:
        signing_key: always random. Of an admin key that somebody thought of, words could be tried at the token.
    """
    return "local~" + blake2b(signing_key.encode(), person=b"framewell.local", digest_size=24).hexdigest()


def set_cookie(request: Request, key: str) -> str:
    """The header's value; an empty key takes the cookie away."""
    is_https = "https" in (request.url.scheme, request.headers.get("x-forwarded-proto", "").strip().lower())
    age_s = MAX_AGE_S if key else 0
    name, value = cookie_name(request.headers.get("host", "")), quote(key, safe="")
    secure = "; Secure" if is_https else ""
    return f"{name}={value}; Path=/; Max-Age={age_s}; HttpOnly; SameSite=Strict{secure}"

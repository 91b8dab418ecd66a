"""What the command asks of a Framewell, however it reaches it: over the sockets of a stack on this machine, or over
HTTP at `FRAMEWELL_URL` with `FRAMEWELL_KEY`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from media_common.config import PublicSettings

from gateway.config import CommandSettings


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    told: str

    def out(self) -> dict[str, Any]:
        return {"check": self.name, "ok": self.ok, "told": self.told}


class Operator(Protocol):
    """Answers are those of the public interface, as JSON. A call raises `Failure`, `Refused` or an error of gRPC."""

    async def create_key(self, fields: dict[str, Any]) -> dict[str, Any]:
        """The key with its secret. `fields` are those of `POST /api/keys`."""

    async def keys(self) -> list[dict[str, Any]]:
        """Those that are not revoked."""

    async def revoke_key(self, key_id: UUID) -> None: ...

    async def faces_at(self, path: bytes) -> dict[str, Any]:
        """The faces of what is at an absolute path."""

    async def faces_of(self, face: str, collection: str | None) -> dict[str, Any]:
        """The faces of what has this id."""

    async def reindex(self, root: bytes | None) -> dict[str, Any]: ...

    async def checks(self) -> Sequence[Check]:
        """Everything that a library needs, in the order in which one would look."""


@asynccontextmanager
async def reached() -> AsyncIterator[Operator]:
    """
    Raises:
        SettingsError: the environment says what cannot be.
        Refused: nothing can be reached.
    """
    # Both import much, and one call needs one of them.
    settings = CommandSettings.load()
    if settings.url:
        from gateway.command.over_http import OverHttp

        yield OverHttp(settings.url, settings.key)
    else:
        from gateway.command.over_sockets import OverSockets
        from gateway.command.stack import running

        async with running(PublicSettings.load()) as stack:
            yield OverSockets(stack)

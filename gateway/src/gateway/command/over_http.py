"""A Framewell at an address as the command's operator: its public interface, with a key."""

from __future__ import annotations

import asyncio
import http.client
import json
import ssl
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode, urlsplit
from uuid import UUID

from gateway.command.doctor import part_check, root_check, version_check
from gateway.command.operator import Check
from gateway.command.stack import Refused
from gateway.paths import bytes_of, text_of

_TIMEOUT_S: Final = 60.0
#: An answer of ours is far smaller; a stranger's may not fill the memory.
_MOST_BYTES: Final = 64 * 1024 * 1024


class OverHttp:
    """Implements `Operator`."""

    def __init__(self, url: str, key: str) -> None:
        """
        Args:
            url: `http` or `https`, with or without a path before `/api`.
            key: empty: none is sent, which is enough on the server's own machine.
        """
        self._url = url.rstrip("/")
        self._headers = {"Accept": "application/json", **({"X-Api-Key": key} if key else {})}

    async def create_key(self, fields: dict[str, Any]) -> dict[str, Any]:
        return await self._object("POST", "/api/keys", fields)

    async def keys(self) -> list[dict[str, Any]]:
        keys: list[dict[str, Any]] = (await self._object("GET", "/api/keys"))["keys"]
        return keys

    async def revoke_key(self, key_id: UUID) -> None:
        await self._ask("DELETE", f"/api/keys/{key_id.hex}")

    async def faces_at(self, path: bytes) -> dict[str, Any]:
        return await self._object("GET", f"/api/resolve?{urlencode({'path': path})}")

    async def faces_of(self, face: str, collection: str | None) -> dict[str, Any]:
        query = {"id": face.encode("utf-8", "surrogateescape")}
        if collection is not None:
            query["collection"] = collection.encode("utf-8", "surrogateescape")
        return await self._object("GET", f"/api/resolve?{urlencode(query)}")

    async def reindex(self, root: bytes | None) -> dict[str, Any]:
        return await self._object("POST", "/api/reindex", {} if root is None else {"path": text_of(root)})

    async def checks(self) -> Sequence[Check]:
        """Disks are not looked at: they are the server's."""
        version = await self.version()
        # 503 while a part is missing, with the same body.
        _, ready = await self._ask("GET", "/health/ready", also=(503,))
        plan = await self._object("GET", "/api/trash/plan")
        return [
            version_check(version, same=False),
            *(part_check(name, one["state"], one.get("reason", "")) for name, one in ready["dependencies"].items()),
            *(root_check(bytes_of(root["path"]), root["state"]) for root in plan["roots"]),
        ]

    async def version(self) -> str:
        """Of the gateway."""
        return str((await self._object("GET", "/openapi.json"))["info"]["version"])

    async def _object(self, method: str, address: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        status, answer = await self._ask(method, address, body)
        if not isinstance(answer, dict):
            raise Refused(f"What answers at {self._url} ({status}) is no Framewell.")
        return answer

    async def _ask(
        self, method: str, address: str, body: Mapping[str, Any] | None = None, also: Sequence[int] = ()
    ) -> tuple[int, Any]:
        """Status and JSON of the answer.

        Raises:
            Refused: it is a refusal, in the server's words, or none of a Framewell.
        """
        try:
            status, content = await asyncio.to_thread(self._sent, method, address, body)
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            raise Refused(f"Framewell does not answer at {self._url}: {error or type(error).__name__}.") from error
        try:
            answer = json.loads(content) if content else None
        except (ValueError, RecursionError) as error:
            raise Refused(f"What answers at {self._url} ({status}) is no Framewell.") from error
        if status < 300 or status in also:
            return status, answer
        if isinstance(answer, dict) and isinstance(answer.get("error"), str):
            raise Refused(answer["error"])
        raise Refused(f"{self._url} refuses with status {status}.")

    def _sent(self, method: str, address: str, body: Mapping[str, Any] | None) -> tuple[int, bytes]:
        parts = urlsplit(self._url)
        host, port = parts.hostname or "", parts.port
        if parts.scheme == "https":
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, port, timeout=_TIMEOUT_S, context=ssl.create_default_context()
            )
        else:
            connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
        headers, data = dict(self._headers), None
        if body is not None:
            # Lone surrogates, which stand for bytes of a path, travel as escapes.
            data = json.dumps(body).encode("ascii")
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, parts.path + address, data, headers)
            answer = connection.getresponse()
            content = answer.read(_MOST_BYTES + 1)
            if len(content) > _MOST_BYTES:
                raise http.client.HTTPException("the answer is too long")
            return answer.status, content
        finally:
            connection.close()

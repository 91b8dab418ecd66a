"""A stack on this machine as the command's operator."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from gateway.command.doctor import part_check, root_check, root_space_check, state_check, version_check
from gateway.command.operator import Check
from gateway.command.over_http import OverHttp
from gateway.command.stack import Refused, Stack
from gateway.dialects.platform.keys import key_out, key_request
from gateway.dialects.platform.reindex import reindexed
from gateway.dialects.platform.render import root_state_out
from gateway.dialects.platform.resolve import Resolver, faces_out


class OverSockets:
    """Implements `Operator`. No key is asked for: who reaches the sockets may do everything."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._catalogue = stack.catalogue

    async def create_key(self, fields: dict[str, Any]) -> dict[str, Any]:
        key = await self._catalogue.create_key(key_request(fields, time.time_ns() // 1000))
        return {**key_out(key, await self._slugs()), "key": key.secret}

    async def keys(self) -> list[dict[str, Any]]:
        found = (await self._catalogue.keys()).keys
        slugs = await self._slugs()
        return [key_out(key, slugs) for key in found if not key.HasField("revoked_us")]

    async def revoke_key(self, key_id: UUID) -> None:
        await self._catalogue.revoke_key(key_id.bytes)

    async def faces_at(self, path: bytes) -> dict[str, Any]:
        return faces_out(await Resolver(self._catalogue).at_path(path))

    async def faces_of(self, face: str, collection: str | None) -> dict[str, Any]:
        return faces_out(await Resolver(self._catalogue).of_id(face, collection))

    async def reindex(self, root: bytes | None) -> dict[str, Any]:
        return await reindexed(self._catalogue, root)

    async def checks(self) -> Sequence[Check]:
        readiness, roots = await self._stack.dependencies.readiness(), (await self._stack.fs.roots()).roots
        version, gateway = await self._gateway()
        checks = [version_check(version, same=True), state_check(self._stack.state), gateway]
        checks += [part_check(name, part.state, part.reason) for name, part in readiness.parts.items()]
        for root in roots:
            state = root_state_out(root.state)
            checks.append(root_check(root.path, state, root.reason))
            if state in ("online", "read-only"):
                checks.append(root_space_check(root.path))
        return checks

    async def _gateway(self) -> tuple[str | None, Check]:
        """Its version, which only itself can tell, and whether it answers."""
        try:
            return await OverHttp(self._stack.url, "").version(), part_check("gateway", "up", "")
        except Refused as error:
            return None, part_check("gateway", "down", str(error))

    async def _slugs(self) -> dict[int, str]:
        return {one.id: one.slug for one in (await self._catalogue.collections()).collections}

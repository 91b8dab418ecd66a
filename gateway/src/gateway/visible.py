"""Which review paths a caller may see, where a request names a path and no collection."""

from __future__ import annotations

import time
from typing import Final

from gateway.access import NO_ACCESS, Access
from gateway.clients import FsClient
from gateway.errors import Failure
from gateway.library import COLLECTIONS_TTL_S, Library
from gateway.paths import is_below, plain

HOLDS_ANOTHER: Final = (
    "This review path holds another one, to which the key has no access: its trash is not for this key to empty."
)


class VisibleRoots:
    """The roots of the collections that a key is limited to. Other callers see all, and pay nothing.

    A path belongs to the deepest review path that holds it, and so to that one's collection.
    """

    def __init__(self, library: Library, fs: FsClient) -> None:
        self._library = library
        self._fs = fs
        self._known: list[bytes] = []
        self._known_at = float("-inf")

    async def of(self, access: Access) -> list[bytes] | None:
        """None: all of them."""
        return None if access.collections is None else (await self._divided(access))[0]

    async def checked(self, access: Access, path: bytes) -> bytes:
        """The path to go on with. For a limited key it is plain: what is asked for is what was checked.

        Raises:
            Failure: 403, it is in no root that the key may see; whether it is in another one is not told.
        """
        if access.collections is None:
            return path
        mine, others = await self._divided(access)
        path = plain(path)
        if not any(is_below(path, root) for root in mine):
            raise Failure(403, "forbidden", NO_ACCESS)
        if any(is_below(path, root) for root in others):
            holding = [root for root in await self._in_use() if is_below(path, root)]
            if holding and max(holding, key=len) not in mine:
                raise Failure(403, "forbidden", NO_ACCESS)
        return path

    async def checked_whole(self, access: Access, root: bytes) -> bytes:
        """As `checked`, of a root with all that is below it: its trash has what nested roots hold of it, too.

        Raises:
            Failure: 403, also when one that the key may not see is below it.
        """
        root = await self.checked(access, root)
        if access.collections is not None:
            _, others = await self._divided(access)
            inside = {other for other in others if is_below(other, root)}
            if inside and not inside.isdisjoint(await self._in_use()):
                raise Failure(403, "forbidden", HOLDS_ANOTHER)
        return root

    async def _divided(self, access: Access) -> tuple[list[bytes], list[bytes]]:
        """The roots that the key may see, and the others; some of them may be no review path any more."""
        assert access.collections is not None
        known = (await self._library.by_id(set(access.collections))).values()
        rooted = [one for one in known if one.HasField("root_path")]
        mine = [one.root_path for one in rooted if one.id in access.collections]
        return mine, [one.root_path for one in rooted if one.id not in access.collections]

    async def _in_use(self) -> list[bytes]:
        """The review paths as the file service has them: a collection outlives its own. Asked for where roots are
        nested alone, for it looks at their disks."""
        if time.monotonic() - self._known_at > COLLECTIONS_TTL_S:
            self._known = [root.path for root in (await self._fs.roots()).roots]
            self._known_at = time.monotonic()
        return self._known

"""Which review paths a caller may see, where a request names a path and no collection."""

from __future__ import annotations

from gateway.access import NO_ACCESS, Access
from gateway.errors import Failure
from gateway.library import Library
from gateway.paths import is_below, plain


class VisibleRoots:
    """The roots of the collections that a key is limited to. Other callers see all, and pay nothing."""

    def __init__(self, library: Library) -> None:
        self._library = library

    async def of(self, access: Access) -> list[bytes] | None:
        """None: all of them."""
        if access.collections is None:
            return None
        known = await self._library.by_id(set(access.collections))
        return [one.root_path for one in known.values() if one.id in access.collections and one.HasField("root_path")]

    async def checked(self, access: Access, path: bytes) -> bytes:
        """The path to go on with. For a limited key it is plain: what is asked for is what was checked.

        Raises:
            Failure: 403, it is in no root that the key may see; whether it is in another one is not told.
        """
        roots = await self.of(access)
        if roots is None:
            return path
        path = plain(path)
        if not any(is_below(path, root) for root in roots):
            raise Failure(403, "forbidden", NO_ACCESS)
        return path

"""Pictures that callers send along: decoded apart from the service like everything else that strangers made."""

from __future__ import annotations

from typing import Final

from PIL.Image import Image

from search_service.domain.errors import OutOfReach, UnreadablePicture
from search_service.loading import child
from search_service.loading.pixels import stills_of
from search_service.loading.pool import Pool

#: Somebody waits, and so does everybody behind.
_LIMIT_S: Final = 10.0


class GivenPictures:
    """With processes of its own: a search by picture does not wait behind videos."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def decoded(self, data: bytes) -> Image:
        """
        Raises:
            UnreadablePicture: it cannot be decoded, or not within its time and memory.
        """
        try:
            status, reason, *fields = await self._pool.asked([b"", data, child.GIVEN], _LIMIT_S)
        except OutOfReach as error:
            raise UnreadablePicture("That picture cannot be decoded.") from error
        if status != child.FOUND:
            raise UnreadablePicture(reason.decode())
        [still] = stills_of(fields)
        return still.picture

    async def close(self) -> None:
        await self._pool.close()

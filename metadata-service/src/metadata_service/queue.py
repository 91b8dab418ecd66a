"""The connection to NATS, as every part of this service makes it."""

from __future__ import annotations

from typing import Final

import nats
import nats.errors
import nats.js.errors
from nats.aio.client import Client

#: Seconds between two tries.
RETRY_S: Final = 1.0
#: A trouble that is said once it has come so often in a row: in the first seconds not everything is there.
SAID_AT: Final = 5
#: It is away, or what is wanted of it is not there yet.
TROUBLE: Final = (nats.errors.Error, nats.js.errors.Error, OSError, TimeoutError)


async def connected(url: str, name: str) -> Client:
    """A connection that comes back by itself, once it has been there.

    Raises:
        nats.errors.Error, OSError, TimeoutError: it cannot be made now.
    """
    return await nats.connect(
        url,
        name=name,
        max_reconnect_attempts=-1,
        reconnect_time_wait=RETRY_S,
        connect_timeout=2,
        error_cb=_ignored,
    )


async def _ignored(error: Exception) -> None:
    """The client reconnects by itself, and who waits for something says so."""

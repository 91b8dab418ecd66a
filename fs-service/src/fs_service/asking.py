"""One request to the thumbnail workers and its last reply: whoever is at it says so every second until then."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Final, Protocol, TypeVar

import nats.errors
from media_common import subjects
from media_common.logs import request_id
from media_common.tracing import carried
from nats.aio.client import Client
from nats.aio.subscription import Subscription

NATS_TROUBLE: Final = (nats.errors.Error, OSError, ConnectionError)


class NobodyThere(Exception):
    """No worker listens."""


class Silent(Exception):
    """The worker that had the request, or the message itself, is lost."""


class Reply(Protocol):
    """A message of which all but the last one only say `working`."""

    working: bool

    @classmethod
    def FromString(cls, s: bytes, /) -> Reply: ...


R = TypeVar("R", bound=Reply)


async def last_reply(
    client: Client | None, subject: str, request: bytes, reply_type: type[R], end: float, silence_s: float
) -> R:
    """
    Args:
        end: of the event loop's clock; nobody waits longer.
        silence_s: after which the worker is taken for dead.
    Raises:
        NobodyThere, Silent, nats.errors.Error, google.protobuf.message.DecodeError
    """
    if client is None:
        raise NobodyThere
    inbox = client.new_inbox()
    subscription = await client.subscribe(inbox)
    loop = asyncio.get_running_loop()
    try:
        headers = {subjects.DEADLINE_HEADER: f"{time.time() + end - loop.time():.3f}"}
        if current := request_id.get():
            headers[subjects.REQUEST_ID_HEADER] = current
        headers |= carried.get()
        await client.publish(subject, request, reply=inbox, headers=headers)
        while True:
            reply = await _next(subscription, reply_type, min(silence_s, end - loop.time()))
            if not reply.working:
                return reply
    finally:
        with suppress(*NATS_TROUBLE):
            await subscription.unsubscribe()


async def _next(subscription: Subscription, reply_type: type[R], timeout_s: float) -> R:
    if timeout_s <= 0:
        raise Silent
    try:
        message = await subscription.next_msg(timeout_s)
    except TimeoutError as error:
        raise Silent from error
    if not message.data and (message.headers or {}).get("Status") == "503":
        raise NobodyThere
    reply = reply_type.FromString(message.data)
    assert isinstance(reply, reply_type)
    return reply

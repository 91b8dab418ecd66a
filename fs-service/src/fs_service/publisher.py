"""The outbox on its way to JetStream: in order, each row until it is acknowledged, once by its message id."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import nats.errors
from media_common import subjects
from media_common.errors import ServiceError
from media_proto import fs_pb2, thumbnail_pb2
from nats.aio.client import Client
from nats.aio.msg import Msg

from fs_service.domain.ports import Outbox, OutboxRow
from fs_service.nats_link import NatsLink
from fs_service.streams import ensure_streams
from fs_service.threads import Threads

logger = logging.getLogger(__name__)

#: Rows in flight at once.
_WINDOW: Final = 1000
_ACK_S: Final = 5.0
_POLL_S: Final = 0.5
#: Thousands of these come at once, from batches and deletions; the longest paths fit in a message of NATS.
_TOGETHER: Final = (subjects.MEDIA_STATE, subjects.MEDIA_GONE)
_MOST_TOGETHER: Final = 100
#: Events may come so much later while actions press: with what the index's writer waits and the catalogue needs, a
#: state is in every dialect within a second.
_GIVE_WAY_S: Final = 0.25
_BACK_OFF_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
#: The size that a page of the review client asks for.
_THUMBNAIL_PX: Final = 256


class Publisher:
    """Sends what the outbox holds. Nothing waits for it, and nothing that happens to NATS stops it."""

    def __init__(
        self,
        outbox: Outbox,
        link: NatsLink,
        state_cache: Callable[[bytes], bytes],
        pregenerate: bool,
        give_way: Callable[[float, threading.Event], None] = lambda most_s, stop: None,
    ) -> None:
        """
        Args:
            state_cache: where a root's thumbnails go when the root cannot be written.
            pregenerate: False drops the thumbnail jobs.
            give_way: waits until nothing is more pressing, for so many seconds at most or until the event is set.
        """
        self._give_way = give_way
        self._stop = threading.Event()
        self._is_behind = False  # more is waiting than one round takes
        self._outbox = outbox
        self._link = link
        self._state_cache = state_cache
        self._pregenerate = pregenerate
        self._threads = Threads("publisher", 1)

    async def run(self) -> None:
        """Until cancelled."""
        failures = 0
        try:
            while True:
                try:
                    if self._link.configured:
                        await self._follow(await self._link.wait_up())
                    else:
                        await self._discard()
                except (nats.errors.Error, OSError, TimeoutError, ServiceError) as error:
                    if failures == 0:
                        logger.warning("events wait in the outbox: %s", error or type(error).__name__)
                    await asyncio.sleep(_BACK_OFF_S[min(failures, len(_BACK_OFF_S) - 1)])
                    failures += 1
                except Exception:
                    # A loop that ended here would keep every later event in the outbox, and nothing would say so.
                    logger.exception("publishing stumbles")
                    await asyncio.sleep(_BACK_OFF_S[-1])
                else:
                    failures = 0
        finally:
            self._stop.set()
            self._threads.close()

    async def _follow(self, connection: Client) -> None:
        """Publish over this connection until it breaks."""
        lost = self._link.lost
        await ensure_streams(connection.jetstream())
        window = _Window(connection, lost)
        await window.open()
        try:
            while not lost.done():
                rows = await self._threads.run(self._waiting)
                if not rows:
                    continue
                await window.send([self._message(group) for group in _grouped(self._wanted(rows))])
                await self._threads.run(self._outbox.sent, rows[-1].sequence)
        finally:
            await window.close()

    def _waiting(self) -> Sequence[OutboxRow]:
        """The next rows, when there are any soon and nothing is more pressing. A backlog gives way once and not every
        round, or actions that never pause would let it grow for ever."""
        if not self._outbox.wait(_POLL_S):
            self._is_behind = False
            return ()
        if not self._is_behind:
            self._give_way(_GIVE_WAY_S, self._stop)
        rows = self._outbox.pending(_WINDOW)
        self._is_behind = len(rows) == _WINDOW
        return rows

    async def _discard(self) -> None:
        """No NATS, no readers: a consumer that comes with it later asks for a replay."""
        if await self._threads.run(self._outbox.wait, _POLL_S):
            rows = await self._threads.run(self._outbox.pending, _WINDOW)
            if rows:
                await self._threads.run(self._outbox.sent, rows[-1].sequence)

    def _wanted(self, rows: Sequence[OutboxRow]) -> Sequence[OutboxRow]:
        if self._pregenerate:
            return rows
        return [row for row in rows if row.subject != subjects.JOBS_THUMBNAIL]

    def _message(self, rows: Sequence[OutboxRow]) -> tuple[str, str, bytes]:
        """Subject, id and payload. The id names all that is in it: rows that are sent again in other company after an
        outage are told twice, which does no harm, and none is taken for one that was stored already."""
        first, last = rows[0], rows[-1]
        message_id = f"{self._outbox.epoch}-{first.sequence}"
        if len(rows) > 1:
            message_id += f"-{last.sequence}"
        return first.subject, message_id, self._payload(rows)

    def _payload(self, rows: Sequence[OutboxRow]) -> bytes:
        row = rows[0]
        if row.subject == subjects.JOBS_THUMBNAIL:
            return thumbnail_pb2.RenderRequest(
                root=row.root,
                relative_path=row.path[len(row.root.rstrip(b"/")) + 1 :],
                size_px=_THUMBNAIL_PX,
                state_cache=self._state_cache(row.root),
            ).SerializeToString()
        more = [other.path for other in rows[1:]]
        return fs_pb2.MediaEvent(root=row.root, path=row.path, inode=row.inode, more_paths=more).SerializeToString()


def _grouped(rows: Sequence[OutboxRow]) -> Iterator[list[OutboxRow]]:
    """What deeds do, in messages of several files; everything else a message a row. In order."""
    group: list[OutboxRow] = []
    for row in rows:
        if group and (
            row.subject not in _TOGETHER
            or (row.subject, row.root) != (group[0].subject, group[0].root)
            or len(group) == _MOST_TOGETHER
        ):
            yield group
            group = []
        group.append(row)
    if group:
        yield group


class _Window:
    """Messages sent together and acknowledged together: one round trip for all of them."""

    def __init__(self, connection: Client, lost: asyncio.Future[None]) -> None:
        self._connection = connection
        self._lost = lost
        self._inbox = connection.new_inbox()
        self._missing: set[str] = set()
        self._all_in: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def open(self) -> None:
        self._subscription = await self._connection.subscribe(f"{self._inbox}.*", cb=self._on_ack)

    async def close(self) -> None:
        if not self._connection.is_closed:
            await self._subscription.unsubscribe()

    async def send(self, messages: Sequence[tuple[str, str, bytes]]) -> None:
        """Returns when JetStream keeps every one.

        Args:
            messages: subject, message id, payload.
        Raises:
            nats.errors.Error, TimeoutError: some may be kept and some not; sending all of them again is harmless.
        """
        if not messages:
            return
        self._all_in = asyncio.get_running_loop().create_future()
        self._missing = {message_id for _, message_id, _ in messages}
        try:
            for subject, message_id, payload in messages:
                await self._connection.publish(
                    subject, payload, reply=f"{self._inbox}.{message_id}", headers={"Nats-Msg-Id": message_id}
                )
            await asyncio.wait((self._all_in, self._lost), timeout=_ACK_S, return_when=asyncio.FIRST_COMPLETED)
            if not self._all_in.done():
                raise TimeoutError("NATS did not acknowledge them")
            self._all_in.result()
        finally:
            self._all_in.cancel()

    async def _on_ack(self, message: Msg) -> None:
        if self._all_in.done():
            return
        if message.headers and message.headers.get("Status") == "503":
            self._all_in.set_exception(nats.errors.Error("no stream takes the events"))
            return
        answer = json.loads(message.data)
        if "error" in answer:
            self._all_in.set_exception(nats.errors.Error(f"JetStream: {answer['error'].get('description', '')}"))
            return
        self._missing.discard(message.subject.rpartition(".")[2])
        if not self._missing:
            self._all_in.set_result(None)

"""Looking into uploads, with the workers: jobs go out from the outbox, what was read comes back and is written."""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import Final

from google.protobuf.message import DecodeError
from media_common import subjects
from media_common.errors import ServiceError
from media_common.media_types import extension_of_type
from media_common.tracing import NO_SPANS, Spans, received
from media_proto import thumbnail_pb2
from nats.aio.client import Client
from nats.aio.msg import Msg

from metadata_service import queue
from metadata_service.domain.media import Facts, Kind, Upload
from metadata_service.domain.tags import camera
from metadata_service.store import outbox, uploads
from metadata_service.store.sqlite import Catalogue
from metadata_service.trails import Trails

logger = logging.getLogger(__name__)

#: What the dialects show of an upload.
THUMBNAIL_PX: Final = 1024
#: What has an inside that is shown: size, duration, pages.
_READ: Final = (Kind.IMAGE, Kind.VIDEO, Kind.AUDIO, Kind.DOCUMENT)
_BATCH: Final = 200
#: So long an upload's answer waits for its job to be in the queue, so that "idle" never comes before it.
_SENT_WITHIN_S: Final = 0.5


def job_of(upload: Upload) -> tuple[str, bytes] | None:
    """Subject and payload; None for what has nothing to be read."""
    if upload.kind not in _READ:
        return None
    request = thumbnail_pb2.RenderRequest(
        sha256=upload.sha256, extension=extension_of_type(upload.content_type), size_px=THUMBNAIL_PX
    )
    return subjects.JOBS_THUMBNAIL, request.SerializeToString()


class BlobJobs:
    """One connection for both ways, tried for ever. Without a queue uploads are kept, and wait."""

    def __init__(self, url: str, catalogue: Catalogue, spans: Spans = NO_SPANS) -> None:
        #: By payload.
        self.trails = Trails()
        self._url = url
        self._catalogue = catalogue
        self._spans = spans
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        # A restart may send a letter again under another id; its job is done twice, which does no harm.
        self._token = secrets.token_hex(8)
        self._failures = 0

    async def sent(self) -> None:
        """Send what is waiting; returns when it is sent, or after a moment."""
        self._idle.clear()
        self._wake.set()
        if self._url:
            try:
                async with asyncio.timeout(_SENT_WITHIN_S):
                    await self._idle.wait()
            except TimeoutError:
                logger.debug("a job waits in the outbox")

    async def run(self) -> None:
        """Until cancelled."""
        while self._url:
            try:
                connection = await queue.connected(self._url, "metadata-service uploads")
            except queue.TROUBLE as error:
                await self._pause(error)
                continue
            try:
                group = subjects.DESCRIBE_GROUP
                await connection.subscribe(subjects.DESCRIBE, queue=group, cb=self._on_description)
                while not connection.is_closed:
                    await self._send_when_woken(connection)
            finally:
                await connection.close()

    async def _send_when_woken(self, connection: Client) -> None:
        """While the stream is not there yet, or is away, what comes back is listened to all the same."""
        try:
            await self._send(connection)
        except queue.TROUBLE as error:
            await self._pause(error)
        except Exception as error:
            # A loop that ended here would leave every later upload without its thumbnail, and nothing would say so.
            logger.exception("sending jobs stumbles")
            await self._pause(error)
        else:
            self._failures = 0
            await self._wake.wait()
            self._wake.clear()

    async def _pause(self, error: Exception) -> None:
        self._failures += 1
        logger.log(logging.WARNING if self._failures == queue.SAID_AT else logging.DEBUG, "jobs wait: %r", error)
        await asyncio.sleep(queue.RETRY_S)

    async def _send(self, connection: Client) -> None:
        """All letters, in order."""
        stream = connection.jetstream(timeout=2)
        while letters := await self._catalogue.read(outbox.oldest, _BATCH):
            for letter in letters:
                headers = {"Nats-Msg-Id": f"catalogue-{self._token}-{letter.id}", **self.trails.of(letter.payload)}
                await stream.publish(letter.subject, letter.payload, headers=headers)
            await self._catalogue.write(outbox.sent, letters[-1].id)
        self._idle.set()

    async def _on_description(self, message: Msg) -> None:
        """Write it down, then say so; a worker that hears nothing asks again."""
        span = received(self._spans, message.subject, message.headers)
        is_written = False
        try:
            told = thumbnail_pb2.BlobDescription.FromString(message.data)
            await self._catalogue.write(uploads.describe, told.sha256, facts_of(told))
            is_written = True
        except DecodeError:
            logger.warning("a description that cannot be read is left out")
        except ServiceError as error:
            logger.warning("a description waits: %s", error.message)
            return
        finally:
            span.ended(failed=not is_written)
        try:
            await message.respond(b"")
        except queue.TROUBLE as error:
            logger.debug("a worker asks again: %r", error)


def facts_of(told: thumbnail_pb2.BlobDescription) -> Facts:
    """What the worker could read; the rest is unknown."""
    given = {field.name: value for field, value in told.ListFields()}
    return Facts(
        width_px=given.get("width_px"),
        height_px=given.get("height_px"),
        duration_s=given.get("duration_s"),
        page_count=given.get("page_count"),
        taken_us=given.get("taken_us"),
        taken_offset_min=given.get("taken_offset_min"),
        camera=camera(given.get("make"), given.get("model")),
        lens=given.get("lens"),
        orientation=given.get("orientation"),
        latitude=given.get("latitude"),
        longitude=given.get("longitude"),
    )

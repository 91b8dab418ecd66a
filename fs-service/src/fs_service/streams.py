"""The JetStream streams that this service makes: what each keeps, how much of it and for how long."""

from __future__ import annotations

import logging
from dataclasses import fields
from typing import Final

from media_common import subjects
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import BadRequestError, NotFoundError

logger = logging.getLogger(__name__)

_DAY_S: Final = 24 * 3600.0
#: How long the server knows a message by its id. A publisher that lost an acknowledgement sends again within seconds
#: of reconnecting; every id costs the server about 100 bytes for so long.
DUPLICATES_S: Final = 300.0

#: Counts rather than bytes bound them: a byte limit is reserved on the disk at once, and a message is a path or two.
STREAMS: Final = (
    StreamConfig(
        name=subjects.MEDIA_STREAM,
        subjects=[subjects.MEDIA_FOUND, subjects.MEDIA_CHANGED, subjects.MEDIA_GONE, subjects.MEDIA_STATE],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        discard=DiscardPolicy.OLD,
        max_age=7 * _DAY_S,  # a consumer away for longer replays
        max_msgs=2_000_000,
        duplicate_window=DUPLICATES_S,
    ),
    StreamConfig(
        name=subjects.JOBS_STREAM,
        # One by one: `jobs.>` would hold the parked ones as well.
        subjects=[subjects.JOBS_THUMBNAIL, subjects.JOBS_EMBED, subjects.JOBS_FACTS],
        retention=RetentionPolicy.WORK_QUEUE,
        storage=StorageType.FILE,
        discard=DiscardPolicy.OLD,
        max_msgs=5_000_000,
        duplicate_window=DUPLICATES_S,
    ),
    StreamConfig(
        name=subjects.DEAD_STREAM,
        subjects=["jobs.dead.>"],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        discard=DiscardPolicy.OLD,
        max_age=90 * _DAY_S,
        max_msgs=100_000,
        duplicate_window=DUPLICATES_S,
    ),
    StreamConfig(
        # Beside the queue that it holds: it outlasts every restart that the jobs do.
        name=subjects.HOLDS_STREAM,
        subjects=[subjects.HOLD_THUMBNAIL],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        discard=DiscardPolicy.OLD,
        max_msgs_per_subject=1,
        duplicate_window=DUPLICATES_S,
    ),
)


async def ensure_streams(js: JetStreamContext) -> None:
    """Make the streams, or bring existing ones to these limits; what else an administrator set (replicas) stays.

    Raises:
        nats.errors.Error: JetStream is not there or not ready.
    """
    for wanted in STREAMS:
        assert wanted.name is not None
        try:
            existing = (await js.stream_info(wanted.name)).config
        except NotFoundError:
            await js.add_stream(wanted)
            continue
        ours = {name: getattr(wanted, name) for name in _names_set(wanted)}
        if any(getattr(existing, name) != value for name, value in ours.items()):
            try:
                await js.update_stream(existing.evolve(**ours))
            except BadRequestError as error:
                logger.warning("stream %s keeps its old settings: %s", wanted.name, error.description)


def _names_set(config: StreamConfig) -> list[str]:
    blank = StreamConfig()
    return [field.name for field in fields(config) if getattr(config, field.name) != getattr(blank, field.name)]

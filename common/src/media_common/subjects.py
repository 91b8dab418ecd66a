"""The names on NATS: streams, subjects, consumers, headers. Who owns what is in docs/architecture.md."""

from __future__ import annotations

from typing import Final

MEDIA_STREAM: Final = "MEDIA"
MEDIA_FOUND: Final = "media.found"
MEDIA_CHANGED: Final = "media.changed"
MEDIA_GONE: Final = "media.gone"
MEDIA_STATE: Final = "media.state"

JOBS_STREAM: Final = "JOBS"
JOBS_THUMBNAIL: Final = "jobs.thumbnail"
#: Payload of both: a media's number in decimal. Its pixels may be others; or only what it can be filtered by.
JOBS_EMBED: Final = "jobs.embed"
JOBS_FACTS: Final = "jobs.facts"
THUMBNAIL_CONSUMER: Final = "thumbnail-workers"

DEAD_STREAM: Final = "DEAD"
DEAD_THUMBNAIL: Final = "jobs.dead.thumbnail"
DEAD_EMBED: Final = "jobs.dead.embed"

#: What is held back by hand; of each subject the last message counts, `HELD` or anything else.
HOLDS_STREAM: Final = "HOLDS"
HOLD_THUMBNAIL: Final = "holds.thumbnail"
HELD: Final = b"held"
LET_GO: Final = b"let go"

RENDER: Final = "thumbnail.render"
#: What a picture is compared with others by; answered by the same group.
LOOK: Final = "thumbnail.look"
RENDER_GROUP: Final = "thumbnail-workers"
PING: Final = "thumbnail.ping"

#: What a worker has read from inside a blob, asked of the catalogue to be written down.
DESCRIBE: Final = "catalogue.describe"
DESCRIBE_GROUP: Final = "catalogue"

#: Deliveries of one job before it is parked with its reason.
MAX_DELIVERIES: Final = 5
#: Seconds without an ack or a progress ping before a job is given to another worker.
ACK_WAIT_S: Final = 30.0

REQUEST_ID_HEADER: Final = "X-Request-Id"
#: Seconds since the epoch after which nobody waits for the answer any more.
DEADLINE_HEADER: Final = "X-Deadline"

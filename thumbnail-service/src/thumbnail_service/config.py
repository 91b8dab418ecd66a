"""The worker's own settings, `THUMBNAIL_*`, read once in `__main__`."""

from __future__ import annotations

import os

from media_common.subjects import ACK_WAIT_S
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ThumbnailSettings(BaseSettings):
    """Workers started side by side need no different settings: the default port is a free one."""

    model_config = SettingsConfigDict(env_prefix="THUMBNAIL_", frozen=True, extra="forbid")

    listen: str = Field(
        default="127.0.0.1:0",
        pattern=r"^(unix:/.+|[^:]+:[0-9]+)$",
        description="health and figures over gRPC: unix:/path or host:port, port 0 for a free one",
    )
    concurrency: int = Field(default=1, ge=1, le=64, description="renders at a time, each in a process of its own")
    memory_mb: int = Field(default=2048, ge=512, description="address space of one render process")
    streamed_mpx: int = Field(
        default=500, ge=1, description="largest JPEG, PNG, WebP or TIFF, megapixels (shrunk while it is read)"
    )
    decoded_mpx: int = Field(
        default=100, ge=1, description="largest picture or frame of other kinds, megapixels (held as a whole)"
    )
    image_limit_s: float = Field(default=20.0, gt=0, description="seconds one picture may take")
    video_limit_s: float = Field(default=30.0, gt=0, description="seconds one video may take")
    idle_s: float = Field(default=60.0, gt=0, description="seconds without work until a render process is let go")
    ack_wait_s: float = Field(
        default=ACK_WAIT_S, ge=1, description="seconds without a sign until a background job goes to another worker"
    )
    stop_grace_s: float = Field(default=5.0, gt=0, description="seconds that renders in hand get at the end")


def render_environment() -> dict[str, str]:
    """The whole environment of a render process: no address, no token, one thread a library."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TMPDIR") if name in os.environ}
    return kept | {
        "VIPS_CONCURRENCY": "1",
        "VIPS_WARNING": "0",
        # A picture that must be held as a whole is held in memory, where the limit is, never in a file in /tmp.
        "VIPS_DISC_THRESHOLD": "1t",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        # Fewer heaps: each would keep what its largest picture took.
        "MALLOC_ARENA_MAX": "2",
        "PYTHONWARNINGS": "ignore",
        "PYTHONDONTWRITEBYTECODE": "1",
    }

"""The search service's own settings; the public ones are `media_common.config.PublicSettings`."""

from __future__ import annotations

import os

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class SearchSettings(BaseSettings):
    """Read once, in `__main__`, from `SEARCH_*`."""

    model_config = SettingsConfigDict(env_prefix="SEARCH_", frozen=True, extra="forbid")

    listen: str = Field(min_length=1, description="unix:/path or host:port of the gRPC server")
    stop_grace_s: float = Field(default=2.0, gt=0, description="seconds that calls in flight get at the end")
    qdrant_api_key: str = Field(default="", repr=False, description="key of the Qdrant server, where it asks for one")
    # No hyphen: one installation's prefix is never the beginning of another's.
    qdrant_name: str = Field(
        default="framewell",
        pattern=r"^[A-Za-z0-9_]{1,64}$",
        description="what this installation's collections on a Qdrant server begin with, where several share one",
    )
    threads: int = Field(default=0, ge=0, description="processor threads of a model; 0: as many as there are cores")
    metadata_target: str = Field(
        default="",
        description="unix:/path or host:port of metadata-service; empty: nothing is embedded, nor found by its words",
    )
    decoders: int = Field(default=2, ge=1, le=64, description="files decoded at a time, each in a process of its own")
    decoder_memory_mb: int = Field(default=2048, ge=512, description="address space of one decoding process")


def decoding_environment() -> dict[str, str]:
    """The whole environment of a decoding process: no address, no token, one thread a library."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TMPDIR") if name in os.environ}
    return kept | {
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        # Fewer heaps: each would keep what its largest picture took.
        "MALLOC_ARENA_MAX": "2",
        "PYTHONWARNINGS": "ignore",
        "PYTHONDONTWRITEBYTECODE": "1",
    }

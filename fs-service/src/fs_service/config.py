"""The settings of this service. Read once, in `__main__`."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class FsSettings(BaseSettings):
    """`FS_*` variables; what is public is in `media_common.config.PublicSettings`."""

    model_config = SettingsConfigDict(env_prefix="FS_", frozen=True, extra="forbid")

    listen: str = Field(default="127.0.0.1:50051", min_length=1, description="`unix:/path` or `host:port`")
    stop_grace_s: float = Field(default=5.0, gt=0, description="seconds that calls in flight get at the end")
    thumbnail_cache: Path | None = Field(
        default=None, description="thumbnails of roots that cannot be written; empty: `<state>/thumbnails`"
    )
    pregenerate: bool = Field(default=True, description="thumbnails of new files are made in the background")
    probe_processes: int = Field(default=2, ge=1, le=16, description="processes that read sizes and durations")
    deletion_workers: int = Field(default=2, ge=1, le=16, description="files deleted at once by an empty-trash")
    look_threads: int = Field(default=8, ge=1, le=64, description="listings, pages and streams at once")
    deed_threads: int = Field(default=8, ge=1, le=64, description="actions at once")
    read_threads: int = Field(default=8, ge=1, le=64, description="chunks of files read at once")

    @field_validator("thumbnail_cache", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return value or None

    @field_validator("thumbnail_cache")
    @classmethod
    def _is_absolute(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_absolute():
            raise ValueError("it must be an absolute path: workers write there too")
        return value

"""The search service's own settings; the public ones are `media_common.config.PublicSettings`."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class SearchSettings(BaseSettings):
    """Read once, in `__main__`, from `SEARCH_*`."""

    model_config = SettingsConfigDict(env_prefix="SEARCH_", frozen=True, extra="forbid")

    listen: str = Field(min_length=1, description="unix:/path or host:port of the gRPC server")
    stop_grace_s: float = Field(default=2.0, gt=0, description="seconds that calls in flight get at the end")
    qdrant_api_key: str = Field(default="", description="key of the Qdrant server, where it asks for one")
    threads: int = Field(default=0, ge=0, description="processor threads of a model; 0: as many as there are cores")

"""The metadata service's own settings; the public ones are `media_common.config.PublicSettings`."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class MetadataSettings(BaseSettings):
    """Read once, in `__main__`, from `METADATA_*`."""

    model_config = SettingsConfigDict(env_prefix="METADATA_", frozen=True, extra="forbid")

    listen: str = Field(min_length=1, description="unix:/path or host:port of the gRPC server")
    fs_target: str = Field(default="", description="unix:/path or host:port of fs-service; empty: nothing is indexed")
    stop_grace_s: float = Field(default=2.0, gt=0, description="seconds that calls in flight get at the end")

"""The gateway's own settings (`GATEWAY_*`). What is public (`FRAMEWELL_*`) is in `media_common.config`."""

from __future__ import annotations

import os
from typing import Self
from urllib.parse import urlsplit

from media_common.config import PublicSettings, SettingsError, loaded
from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class GatewaySettings(BaseSettings):
    """Read once, in `__main__`; passed down by constructor."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_", frozen=True, extra="forbid")

    fs_target: str = Field(min_length=1, description="fs-service: `unix:/path` or `host:port`")
    metadata_target: str = Field(default="", description="metadata-service; empty: none")
    search_target: str = Field(default="", description="search-service; empty: none")
    thumbnail_targets: str = Field(default="", description="thumbnail workers, comma-separated; empty: ask fs-service")
    trusted_hosts: str = Field(
        default="", description="names this server answers to beside those of config.yaml, comma-separated"
    )
    connect_wait_s: float = Field(default=2.0, gt=0, le=30, description="how long a call waits for a service to return")
    call_deadline_s: float = Field(default=10.0, gt=0, description="deadline of a short call")
    listing_deadline_s: float = Field(default=300.0, gt=0, description="deadline of a folder page, a batch, a stream")
    thumbnail_deadline_s: float = Field(default=60.0, gt=0, description="deadline of one thumbnail")
    transfer_deadline_s: float = Field(
        default=86_400.0, gt=0, description="deadline of a file's bytes and of an empty-trash: a paused video waits"
    )
    stop_grace_s: float = Field(default=5.0, gt=0, description="seconds that requests in flight get at the end")

    @classmethod
    def load(cls) -> Self:
        """Settings from the environment.

        Raises:
            SettingsError: a value is missing or out of its range.
        """
        return loaded(cls)

    def hosts(self) -> list[str]:
        """Without what names every address: it is nobody's name."""
        names = [name.strip() for name in self.trusted_hosts.split(",")]
        return [name for name in names if name not in ("", "0.0.0.0", "::", "[::]")]

    def workers(self) -> list[str]:
        return [target.strip() for target in self.thumbnail_targets.split(",") if target.strip()]


def told_services() -> GatewaySettings | None:
    """The gateway's settings where the environment has them, as in its container; else None.

    Raises:
        SettingsError: a value is out of its range.
    """
    return GatewaySettings.load() if os.environ.get("GATEWAY_FS_TARGET") else None


class CommandSettings(BaseSettings):
    """Where the `framewell` command finds a Framewell that is not the one of the state directory."""

    model_config = SettingsConfigDict(env_prefix="FRAMEWELL_", frozen=True, extra="ignore")

    url: str = Field(default="", description="address of a Framewell, instead of the state directory")
    key: str = Field(default="", repr=False, pattern=r"^[\x21-\x7e]*$", description="the key to send there")

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment):
            raise ValueError("it must be an address such as https://photos.example")
        _ = parts.port  # raises when it is no number
        return value

    @classmethod
    def load(cls) -> Self:
        """
        Raises:
            SettingsError: one of the two is not what it must be.
        """
        return loaded(cls)


def allowed_origins(public: PublicSettings) -> frozenset[str]:
    """The origins of `FRAMEWELL_CORS_ORIGINS`, each `scheme://host[:port]`.

    Raises:
        SettingsError: one is no origin; `*` is none either.
    """
    origins = [origin.strip().rstrip("/") for origin in public.cors_origins.split(",") if origin.strip()]
    for origin in origins:
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https") or not parts.netloc or origin != f"{parts.scheme}://{parts.netloc}":
            raise SettingsError(f"FRAMEWELL_CORS_ORIGINS: {origin!r} is not an origin such as https://photos.example.")
    return frozenset(origin.lower() for origin in origins)

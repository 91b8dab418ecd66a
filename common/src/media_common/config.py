"""The settings that mean the same in `make run`, compose and tests. Each service's own are in its `config.py`."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Final, Literal, Self, TypeVar

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

S = TypeVar("S", bound=BaseSettings)

PREFIX: Final = "FRAMEWELL_"
#: Read by the command and the client only, but no mistake in a service's environment.
_ELSEWHERE: Final = frozenset({"FRAMEWELL_URL", "FRAMEWELL_KEY", "FRAMEWELL_KEY_FILE"})
#: Behind the name of a secret setting: the value is in the file that this one names.
FILE_SUFFIX: Final = "_FILE"
_RATE: Final = re.compile(r"[1-9][0-9]*/(second|minute|hour|day)")


class SettingsError(Exception):
    """A setting is unknown or out of its range; the text is a sentence for the person who starts the process."""


class PublicSettings(BaseSettings):
    """`FRAMEWELL_*`, and the addresses of outside parts. Read once, in `__main__`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", populate_by_name=True)

    host: str = Field(default="127.0.0.1", min_length=1, description="address the gateway listens on")
    port: int = Field(default=8080, ge=1, le=65535, description="port the gateway listens on")
    state_dir: Path = Field(default=Path("~/.mediareviewer"), description="config, journal, index, logs, keys")
    admin_key: str = Field(default="", repr=False, description="preset admin key; empty: one is made at first start")
    auth: Literal["auto", "required"] = Field(
        default="auto", description="auto: loopback callers need no key in two dialects; required: everybody needs one"
    )
    encoder: str = Field(
        default="auto",
        pattern=r"^(auto|offline|off|open_clip:[^/]+/.+)$",
        description="model of the search by meaning: auto, offline, off or open_clip:<model>/<weights>",
    )
    rate_limit: str = Field(
        default="10000/hour", description="requests a key may make: a number, then /second, /minute, /hour or /day"
    )
    max_upload_bytes: int = Field(default=10 * 2**30, ge=1, description="largest upload")
    blob_ttl_s: int = Field(default=3600, ge=1, description="seconds a signed blob address is good for")
    cors_origins: str = Field(default="", description="origins allowed to call from a browser, comma-separated")
    search_max_results: int = Field(default=1000, ge=1, le=100_000, description="most results of one search")
    log_level: Literal["", "DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="", description="least level of log lines; empty: as config.yaml says, else INFO"
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="log lines for people (text) or for programs (json)"
    )
    metrics_listen: str = Field(
        default="",
        pattern=r"^(|[^\s]+:[0-9]{1,5})$",
        validation_alias="METRICS_LISTEN",
        description="host:port of each service's figures for Prometheus (the gateway's are at /metrics); empty: none",
    )
    otlp_endpoint: str = Field(
        default="",
        validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        description="http(s)://host:port of who takes traces over OTLP/HTTP; empty: there are none",
    )
    otlp_traces_endpoint: str = Field(
        default="",
        validation_alias="OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        description="the same for traces alone, with its path, /v1/traces",
    )
    otlp_protocol: str = Field(
        default="",
        validation_alias="OTEL_EXPORTER_OTLP_PROTOCOL",
        description="how they are sent; http/protobuf is the one that is spoken",
    )
    otel_traces_exporter: str = Field(
        default="", validation_alias="OTEL_TRACES_EXPORTER", description="`none`: no traces, whatever else is set"
    )
    otel_sdk_disabled: str = Field(
        default="", validation_alias="OTEL_SDK_DISABLED", description="`true`: no traces, whatever else is set"
    )
    grpc_tls_cert_file: str = Field(
        default="",
        validation_alias="GRPC_TLS_CERT_FILE",
        description="this service's certificate for gRPC, with its chain, in PEM; empty: no TLS between the services",
    )
    grpc_tls_key_file: str = Field(
        default="",
        validation_alias="GRPC_TLS_KEY_FILE",
        description="its private key, without a password; needed with GRPC_TLS_CERT_FILE",
    )
    grpc_tls_ca_file: str = Field(
        default="",
        validation_alias="GRPC_TLS_CA_FILE",
        description="who all certificates are from, callers' and services'; needed with GRPC_TLS_CERT_FILE",
    )
    grpc_token: str = Field(
        default="",
        repr=False,
        pattern=r"^[\x21-\x7e]*$",
        validation_alias="GRPC_TOKEN",
        description="what every gRPC call must bring, between the services too; empty: no token is asked for",
    )
    nats_url: str = Field(
        default="",
        repr=False,  # it holds the server's token
        validation_alias="NATS_URL",
        description="nats://token@host:port; empty: the embedded server",
    )
    qdrant_url: str = Field(default="", validation_alias="QDRANT_URL", description="empty: the embedded store")
    s3_endpoint: str = Field(
        default="",
        pattern=r"^(https?://[^/\s]+/?)?$",
        validation_alias="S3_ENDPOINT",
        description="uploads and frames go to this S3 server, http(s)://host:port; empty: into `<state>/blobs`",
    )
    s3_access_key: str = Field(
        default="", repr=False, validation_alias="S3_ACCESS_KEY", description="needed with S3_ENDPOINT"
    )
    s3_secret_key: str = Field(
        default="", repr=False, validation_alias="S3_SECRET_KEY", description="needed with S3_ENDPOINT"
    )
    s3_bucket: str = Field(
        default="framewell",
        pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
        validation_alias="S3_BUCKET",
        description="bucket of the uploads, made when it is not there",
    )
    s3_region: str = Field(
        default="", validation_alias="S3_REGION", description="region of the S3 server; empty: it is asked"
    )

    @field_validator("state_dir")
    @classmethod
    def _home_is_known(cls, value: Path) -> Path:
        try:
            return value.expanduser()
        except RuntimeError:  # `~somebody` who is not there
            raise ValueError("there is no such user") from None

    @field_validator("rate_limit")
    @classmethod
    def _is_a_rate(cls, value: str) -> str:
        if not _RATE.fullmatch(value):
            raise ValueError("it must be a number and a unit, such as 10000/hour, 600/minute or 20/second")
        return value

    @property
    def state_path(self) -> Path:
        """The state directory, absolute."""
        return Path(os.path.abspath(self.state_dir.expanduser()))  # a default is not validated

    @property
    def traces_are_wanted(self) -> bool:
        """As the standard has it: the exporter's address is set, and nothing says no."""
        if self.otel_sdk_disabled.strip().lower() == "true" or self.otel_traces_exporter.strip().lower() == "none":
            return False
        return bool(self.otlp_endpoint or self.otlp_traces_endpoint)

    @classmethod
    def load(cls) -> Self:
        """Settings from the environment.

        Raises:
            SettingsError: a `FRAMEWELL_*` variable that does not exist, or a value out of its range.
        """
        secret = {variable + FILE_SUFFIX for variable in secrets_of(cls).values()}
        known = {variable_of(cls, name) for name in cls.model_fields} | secret | _ELSEWHERE
        known = {variable for variable in known if variable.startswith(PREFIX)}
        unknown = sorted(name for name in os.environ if name.upper().startswith(PREFIX) and name not in known)
        if unknown:
            raise SettingsError(f"Unknown setting {', '.join(unknown)}. Known are: {', '.join(sorted(known))}.")
        settings = loaded(cls)
        if settings.s3_endpoint and not (settings.s3_access_key and settings.s3_secret_key):
            raise SettingsError("S3_ENDPOINT is set; S3_ACCESS_KEY and S3_SECRET_KEY are needed with it.")
        return settings


def loaded(settings: type[S], **given: Any) -> S:
    """An instance from the environment, its first fault told in one sentence, which never holds a secret: the value
    of a field that has `repr=False`. A secret may be in a file that the variable with `_FILE` behind its name names.

    Raises:
        SettingsError: a value is missing or out of its range, or a secret's file cannot be read.
    """
    in_files = _from_files(settings)
    try:
        return settings(**(in_files | given))
    except ValidationError as error:
        fault = error.errors()[0]
        name = str(fault["loc"][0]) if fault["loc"] else ""
        prefix = str(settings.model_config.get("env_prefix") or "")
        variable = name if name.isupper() else (prefix + (name or "a setting")).upper()
        variable += FILE_SUFFIX if name in in_files else ""
        # Without a name it is all of them together.
        value = "" if not name or _is_secret(settings, name) else f"={fault.get('input')!r}"
        wrong = SettingsError(f"{variable}{value} is not valid: {fault['msg'].removeprefix('Value error, ')}.")
    raise wrong  # outside, so that pydantic's error, which quotes the value, is not in its traceback


def variable_of(settings: type[BaseSettings], name: str) -> str:
    """The environment variable of a field."""
    alias = settings.model_fields[name].validation_alias
    return alias if isinstance(alias, str) else (str(settings.model_config.get("env_prefix") or "") + name).upper()


def secrets_of(settings: type[BaseSettings]) -> dict[str, str]:
    """The fields that must not be shown, with their variables."""
    return {name: variable_of(settings, name) for name, field in settings.model_fields.items() if not field.repr}


def _from_files(settings: type[BaseSettings]) -> dict[str, Any]:
    """Secrets by the key that the class takes them under, from the files that the environment names.

    Raises:
        SettingsError: a file cannot be used, or the secret is given in both ways.
    """
    found: dict[str, Any] = {}
    for name, variable in secrets_of(settings).items():
        file = os.environ.get(variable + FILE_SUFFIX, "")
        if not file:
            continue
        if os.environ.get(variable, ""):
            raise SettingsError(f"{variable} and {variable}{FILE_SUFFIX} are both set; one of them is enough.")
        alias = settings.model_fields[name].validation_alias
        found[alias if isinstance(alias, str) else name] = _content(variable + FILE_SUFFIX, file)
    return found


def _content(variable: str, file: str) -> str:
    try:
        text = Path(file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError(f"{variable}={file!r} cannot be read: {error.strerror}.") from None
    except ValueError:  # no UTF-8, or a name that no file can have
        raise SettingsError(f"{variable}={file!r} is no file of text.") from None
    if not text:
        raise SettingsError(f"{variable}={file!r} is an empty file.")
    return text


def _is_secret(settings: type[BaseSettings], name: str) -> bool:
    fields = settings.model_fields.items()
    return any(not field.repr for own, field in fields if name in (own, field.validation_alias))

"""`.env.example`: every setting of the containers with a sentence, made from the settings classes and, for what only
compose reads, from the list here. `make docs` writes it, a test compares it with the classes and the compose files.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from fs_service.config import FsSettings
from gateway.config import GatewaySettings
from media_common.config import FILE_SUFFIX, PublicSettings, secrets_of, variable_of
from metadata_service.config import MetadataSettings
from pydantic_settings import BaseSettings
from search_service.config import SearchSettings
from thumbnail_service.config import ThumbnailSettings

FILE: Final = Path(__file__).resolve().parent.parent / ".env.example"


class Setting(NamedTuple):
    """One line to set, and the sentence above it."""

    name: str
    default: str
    sentence: str


#: Has no default.
NEEDED: Final = "MEDIA_DIR"
#: Read by compose itself, not by a service.
LIBRARY: Final = (
    Setting(NEEDED, "", "The folder of your photos and videos, absolute; the only setting that is needed."),
    Setting(
        "MEDIA_READ_ONLY", "false", "true: nothing is ever written to it; marks are kept beside, nothing is deleted."
    ),
    Setting(
        "MEDIA_PROPAGATION",
        "rprivate",
        "rslave: disks that the server mounts below it later are seen too (where systemd mounts them).",
    ),
    Setting("PUID", "1000", "The user that the containers run as: the one who owns the photos (`id -u`)."),
    Setting("PGID", "1000", "Its group (`id -g`)."),
)
ADDRESS: Final = (
    Setting("FRAMEWELL_HOST", "127.0.0.1", "Address of the server on which Framewell is reached."),
    Setting("FRAMEWELL_PORT", "8080", "Port on which Framewell is reached."),
    Setting("TRUSTED_HOSTS", "", "Further names of the server that callers and proxies use, comma-separated."),
)
COMPOSE: Final = (
    Setting(
        "COMPOSE_FILE",
        "docker-compose.yml",
        "Which stack: docker-compose.yml:docker-compose.lite.yml is the small one, for every command.",
    ),
    Setting("THUMBNAIL_WORKERS", "1", "How many thumbnail workers run; `make scale N=4` is for now, this is for good."),
    Setting("SECRETS_DIR", "./secrets", "Where deploy/secrets.sh keeps keys and passwords."),
    Setting("HEALTH_INTERVAL", "10s", "How often each container is asked whether it is well."),
    Setting("IMAGE_PREFIX", "framewell/", "What the names of our images begin with, a registry of yours, say."),
    Setting("IMAGE_TAG", "local", "Their tag; the one before an upgrade is the way back."),
    Setting("PYTHON_IMAGE", "python:3.11-slim-bookworm", "What our images are built on."),
    Setting("NATS_IMAGE", "nats:2.11.11-alpine", "The message server's image."),
    Setting("QDRANT_IMAGE", "qdrant/qdrant:v1.16.3", "The vector server's image."),
    Setting("S3_IMAGE", "quay.io/minio/minio:RELEASE.2025-09-07T16-13-09Z", "The blob store's image."),
    Setting(
        "TORCH_INDEX_URL",
        "https://download.pytorch.org/whl/cpu",
        "Where torch comes from when the search image is built: for processors; empty for the ordinary index.",
    ),
    Setting("TORCH_CUDA_INDEX_URL", "https://download.pytorch.org/whl/cu130", "The same for docker-compose.gpu.yml."),
    Setting("NVIDIA_VISIBLE_DEVICES", "all", "Which cards docker-compose.gpu.yml may use."),
)
LIMITS: Final = (
    Setting("LIMIT_MEMORY_GATEWAY", "1g", "Most memory of the gateway."),
    Setting("LIMIT_MEMORY_FS", "2g", "Most memory of the file service, its probe processes among it."),
    Setting("LIMIT_MEMORY_THUMBNAIL", "2g", "Most memory of each thumbnail worker."),
    Setting("LIMIT_MEMORY_METADATA", "2g", "Most memory of the catalogue."),
    Setting("LIMIT_MEMORY_SEARCH", "6g", "Most memory of the search service; 10g with docker-compose.gpu.yml."),
    Setting("LIMIT_MEMORY_NATS", "256m", "Most memory of the message server."),
    Setting("LIMIT_MEMORY_QDRANT", "4g", "Most memory of the vector server; 1,000,000 vectors of 512 take about 3 GB."),
    Setting("LIMIT_MEMORY_S3", "2g", "Most memory of the blob store."),
)
OBSERVABILITY: Final = (
    Setting("PROMETHEUS_IMAGE", "prom/prometheus:v3.5.0", "Prometheus' image."),
    Setting("PROMETHEUS_RETENTION", "30d", "How long figures are kept."),
    Setting("LIMIT_MEMORY_PROMETHEUS", "512m", "Most memory of Prometheus."),
    Setting("GRAFANA_IMAGE", "grafana/grafana:12.1.1", "Grafana's image."),
    Setting("GRAFANA_HOST", "127.0.0.1", "Address of the server on which Grafana is reached."),
    Setting("GRAFANA_PORT", "3000", "Port on which Grafana is reached."),
    Setting("LIMIT_MEMORY_GRAFANA", "512m", "Most memory of Grafana."),
    Setting("COLLECTOR_IMAGE", "otel/opentelemetry-collector:0.135.0", "The collector's image."),
    Setting("OTEL_TRACES_SAMPLER", "parentbased_traceidratio", "Which requests are traced; `always_on` for all."),
    Setting("OTEL_TRACES_SAMPLER_ARG", "0.1", "The share of them, where the sampler takes one."),
    Setting("LIMIT_MEMORY_COLLECTOR", "256m", "Most memory of the collector."),
)
#: Addresses that compose gives another default than the class has.
ELSEWHERE: Final = {
    "QDRANT_URL": Setting(
        "QDRANT_URL", "http://qdrant:6333", "The vector server; another one needs its key in the secrets."
    ),
    "OTEL_EXPORTER_OTLP_ENDPOINT": Setting(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "http://collector:4318",
        "Who takes traces over OTLP/HTTP; used with docker-compose.observability.yml, and without it where it is set.",
    ),
    "METRICS_LISTEN": Setting(
        "METRICS_LISTEN", "", "Where each service has its figures; docker-compose.observability.yml sets it."
    ),
    "GRPC_TLS_CERT_FILE": Setting(
        "GRPC_TLS_CERT_FILE", "", "Each service's certificate for gRPC, in PEM; docker-compose.mtls.yml sets it."
    ),
    "GRPC_TLS_KEY_FILE": Setting("GRPC_TLS_KEY_FILE", "", "Its private key; docker-compose.mtls.yml sets it."),
    "GRPC_TLS_CA_FILE": Setting(
        "GRPC_TLS_CA_FILE", "", "Who all certificates must be from; docker-compose.mtls.yml sets it."
    ),
    "S3_ENDPOINT": Setting(
        "S3_ENDPOINT", "http://s3:9000", "The blob store; another one needs its keys in the secrets."
    ),
}
#: What follows from how the containers are put together, and why.
FIXED: Final = {
    "FRAMEWELL_STATE_DIR": "a folder of the volume `state`",
    "FS_LISTEN": "the containers' own network",
    "FS_THUMBNAIL_CACHE": "the volume `cache`",
    "THUMBNAIL_LISTEN": "the containers' own network",
    "METADATA_LISTEN": "the containers' own network",
    "METADATA_FS_TARGET": "the containers' own network",
    "SEARCH_LISTEN": "the containers' own network",
    "SEARCH_METADATA_TARGET": "the containers' own network",
    "GATEWAY_FS_TARGET": "the containers' own network",
    "GATEWAY_METADATA_TARGET": "the containers' own network",
    "GATEWAY_SEARCH_TARGET": "the containers' own network",
    "GATEWAY_THUMBNAIL_TARGETS": "the file service knows the workers there are",
    "GATEWAY_TRUSTED_HOSTS": "FRAMEWELL_HOST and TRUSTED_HOSTS",
}
CLASSES: Final[dict[str, type[BaseSettings]]] = {
    "What Framewell does": PublicSettings,
    "Gateway": GatewaySettings,
    "File service": FsSettings,
    "Thumbnail workers": ThumbnailSettings,
    "Catalogue": MetadataSettings,
    "Search": SearchSettings,
}
_HEAD: Final = """\
# Settings of docker-compose.yml: copy this to .env and change what you need; a line without `#` is set. Written by
# `make docs`, so that nothing is missing here. What each does is told at length in docs/deployment.md.
"""


def text() -> str:
    """The whole file."""
    parts = [_HEAD, *_section("Your library", LIBRARY), *_section("Where it is reached", ADDRESS)]
    named = {setting.name for setting in ADDRESS}
    for title, settings in CLASSES.items():
        parts += _section(title, [one for one in settings_of(settings) if one.name not in named])
    parts += _section("Containers", COMPOSE) + _section("Most memory of each", LIMITS)
    parts += _section("docker-compose.observability.yml", OBSERVABILITY)
    parts.append("\n# ---- Set by docker-compose.yml itself; nothing to do here ----\n\n")
    parts += [f"# {name}: {why}.\n" for name, why in FIXED.items()]
    parts.append("\n# ---- Secrets: files in SECRETS_DIR, made by deploy/secrets.sh; not set here ----\n\n")
    parts += [f"# {name}{FILE_SUFFIX}: {sentence}\n" for name, sentence in secrets()]
    return "".join(parts)


def settings_of(settings: type[BaseSettings]) -> list[Setting]:
    """What can be set of a class: not what is fixed, and no secret."""
    found = []
    hidden = secrets_of(settings)
    for name, field in settings.model_fields.items():
        variable = variable_of(settings, name)
        if name in hidden or variable in FIXED:
            continue
        default = "" if field.default is None else str(field.default)
        default = default.lower() if isinstance(field.default, bool) else default
        found.append(ELSEWHERE.get(variable) or Setting(variable, default, _sentence(field.description or "", default)))
    return found


def secrets() -> list[tuple[str, str]]:
    """Every secret variable with what it is."""
    found = []
    for settings in CLASSES.values():
        for name, variable in secrets_of(settings).items():
            found.append((variable, _sentence(settings.model_fields[name].description or "")))
    return found


def _section(title: str, settings: Sequence[Setting]) -> list[str]:
    lines = [f"\n# ---- {title} ----\n"]
    for setting in settings:
        mark = "" if setting.name == NEEDED else "#"
        lines.append(f"\n# {setting.sentence}\n{mark}{setting.name}={setting.default}\n")
    return lines


def _sentence(description: str, default: str = "") -> str:
    """A value that stands at its beginning stays as it is written."""
    is_value = bool(default) and description.startswith(default)
    first = description[:1] if is_value else description[:1].upper()
    return f"{first}{description[1:]}".rstrip(".") + "."


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
    sys.exit(0)

"""Which processes make up the product on one machine, and what each is told. Nothing is started here."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from media_common.config import FILE_SUFFIX, PublicSettings, SettingsError

from runner.nats import Nats
from runner.process import Spec

# Who is asked to stop first: nobody may lose somebody it still needs.
GATEWAY_STAGE: Final = 0
WORKER_STAGE: Final = 1
SERVICE_STAGE: Final = 2
NATS_STAGE: Final = 3

#: What it says is in the settings already, and a service refuses to be told twice.
_NATS_FILE: Final = f"NATS_URL{FILE_SUFFIX}"
WORKERS_SETTING: Final = "THUMBNAIL_WORKERS"
METRICS_SETTING: Final = "METRICS_LISTEN"
_MOST_WORKERS: Final = 64


@dataclass(frozen=True, slots=True)
class Stack:
    """Every process to run, and how each is reached."""

    specs: list[Spec]
    #: `unix:/path` of each gRPC server.
    sockets: dict[str, str]
    nats_url: str

    @property
    def awaited(self) -> dict[str, str]:
        """Those without which the product is not ready."""
        later = {spec.name for spec in self.specs if spec.later}
        return {name: address for name, address in self.sockets.items() if name not in later}


def stack(settings: PublicSettings, runtime: Path, nats: Nats | None, workers: int) -> Stack:
    """The processes for these settings.

    Args:
        runtime: the private folder of the sockets.
        nats: the embedded server; None when `NATS_URL` names one outside.
    """
    nats_url = settings.nats_url if nats is None else nats.url
    sockets = {name: f"unix:{runtime / name}.sock" for name in ("fs", "metadata", "search")}
    sockets |= {f"thumb-{number}": f"unix:{runtime}/thumb-{number}.sock" for number in range(1, workers + 1)}
    common = environment(settings, nats_url)
    figures = figures_addresses(settings.metrics_listen, list(sockets))

    def service(name: str, module: str, stage: int, *, later: bool = False, **own: str) -> Spec:
        # Less than what `supervisor.GRACE_S` gives, so that a service ends in its own way.
        grace = {f"{module.partition('_')[0].upper()}_STOP_GRACE_S": "2"}
        own[METRICS_SETTING] = figures.get(name, "")
        return Spec(name, (sys.executable, "-m", module), grace | common | own, stage, later=later)

    specs = [
        service("fs", "fs_service", SERVICE_STAGE, FS_LISTEN=sockets["fs"]),
        service(
            "metadata",
            "metadata_service",
            SERVICE_STAGE,
            METADATA_LISTEN=sockets["metadata"],
            METADATA_FS_TARGET=sockets["fs"],
        ),
        service(
            "search",
            "search_service",
            SERVICE_STAGE,
            SEARCH_LISTEN=sockets["search"],
            SEARCH_METADATA_TARGET=sockets["metadata"],
        ),
        *(
            service(name, "thumbnail_service", WORKER_STAGE, later=name != "thumb-1", THUMBNAIL_LISTEN=address)
            for name, address in sockets.items()
            if name.startswith("thumb-")
        ),
        service(
            "gateway",
            "gateway",
            GATEWAY_STAGE,
            GATEWAY_FS_TARGET=sockets["fs"],
            GATEWAY_METADATA_TARGET=sockets["metadata"],
            GATEWAY_SEARCH_TARGET=sockets["search"],
        ),
    ]
    if nats is not None:
        # The limit is soft: the server collects more eagerly near it.
        told = dict(os.environ) | {"GOMEMLIMIT": "96MiB"}
        specs.insert(0, Spec("nats", nats.command, told, NATS_STAGE, unremarkable="[INF]"))
    return Stack(specs, sockets, nats_url)


def environment(settings: PublicSettings, nats_url: str) -> dict[str, str]:
    """What every service is told."""
    inherited = {name: value for name, value in os.environ.items() if name != _NATS_FILE}
    return inherited | {
        "FRAMEWELL_STATE_DIR": str(settings.state_path),
        "NATS_URL": nats_url,
        METRICS_SETTING: "",  # one address is not for all of them
        "PYTHONUNBUFFERED": "1",
    }


def figures_addresses(listen: str, names: Sequence[str]) -> dict[str, str]:
    """Where each process has its figures, when `METRICS_LISTEN` asks for them: the first at the port that is set, the
    others behind it; port 0 is a free one for each."""
    if not listen:
        return {}
    host, _, port = listen.rpartition(":")
    first = int(port)
    return {name: f"{host}:{first + number if first else 0}" for number, name in enumerate(names)}


def worker_count() -> int:
    """How many thumbnail workers to start: `THUMBNAIL_WORKERS`, else one a core and two at most.

    Raises:
        SettingsError: it is no number, or out of its range.
    """
    text = os.environ.get(WORKERS_SETTING, "")
    if not text:
        return max(1, min(2, os.cpu_count() or 1))
    if not (text.isascii() and text.isdigit() and int(text) <= _MOST_WORKERS):
        raise SettingsError(f"{WORKERS_SETTING}={text!r} is not valid: a whole number from 0 to {_MOST_WORKERS}.")
    return int(text)

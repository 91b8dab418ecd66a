"""The stack that runs on the state directory, as `<state>/run.json` tells it; in a container, as the gateway's own
settings do."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from media_common.config import PublicSettings
from media_common.trust import trusted

from gateway.catalogue import CatalogueClient
from gateway.clients import FsClient
from gateway.command.state_dir import is_held
from gateway.config import GatewaySettings, told_services
from gateway.dependencies import Dependencies
from gateway.search import SearchClient

RUN_FILE: Final = "run.json"
PACKAGE: Final = "framewell-gateway"


class Refused(Exception):
    """It cannot be done as things are; the text is a sentence."""


class NotRunning(Refused):
    """There is no stack to talk to."""


@dataclass(frozen=True)
class Stack:
    """The services of a running stack, connected."""

    state: Path
    url: str
    fs: FsClient
    catalogue: CatalogueClient
    search: SearchClient
    dependencies: Dependencies


@asynccontextmanager
async def running(public: PublicSettings) -> AsyncIterator[Stack]:
    """
    Raises:
        NotRunning: nothing runs on the state directory.
        SettingsError: the environment says what cannot be.
    """
    settings, url = _told(public)
    trust = trusted(public)
    fs, catalogue = FsClient.open(settings, trust), CatalogueClient.open(settings, trust)
    search = SearchClient.open(settings, trust)
    dependencies = Dependencies(fs, settings, trust)
    try:
        yield Stack(public.state_path, url, fs, catalogue, search, dependencies)
    finally:
        await dependencies.close()
        await search.close()
        await catalogue.close()
        await fs.close()


def _told(public: PublicSettings) -> tuple[GatewaySettings, str]:
    """Where the services are, and the gateway's address.

    Raises:
        NotRunning, SettingsError
    """
    if (settings := told_services()) is not None:
        return settings, f"http://127.0.0.1:{public.port}"
    facts = _facts(public.state_path)
    sockets = facts["sockets"]
    settings = GatewaySettings(
        fs_target=sockets["fs"], metadata_target=sockets["metadata"], search_target=sockets["search"]
    )
    return settings, facts["url"]


def _facts(state: Path) -> dict[str, Any]:
    try:
        if not is_held(state):  # a file that is there all the same is what a killed stack left
            raise FileNotFoundError
        facts: dict[str, Any] = json.loads((state / RUN_FILE).read_text(encoding="utf-8"))
        if facts["url"] and facts["sockets"].keys() >= {"fs", "metadata", "search"}:
            return facts
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise NotRunning(
            f"Framewell is not running on the state directory {state}; start it, or set FRAMEWELL_STATE_DIR."
        ) from error
    raise NotRunning(f"{state / RUN_FILE} does not tell where the services are.")

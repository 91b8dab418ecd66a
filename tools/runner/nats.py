"""The embedded NATS server: where its program is, and a configuration that lets nobody else in."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runner.state import Refused

#: A 1024 px PNG travels in one reply.
MAX_PAYLOAD_BYTES: Final = 8 * 2**20


@dataclass(frozen=True, slots=True)
class Nats:
    """One server for one run: its port and token stay the same when the process is started again."""

    command: tuple[str, ...]
    port: int
    url: str


def prepared(store: Path, runtime: Path) -> Nats:
    """A server with JetStream in `store`, on loopback, ready to be started.

    Raises:
        Refused: the program is not installed.
    """
    port = free_port()
    token = secrets.token_hex(24)
    # JSON is a subset of the server's own format. In a file, because command lines are public on a machine.
    configuration = runtime / "nats.conf"
    settings = {
        "server_name": "framewell",
        "listen": f"127.0.0.1:{port}",
        "authorization": {"token": token},
        "max_payload": MAX_PAYLOAD_BYTES,
        "jetstream": {
            "store_dir": str(store),
            "max_memory_store": 16 * 2**20,
            # Messages say "look again", so a power cut may cost the last second of them, not the last two minutes
            # (the server's default).
            "sync_interval": "1s",
        },
        "logtime": False,
    }
    store.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(configuration, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(os.fsencode(json.dumps(settings, indent=2, ensure_ascii=False)))
    return Nats((program(), "-c", str(configuration)), port, f"nats://{token}@127.0.0.1:{port}")


def program() -> str:
    """The path of nats-server: the one that pip put beside this Python, else one on the PATH.

    Raises:
        Refused: there is none.
    """
    beside = Path(sys.executable).with_name("nats-server")
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise Refused("nats-server is not installed: run `make setup`, or set NATS_URL to a server that is running.")
    return found


def free_port() -> int:
    """A loopback TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

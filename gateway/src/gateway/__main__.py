"""`python -m gateway`: the public HTTP server. The only place that reads settings and builds things."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from types import FrameType
from typing import Final

import uvicorn
import uvloop
from media_common.config import PublicSettings, SettingsError
from media_common.logs import configure_logs
from media_common.trust import Trust, trusted
from media_common.watching import traced

from gateway.app import Parts, create_app
from gateway.auth import admin_key
from gateway.config import GatewaySettings, allowed_origins
from gateway.protocol import SpeakingProtocol
from gateway.secret_file import SIGNING_KEY_FILE, kept_secret

logger = logging.getLogger(__name__)

#: Idle connections of a browser are kept about as long as it keeps them.
KEEP_ALIVE_S: Final = 60
#: Exit status of a process that was set up wrongly: starting it again will not help.
EXIT_SETTINGS: Final = 2


class Server(uvicorn.Server):
    """Tells the listeners of `/api/events` at the first signal, so that they do not hold up the stop."""

    def __init__(self, config: uvicorn.Config, stopping: asyncio.Event) -> None:
        super().__init__(config)
        self._stopping = stopping

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._stopping.set()
        # Not the base class's: it raises the signal again at the end, and a stop that was asked for is no failure.
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True


async def serve(
    settings: GatewaySettings, public: PublicSettings, trust: Trust, admin_key: str, signing_key: str
) -> None:
    stopping = asyncio.Event()
    async with traced("gateway", public) as spans:
        await _serve(Parts(settings, public, admin_key, signing_key, stopping, spans, trust))


async def _serve(parts: Parts) -> None:
    settings, public = parts.settings, parts.public
    config = uvicorn.Config(
        create_app(parts),
        host=public.host,
        port=public.port,
        http=SpeakingProtocol,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        # The peer is whoever connected: a header must not make a stranger local.
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, round(settings.stop_grace_s)),
    )
    logger.info("serving on http://%s:%d", public.host, public.port)
    await Server(config, parts.stopping).serve()


def main() -> int:
    try:
        public = PublicSettings.load()
        settings = GatewaySettings.load()
        trust = trusted(public)
        allowed_origins(public)
        configure_logs("gateway", public.log_level or "INFO", public.log_format)
        key = admin_key(public.admin_key, public.state_path)
        signing_key = kept_secret(public.state_path / SIGNING_KEY_FILE, "a key that signs addresses")
    except SettingsError as error:
        print(f"gateway: {error}", file=sys.stderr)
        return EXIT_SETTINGS
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings, public, trust, key, signing_key))
    return 0


if __name__ == "__main__":
    sys.exit(main())

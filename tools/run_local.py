"""`make run`: the whole product on this machine, as supervised processes. Ctrl-C or SIGTERM stops all of them.

    run_local.py             run
    run_local.py --demo      make a sample library under ./demo, then run on it
    run_local.py --worker    one more thumbnail worker beside a stack that is running

Exit codes: 0 stopped as asked, 1 cannot run as things are (the sentence says why), 2 a setting is wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any, Final

from media_common.config import PublicSettings, SettingsError
from runner import nats, probe, services
from runner.output import Output
from runner.process import BAD_SETTINGS
from runner.services import Stack
from runner.state import Refused, StateDirectory, running
from runner.supervisor import BadSettings, Supervisor

_HERE: Final = Path(__file__).resolve().parent
_DEMO: Final = _HERE.parent / "demo"
_LIBRARY: Final = _DEMO / "library"
#: Seconds in which a second signal is the first one's echo: `make` passes on what its process group has had already.
_ECHO_S: Final = 1.0
#: Listening on every address includes this machine's own.
_REACHED_AT: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "localhost": "127.0.0.1"}


def main() -> int:
    began = time.monotonic()
    parser = argparse.ArgumentParser(description="Run Framewell on this machine.")
    parser.add_argument("--demo", action="store_true", help="make a sample library and run on it")
    parser.add_argument("--worker", action="store_true", help="start one more thumbnail worker beside a running stack")
    options = parser.parse_args()
    # Until there is an event loop to stop things in order, both end the program the same way.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if options.demo:
        os.environ.setdefault("FRAMEWELL_STATE_DIR", str(_DEMO / "state"))
    try:
        settings = PublicSettings.load()
        if options.worker:
            become_worker(settings)
        return run(settings, options.demo, began)
    except SettingsError as error:
        return _said(error, BAD_SETTINGS)
    except Refused as error:
        return _said(error, 1)
    except KeyboardInterrupt:
        return 0


def run(settings: PublicSettings, demo: bool, began: float) -> int:
    """Run until a signal; the exit code.

    Raises:
        Refused: before anything was started.
    """
    workers = services.worker_count()
    with StateDirectory(settings.state_path) as state:
        refuse_taken_address(settings.host, settings.port)
        if demo:
            make_demo_library()
            began = time.monotonic()  # drawing pictures is no part of starting
        embedded = None if settings.nats_url else nats.prepared(state.path / "nats", state.runtime)
        stack = services.stack(settings, state.runtime, embedded, workers)
        output = Output(state.path / "logs", settings.log_format)
        try:
            asyncio.run(supervise(settings, state, stack, output, demo, began))
        except BadSettings as error:
            return _said(error, BAD_SETTINGS)
        finally:
            output.close()
    return 0


async def supervise(
    settings: PublicSettings, state: StateDirectory, stack: Stack, output: Output, demo: bool, began: float
) -> None:
    """Start, wait, tell, watch; on a signal stop all, and on a second one at once."""
    host, port = _REACHED_AT.get(settings.host, settings.host), settings.port
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    ready = asyncio.Event()
    stopping = asyncio.Event()

    def publish() -> None:
        processes = {child.spec.name: {"pid": child.pid, "restarts": child.restarts} for child in supervisor.children}
        facts = {
            "url": url,
            "pid": os.getpid(),
            "ready": ready.is_set(),
            "nats_url": stack.nats_url,
            "sockets": stack.sockets,
            "log": str(output.file),
            "processes": processes,
        }
        try:
            state.publish(facts)
        except OSError as error:  # a full disk must not stop what runs
            output.line("run", f"run.json cannot be written: {error.strerror}")

    supervisor = Supervisor(stack.specs, output, publish)

    asked_at = 0.0

    def asked_to_stop(number: signal.Signals) -> None:
        nonlocal asked_at
        if not stopping.is_set():
            asked_at = time.monotonic()
            output.line("run", f"{number.name}: stopping")
        elif time.monotonic() - asked_at > _ECHO_S:
            output.line("run", f"{number.name} again: stopping at once")
            supervisor.hurry()
        stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, asked_to_stop, number)

    async def start() -> None:
        await supervisor.until_ready(partial(missing, stack, host, port))
        if demo:
            status, answer = await probe.http(host, port, "POST", "/api/review-paths", {"path": str(_LIBRARY)})
            if status != 201:
                output.line("run", f"the sample library could not be added: {answer}")
        ready.set()
        supervisor.start_later()
        publish()
        for line in welcome(settings, url, output, time.monotonic() - began, demo):
            output.line("run", line)

    publish()
    supervisor.start()
    starting = asyncio.create_task(start())
    asked = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({starting, asked}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
        await asked
    finally:
        stopping.set()
        starting.cancel()
        asked.cancel()
        stop_began = time.monotonic()
        await supervisor.stop()
        output.line("run", f"stopped in {time.monotonic() - stop_began:.1f} s")


async def missing(stack: Stack, host: str, port: int) -> str:
    """Who does not answer yet; empty when all do. The gateway's own readiness asks the services over gRPC."""
    silent = [name for name, address in stack.awaited.items() if not await probe.accepts(address)]
    if silent:
        return ", ".join(silent)
    try:
        status, answer = await probe.http(host, port, "GET", "/health/ready")
    except OSError:
        return "gateway"
    return "" if status == 200 else f"gateway says {status}: {answer}"


def welcome(settings: PublicSettings, url: str, output: Output, took_s: float, demo: bool) -> list[str]:
    """What a person wants to know once everything is up."""
    key = "FRAMEWELL_ADMIN_KEY" if settings.admin_key else str(settings.state_path / "admin.key")
    lines = [
        f"ready in {took_s:.1f} s: {url}  (API: {url}/docs)",
        f"config     {settings.state_path / 'config.yaml'}",
        f"log        {output.file}",
        f"admin key  {key}",
    ]
    return [*lines, f"library    {_LIBRARY}"] if demo else lines


def refuse_taken_address(host: str, port: int) -> None:
    """Find out before anything is started.

    Raises:
        Refused: the gateway could not listen there.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise Refused(f"FRAMEWELL_HOST={host} is not an address of this machine: {error.strerror}.") from error
    with socket.socket(family, kind) as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind(address)
            attempt.listen(1)
        except OSError as error:
            raise Refused(
                f"Cannot listen on {host} port {port}: {error.strerror}. Stop what uses it, or set FRAMEWELL_PORT "
                "(and FRAMEWELL_HOST) to another."
            ) from error


def make_demo_library() -> None:
    """In a process of its own, so that the picture libraries do not stay in this one's memory.

    Raises:
        Refused: it could not be made.
    """
    made = subprocess.run([sys.executable, str(_HERE / "make_media.py"), str(_LIBRARY)], check=False)
    if made.returncode != 0:
        raise Refused(f"The sample library could not be made in {_LIBRARY}.")


def become_worker(settings: PublicSettings) -> None:
    """Turn into a thumbnail worker of the stack that runs on this state directory; returns never.

    Raises:
        Refused: none runs there.
    """
    facts: dict[str, Any] = running(settings.state_path)
    listen = f"unix:{facts['runtime_dir']}/thumb-{os.getpid()}.sock"
    told = services.environment(settings, facts["nats_url"]) | {"THUMBNAIL_LISTEN": listen}
    # The same process goes on as the worker: signals and the exit code need no passing on.
    os.execve(sys.executable, (sys.executable, "-m", "thumbnail_service"), told)  # noqa: S606


def _said(error: Exception, code: int) -> int:
    print(f"framewell: {error}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())

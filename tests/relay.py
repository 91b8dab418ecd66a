"""A TCP relay before a server that counts what comes through, as a proxy on the way would."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

_PIECE = 16 * 1024


@dataclass
class Relay:
    """`received`: bytes of the server that were passed on, of all connections."""

    port: int
    received: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def relay_before(port: int) -> Iterator[Relay]:
    """A relay to this port of this machine, on an event loop and a thread of its own."""
    relay = Relay(0)
    loop = asyncio.new_event_loop()
    tasks: set[asyncio.Task[None]] = set()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, counts: bool) -> None:
        with suppress(ConnectionError):
            while piece := await reader.read(_PIECE):
                # One piece is on its way at most: what nobody reads is not taken from the server either.
                writer.write(piece)
                await writer.drain()
                relay.received += len(piece) if counts else 0
        writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", port)
        for one in (pass_on(reader, to_writer, False), pass_on(to_reader, writer, True)):
            task = loop.create_task(one)
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    # All of it on that thread: the caller's may have a running loop of its own, as one with an open browser has.
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    starting = asyncio.start_server(connected, "127.0.0.1", 0)
    server = asyncio.run_coroutine_threadsafe(starting, loop).result(10)
    relay.port = server.sockets[0].getsockname()[1]

    async def end() -> None:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    try:
        yield relay
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

"""The least that a FastAPI route costs: `python -m bench.bare_server SIZE` prints its port and serves SIZE bytes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI, Request, Response


@contextmanager
def bare_server(size: int) -> Iterator[int]:
    """Such a server, and its port."""
    command = [sys.executable, "-m", "bench.bare_server", str(size)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, bufsize=1)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def main() -> None:
    body = os.urandom(int(sys.argv[1]))
    app = FastAPI()

    @app.post("/{path:path}")
    async def given(path: str, request: Request) -> Response:
        await request.json()
        return Response(body, media_type="application/json")

    @app.get("/api/media-thumbnail")
    async def thumbnail(path: str, size: int) -> Response:
        return Response(body, media_type="image/png", headers={"etag": f'"{len(path)}-{size}"'})

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False)).run([listener])


if __name__ == "__main__":
    main()

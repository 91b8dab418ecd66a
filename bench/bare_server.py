"""The least that a FastAPI route costs: `python -m bench.bare_server SIZE` prints its port and serves SIZE bytes."""

from __future__ import annotations

import os
import socket
import sys

import uvicorn
from fastapi import FastAPI, Response


def main() -> None:
    body = os.urandom(int(sys.argv[1]))
    app = FastAPI()

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

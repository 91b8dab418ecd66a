"""An HTTP client that costs next to nothing: one keep-alive socket, requests as bytes, and no parsing beyond need."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from time import perf_counter
from typing import Any, Self
from urllib.parse import urlencode


def target(address: str, **parameters: str | int | Path) -> str:
    """A request target with its query; paths travel as their bytes."""
    pairs = {key: value if isinstance(value, int) else os.fsencode(value) for key, value in parameters.items()}
    return f"{address}?{urlencode(pairs)}" if pairs else address


class Connection:
    """One connection to the gateway."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=120)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""
        self.first_body_byte_s = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def get(self, where: str) -> bytes:
        return self._ask("GET", where, b"")

    def post(self, where: str, body: object) -> bytes:
        return self._ask("POST", where, json.dumps(body).encode())

    def delete(self, where: str, body: object) -> bytes:
        return self._ask("DELETE", where, json.dumps(body).encode())

    def json(self, where: str) -> Any:
        return json.loads(self.get(where))

    def _ask(self, method: str, where: str, body: bytes) -> bytes:
        head = f"{method} {where} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n"
        if method != "GET":
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        began = perf_counter()
        self._socket.sendall(head.encode() + b"\r\n" + body)
        status, headers = self._head()
        if headers.get(b"transfer-encoding") == b"chunked":
            answer = self._chunks(began)
        else:
            answer = self._exactly(int(headers.get(b"content-length", b"0")))
        if status >= 400:
            raise RuntimeError(f"{method} {where}: {status} {answer[:300]!r}")
        return answer

    def _head(self) -> tuple[int, Mapping[bytes, bytes]]:
        while b"\r\n\r\n" not in self._rest:
            self._more()
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        pairs = (line.partition(b":") for line in lines)
        return int(first.split()[1]), {name.lower(): value.strip() for name, _, value in pairs}

    def _chunks(self, began: float) -> bytes:
        parts: list[bytes] = []
        while True:
            while b"\r\n" not in self._rest:
                self._more()
            size, _, self._rest = self._rest.partition(b"\r\n")
            part = self._exactly(int(size, 16) + 2)[:-2]
            if not parts:
                self.first_body_byte_s = perf_counter() - began
            if not part:
                return b"".join(parts)
            parts.append(part)

    def _exactly(self, count: int) -> bytes:
        if len(self._rest) >= count:
            taken, self._rest = self._rest[:count], self._rest[count:]
            return taken
        parts, have = [self._rest], len(self._rest)
        while have < count:
            part = self._socket.recv(1 << 18)
            if not part:
                raise ConnectionError("the server closed the connection")
            parts.append(part)
            have += len(part)
        whole = b"".join(parts)
        self._rest = whole[count:]
        return whole[:count]

    def _more(self) -> None:
        part = self._socket.recv(1 << 18)
        if not part:
            raise ConnectionError("the server closed the connection")
        self._rest += part


def at_once(port: int, shares: Iterable[Callable[[Connection], None]]) -> float:
    """Seconds that the shares take, each on a connection and in a thread of its own, all started together."""
    gate = threading.Barrier(len(works := list(shares)) + 1)
    failures: list[BaseException] = []

    def run(work: Callable[[Connection], None]) -> None:
        with Connection(port) as connection:
            gate.wait()
            try:
                work(connection)
            except (RuntimeError, OSError) as error:
                failures.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    gate.wait()
    began = perf_counter()
    for thread in threads:
        thread.join()
    took_s = perf_counter() - began
    if failures:
        raise failures[0]
    return took_s

"""What the gateway's tests share: a key, a caller, the sentence of an error, a running fake."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any

import httpx
from fake_fs import FakeFs
from fastapi import FastAPI
from media_common.grpc_server import serving
from media_common.trust import ANYBODY, Trust
from media_proto import fs_pb2_grpc

KEY = "fw_a-key-for-tests"
SIGNING_KEY = "signs-in-tests"
#: Makes an application with other settings than the usual; used as `async with`.
MakeApp = Callable[..., AbstractAsyncContextManager[FastAPI]]


def serve_fake(fake: FakeFs, target: str, trust: Trust = ANYBODY) -> AbstractAsyncContextManager[Any]:
    register = partial(fs_pb2_grpc.add_FsServiceServicer_to_server, fake)
    return serving(target, register, ["framewell.fs.v1.FsService"], 0.1, trust=trust)


def client_of(app: FastAPI, peer: str = "127.0.0.1", host: str = "127.0.0.1:8080") -> httpx.AsyncClient:
    """A caller at that address that uses that Host."""
    transport = httpx.ASGITransport(app, client=(peer, 5000))
    return httpx.AsyncClient(transport=transport, base_url=f"http://{host}")


def error_of(answer: httpx.Response, status: int) -> str:
    """The sentence, and nothing but it, of an error of the review dialect."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert list(body) == ["error"]
    sentence: str = body["error"]
    assert sentence
    return sentence

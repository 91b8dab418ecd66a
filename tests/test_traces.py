"""A thumbnail from a request over HTTP to the worker that renders it, each service a process, told as one trace."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from media_common.testing import OtlpReceiver, ToldSpan, free_port, nats_server, otlp_receiver
from PIL import Image

KEY = "fw_a-key-for-tests"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


def until(true: Callable[[], object], within_s: float = 30.0) -> None:
    """Look every 50 ms until it holds."""
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class Product:
    """As much of it as a thumbnail needs."""

    def __init__(self, folder: Path, nats_url: str, **environment: str) -> None:
        port = free_port()
        self.http = httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers={"X-Api-Key": KEY}, trust_env=False, timeout=60
        )
        fs = f"unix:{folder}/fs.sock"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("FRAMEWELL_", "OTEL_"))}
        told = inherited | {
            "FRAMEWELL_STATE_DIR": str(folder / "state"),
            "FRAMEWELL_ADMIN_KEY": KEY,
            "FRAMEWELL_PORT": str(port),
            "NATS_URL": nats_url,
            "FS_LISTEN": fs,
            "FS_PREGENERATE": "false",
            "GATEWAY_FS_TARGET": fs,
            "GATEWAY_CONNECT_WAIT_S": "20",
            "THUMBNAIL_LISTEN": f"unix:{folder}/thumb.sock",
        }
        (folder / "state").mkdir()
        self.processes = [
            subprocess.Popen([sys.executable, "-m", module], env=told | environment)
            for module in ("fs_service", "thumbnail_service", "gateway")
        ]

    def is_ready(self) -> bool:
        try:
            return self.http.get("/health/ready").status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> None:
        self.http.close()
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        assert [process.wait(20) for process in self.processes] == [0, 0, 0]


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    with otlp_receiver() as made:
        yield made


@pytest.fixture
def product(tmp_path: Path, receiver: OtlpReceiver) -> Iterator[Product]:
    with ExitStack() as ends:
        nats = ends.enter_context(nats_server(tmp_path / "nats"))
        made = Product(tmp_path, nats.url, **receiver.environment)
        ends.callback(made.stop)
        until(made.is_ready)
        yield made


def test_a_thumbnail_is_one_trace_from_the_request_to_the_worker(
    product: Product, receiver: OtlpReceiver, tmp_path: Path
) -> None:
    library = tmp_path / "library"
    library.mkdir()
    Image.new("RGB", (60, 40)).save(library / "secret name.jpg")
    assert product.http.post("/api/review-paths", json={"path": str(library)}).status_code in (200, 201)

    asked = {"traceparent": f"00-{TRACE}-{PARENT}-01", "X-Request-Id": "req-9"}
    where = {"path": str(library / "secret name.jpg"), "size": "64"}
    assert product.http.get("/api/media-thumbnail", params=where, headers=asked).status_code == 200

    def told() -> dict[str, ToldSpan]:
        return {span.service: span for span in receiver.spans if span.trace_id == TRACE}

    until(lambda: len(told()) == 3)
    spans = told()
    assert {service: span.name for service, span in spans.items()} == {
        "gateway": "GET /api/media-thumbnail",
        "fs-service": "framewell.fs.v1.FsService/GetThumbnail",
        "thumbnail-service": "process thumbnail.render",
    }
    assert spans["gateway"].parent_id == PARENT
    assert spans["fs-service"].parent_id == spans["gateway"].span_id
    assert spans["thumbnail-service"].parent_id == spans["fs-service"].span_id
    assert not any(span.failed for span in spans.values())
    assert spans["gateway"].attributes == {
        "http.request.method": "GET",
        "url.scheme": "http",
        "http.response.status_code": 200,
        "http.route": "/api/media-thumbnail",
        "framewell.request_id": "req-9",
    }
    assert "secret" not in repr(receiver.spans), "no path is told"

    assert product.http.get("/api/media-thumbnail", params=where | {"size": "no"}).status_code == 400
    until(lambda: [span for span in receiver.spans if span.attributes.get("http.response.status_code") == 400])
    assert not [span for span in receiver.spans if span.name.startswith(("GET /health", "GET /metrics"))]

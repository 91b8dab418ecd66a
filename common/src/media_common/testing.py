"""What tests of several services need: a real nats-server with JetStream, which can be killed and started again; a
server that speaks S3; certificates; what a service tells Prometheus; who takes its traces.

`pytest` and the environment are read here and nowhere else in this package; nothing but tests imports this module.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

_START_S: Final = 10.0


class NatsServer:
    """One nats-server process on one loopback port, its streams in `folder`; the port outlives a restart."""

    def __init__(self, binary: Path, folder: Path) -> None:
        self._binary = binary
        self._folder = folder
        self._port = -1  # chosen by the server at its first start
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Returns when it accepts connections."""
        self._folder.mkdir(parents=True, exist_ok=True)
        config = self._folder / "nats.conf"
        config.write_text(
            f'listen: "127.0.0.1:{self._port}"\nmax_payload: 8MB\n'
            f'jetstream {{ store_dir: "{self._folder / "jetstream"}" }}\n'
            f'ports_file_dir: "{self._folder}"\n'
        )
        for old in self._folder.glob("*.ports"):
            old.unlink()
        with (self._folder / "nats.log").open("ab") as log:
            self._process = subprocess.Popen([self._binary, "-c", config], stdout=log, stderr=log)
        limit = time.monotonic() + _START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > limit:
                raise RuntimeError(f"nats-server did not start:\n{(self._folder / 'nats.log').read_text()[-2000:]}")
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.02)

    def _answers(self) -> bool:
        if self._port < 0:
            for file in self._folder.glob("*.ports"):
                with contextlib.suppress(ValueError, KeyError, IndexError):
                    self._port = int(json.loads(file.read_text())["nats"][0].rpartition(":")[2])
        if self._port < 0:
            return False
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._port), timeout=1) as link:
            return link.recv(5) == b"INFO "
        return False

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End it; with SIGKILL as a power cut would."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(_START_S)
            self._process = None

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """It holds its connections and says nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def restart(self, number: int = signal.SIGKILL) -> None:
        """End it and start it again on the same port, with the streams it had."""
        self.stop(number)
        self.start()


def nats_binary() -> Path:
    """The nats-server program; without it the test is skipped on a laptop and fails in CI."""
    beside = Path(sys.executable).with_name("nats-server")
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found:
        return Path(found)
    raise missing("nats-server is missing; it comes with requirements-dev.txt")


def openssl_binary() -> Path:
    """The openssl program, which deploy/certificates.sh needs; without it the test is skipped on a laptop and fails in
    CI."""
    if found := shutil.which("openssl"):
        return Path(found)
    raise missing("openssl is missing")


def missing(what: str) -> BaseException:
    """What a test raises that needs it: skipped on a laptop, failed in CI."""
    import pytest  # only tests get here

    return pytest.fail.Exception(what) if os.environ.get("CI") else pytest.skip.Exception(what)


@contextmanager
def nats_server(folder: Path) -> Iterator[NatsServer]:
    """A running nats-server with JetStream, on a free port; ended behind the body."""
    server = NatsServer(nats_binary(), folder)
    server.start()
    try:
        yield server
    finally:
        server.stop(signal.SIGKILL)


def quick_folder() -> Path | None:
    """Where a test that writes durably thousands of times has its files: in memory where that is a folder, else with
    all others. Not for a test of what a disk does."""
    memory = Path("/dev/shm")
    return memory if os.access(memory, os.W_OK) else None


@dataclass(frozen=True, slots=True)
class ToldSpan:
    """One span as it came over OTLP; ids in hexadecimal."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str  # empty: the first of its trace
    failed: bool
    attributes: Mapping[str, str | int]


class OtlpReceiver:
    """What has come, in order."""

    def __init__(self) -> None:
        self.spans: list[ToldSpan] = []
        self.url = ""

    @property
    def environment(self) -> dict[str, str]:
        """For a service that is to send its spans here, soon."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.url, "OTEL_BSP_SCHEDULE_DELAY": "50"}

    def take(self, body: bytes) -> None:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
        from opentelemetry.proto.trace.v1.trace_pb2 import Status

        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = _attributes(resource.resource.attributes)["service.name"]
            for span in [span for scope in resource.scope_spans for span in scope.spans]:
                ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
                failed = span.status.code == Status.STATUS_CODE_ERROR
                self.spans.append(ToldSpan(str(service), span.name, *ids, failed, _attributes(span.attributes)))


def _attributes(told: Any) -> dict[str, str | int]:
    return {one.key: one.value.string_value or one.value.int_value for one in told}


@contextmanager
def otlp_receiver() -> Iterator[OtlpReceiver]:
    """Takes traces over OTLP/HTTP. Without the SDK the test is skipped on a laptop and fails in CI."""
    if find_spec("opentelemetry") is None or find_spec("opentelemetry.sdk") is None:
        raise missing("the OpenTelemetry SDK is missing; it comes with requirements-dev.txt")
    receiver = OtlpReceiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            receiver.take(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()


async def scraped(listen: str) -> dict[str, float]:
    """What a service tells Prometheus at `host:port`: every sample by its name and its labels in order of their names,
    `framewell_roots{status=online}`."""
    from prometheus_client.parser import text_string_to_metric_families

    text = await asyncio.to_thread(_read, f"http://{listen}/metrics")
    return {
        _spelt(sample.name, sample.labels): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _read(address: str) -> str:
    with urllib.request.urlopen(address, timeout=20) as answer:  # noqa: S310 - the address is the test's own
        text: str = answer.read().decode()
        return text


def _spelt(name: str, labels: Mapping[str, str]) -> str:
    told = ",".join(f"{label}={value}" for label, value in sorted(labels.items()))
    return f"{name}{{{told}}}" if told else name


class Certificates:
    """An authority of a test's own, and what it issues, as files in `folder`."""

    def __init__(self, folder: Path) -> None:
        import trustme

        self._folder = folder
        self._authority = trustme.CA()
        folder.mkdir(parents=True, exist_ok=True)
        self._authority.cert_pem.write_to_path(str(folder / "ca.crt"))

    def issued(self, *names: str) -> dict[str, str]:
        """The settings of a service that is called by one of these names. Issued again, it is in the same files."""
        made = self._authority.issue_cert(*names)
        certificate, key = self._folder / f"{names[0]}.crt", self._folder / f"{names[0]}.key"
        certificate.write_bytes(b"".join(part.bytes() for part in made.cert_chain_pems))
        made.private_key_pem.write_to_path(str(key))
        return {
            "GRPC_TLS_CERT_FILE": str(certificate),
            "GRPC_TLS_KEY_FILE": str(key),
            "GRPC_TLS_CA_FILE": str(self._folder / "ca.crt"),
        }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def s3_server(folder: Path) -> Iterator[str]:
    """A server that speaks S3 over HTTP (moto's, which keeps everything in memory), and its address.

    Any keys are good to it.
    """
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "s3.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log
        )
    try:
        limit = time.monotonic() + 3 * _START_S
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            if process.poll() is not None or time.monotonic() > limit:
                raise RuntimeError(f"the S3 server did not start:\n{(folder / 's3.log').read_text()[-2000:]}")
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()

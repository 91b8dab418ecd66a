"""The process from outside: it lives, answers honestly, and stops when it is asked to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from media_proto import metadata_pb2, metadata_pb2_grpc

NAME = "framewell.metadata.v1.MetadataService"


@contextmanager
def process(folder: Path, **environment: str) -> Iterator[tuple[grpc.Channel, subprocess.Popen[bytes]]]:
    """The service on a socket of its own, and a channel that is ready."""
    address = f"unix:{folder}/metadata.sock"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FRAMEWELL_")}
    running = subprocess.Popen(
        [sys.executable, "-m", "metadata_service"], env={**clean, "METADATA_LISTEN": address, **environment}
    )
    try:
        with grpc.insecure_channel(address, [("grpc.max_reconnect_backoff_ms", 100)]) as channel:
            grpc.channel_ready_future(channel).result(timeout=20)
            yield channel, running
    finally:
        running.kill()
        running.wait()


def readiness(channel: grpc.Channel) -> metadata_pb2.Readiness:
    return metadata_pb2_grpc.MetadataServiceStub(channel).GetReadiness(metadata_pb2.GetReadinessRequest(), timeout=5)


def test_it_is_alive_and_says_that_it_is_not_built_and_stops_when_asked(tmp_path: Path) -> None:
    with process(tmp_path) as (channel, running):
        health = health_pb2_grpc.HealthStub(channel)
        alive = health.Check(health_pb2.HealthCheckRequest(service=""), timeout=5)
        serving = health.Check(health_pb2.HealthCheckRequest(service=NAME), timeout=5)
        assert alive.status == health_pb2.HealthCheckResponse.SERVING
        assert serving.status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert readiness(channel) == metadata_pb2.Readiness(ready=False, reason="The catalogue is not built yet.")
        asked = [reflection_pb2.ServerReflectionRequest(list_services="")]
        answers = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter(asked), timeout=5)
        assert NAME in {service.name for service in next(answers).list_services_response.service}
        running.send_signal(signal.SIGTERM)
        assert running.wait(5) == 0


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("METADATA_LISTEN", "", "metadata-service: METADATA_LISTEN='' is not valid"),
        ("FRAMEWELL_PRT", "1", "metadata-service: Unknown setting FRAMEWELL_PRT."),
    ],
)
def test_a_wrong_setting_ends_it_with_a_sentence_and_exit_code_2(name: str, value: str, sentence: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "metadata_service"],
        env={**os.environ, "METADATA_LISTEN": "unix:unused.sock", name: value},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert ended.returncode == 2
    assert sentence in ended.stderr
    assert "Traceback" not in ended.stderr

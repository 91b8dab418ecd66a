"""The process from outside: it lives, answers honestly, and stops when it is asked to."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib.util import find_spec
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from media_proto import search_pb2, search_pb2_grpc

TINY = Path(__file__).parent / "tiny"
Process = Callable[..., AbstractContextManager[tuple[grpc.Channel, subprocess.Popen[bytes]]]]
NAME = "framewell.search.v1.SearchService"


def readiness(channel: grpc.Channel) -> search_pb2.Readiness:
    return search_pb2_grpc.SearchServiceStub(channel).GetReadiness(search_pb2.GetReadinessRequest(), timeout=5)


def serving(channel: grpc.Channel) -> bool:
    answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=NAME), timeout=5)
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def wait_for(what: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def libraries(running: subprocess.Popen[bytes]) -> str:
    return Path(f"/proc/{running.pid}/maps").read_text()


def test_it_is_alive_before_it_has_a_model_and_stops_when_asked(tmp_path: Path, process: Process) -> None:
    with process(tmp_path, FRAMEWELL_ENCODER="offline") as (channel, running):
        alive = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=""), timeout=5)
        assert alive.status == health_pb2.HealthCheckResponse.SERVING
        assert not serving(channel)
        told = readiness(channel)
        assert not told.ready
        assert told.encoder.state == search_pb2.ENCODER_STATE_LOADING
        assert "libtorch" not in libraries(running)
        asked = [reflection_pb2.ServerReflectionRequest(list_services="")]
        answers = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter(asked), timeout=5)
        assert NAME in {service.name for service in next(answers).list_services_response.service}
        running.send_signal(signal.SIGTERM)
        assert running.wait(10) == 0


@pytest.mark.skipif(find_spec("torch") is None, reason="the models are not installed")
def test_it_loads_the_model_when_it_is_asked_and_then_says_it_is_ready(tmp_path: Path, process: Process) -> None:
    checkpoint = tmp_path / "tiny.pt"
    with process(tmp_path, FRAMEWELL_ENCODER=f"open_clip:tiny-shapes/{checkpoint}") as (channel, _):
        stub = search_pb2_grpc.SearchServiceStub(channel)
        scope = search_pb2.Scope(collection_id=1)
        nearest = search_pb2.FindNearestRequest(scope=scope, text="a red square", limit=5)
        with pytest.raises(grpc.RpcError, match="is not there") as refused:
            stub.FindNearest(nearest, timeout=100)
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE  # type: ignore[attr-defined]
        assert readiness(channel).encoder.state == search_pb2.ENCODER_STATE_UNAVAILABLE
        assert "is not there" in readiness(channel).reason

        def said(reason: str) -> bool:
            """Whether that is what is wrong now; empty: nothing."""
            try:
                return not stub.FindNearest(nearest, timeout=100).scored and not reason
            except grpc.RpcError as error:
                unavailable = error.code() is grpc.StatusCode.UNAVAILABLE  # type: ignore[attr-defined]
                return unavailable and bool(reason) and reason in error.details()  # type: ignore[attr-defined]

        (tmp_path / "tiny-shapes.json").write_text('{"embed_dim": ')
        checkpoint.write_bytes((TINY / "tiny-shapes.pt").read_bytes()[:5000])
        wait_for(lambda: said("cannot be loaded"))
        shutil.copy(TINY / "tiny-shapes.json", tmp_path)
        wait_for(lambda: said("cannot be loaded"))  # the checkpoint is still cut off
        shutil.copy(TINY / "tiny-shapes.pt", checkpoint)
        wait_for(lambda: said(""))
        told = readiness(channel)
        assert told.ready
        assert (told.encoder.name, told.encoder.dimensions) == ("open_clip", 64)
        wait_for(lambda: serving(channel), 5)
        [vector] = stub.EmbedTexts(search_pb2.EmbedTextsRequest(texts=["a red square"]), timeout=20).vectors
        assert sum(value * value for value in vector.values) == pytest.approx(1, abs=1e-3)
        # A switch to what cannot be loaded changes nothing; one to the same weights elsewhere keeps the vectors.
        with pytest.raises(grpc.RpcError, match="is not there"):
            stub.UseEncoder(search_pb2.UseEncoderRequest(name=f"open_clip:tiny-shapes/{tmp_path}/no.pt"), timeout=100)
        assert said("")
        shutil.copy(checkpoint, tmp_path / "moved.pt")
        moved = search_pb2.UseEncoderRequest(name=f"open_clip:tiny-shapes/{tmp_path}/moved.pt")
        models = stub.UseEncoder(moved, timeout=100)
        assert not models.HasField("next")
        assert models.encoder.model.endswith("moved.pt")
        assert said("")


def test_it_says_when_search_is_switched_off(tmp_path: Path, process: Process) -> None:
    with process(tmp_path, FRAMEWELL_ENCODER="off") as (channel, running):
        told = readiness(channel)
        assert told.reason == "Search is switched off (FRAMEWELL_ENCODER=off)."
        assert told.encoder.state == search_pb2.ENCODER_STATE_OFF
        asked = search_pb2.EmbedTextsRequest(texts=["a cat"])
        with pytest.raises(grpc.RpcError, match="switched off"):
            search_pb2_grpc.SearchServiceStub(channel).EmbedTexts(asked, timeout=5)
        assert not any(name in libraries(running) for name in ("libtorch", "qdrant_edge", "sklearn"))


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("SEARCH_LISTEN", "", "search-service: SEARCH_LISTEN='' is not valid"),
        ("FRAMEWELL_PRT", "1", "search-service: Unknown setting FRAMEWELL_PRT."),
    ],
)
def test_a_wrong_setting_ends_it_with_a_sentence_and_exit_code_2(name: str, value: str, sentence: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "search_service"],
        env={**os.environ, "SEARCH_LISTEN": "unix:unused.sock", name: value},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert ended.returncode == 2
    assert sentence in ended.stderr
    assert "Traceback" not in ended.stderr

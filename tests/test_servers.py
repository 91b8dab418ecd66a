"""Where tests get their servers from; with an engine, `tests/integration` is the trial."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from as_composed import read
from servers import Containers, image_of
from stack import REPOSITORY, wait_until

IMAGES = {"NATS_IMAGE": "nats", "QDRANT_IMAGE": "qdrant", "S3_IMAGE": "s3"}

#: A `docker` that only notes what it is asked to remove.
DOCKER = """
import os
class Container:
    def remove(self, force, v):
        with open(os.environ["NOTED"], "a") as noted:
            noted.write("removed\\n")
class Client:
    containers = property(lambda self: self)
    def list(self, all, filters):
        with open(os.environ["NOTED"], "a") as noted:
            noted.write(filters["label"] + "\\n")
        return [Container()]
from_env = Client
"""
RUN = """
import sys
from servers import swept
with swept("run=7"):
    print("begun", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    monkeypatch.delenv("TEST_SERVERS", raising=False)


@pytest.mark.parametrize(("variable", "service"), IMAGES.items())
def test_the_images_are_those_of_compose(variable: str, service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(variable, raising=False)
    deployed = read("docker-compose.yml")["services"][service]["image"]
    assert deployed == f"${{{variable}:-{image_of(variable)}}}"
    monkeypatch.setenv(variable, "mine:1")
    assert image_of(variable) == "mine:1"


@pytest.mark.usefixtures("no_engine")
def test_without_an_engine_there_is_no_container_and_that_fails_only_where_one_was_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with ExitStack() as ends:
        assert Containers(ends).s3() is None
        monkeypatch.setenv("TEST_SERVERS", "embedded")
        assert Containers(ends).s3() is None
        monkeypatch.setenv("TEST_SERVERS", "containers")
        with pytest.raises(pytest.fail.Exception, match=r"no Docker engine answers|testcontainers is not installed"):
            Containers(ends).s3()
        monkeypatch.setenv("TEST_SERVERS", "container")
        with pytest.raises(pytest.fail.Exception, match="embedded or containers"):
            Containers(ends).s3()


@pytest.mark.parametrize("is_killed", [True, False])
def test_what_a_run_has_started_is_removed_however_the_run_ends(tmp_path: Path, is_killed: bool) -> None:
    (tmp_path / "docker.py").write_text(DOCKER)
    noted = tmp_path / "noted"
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{REPOSITORY / 'tests'}", "NOTED": str(noted)}
    command = [sys.executable, "-c", RUN]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"begun\n"
        assert not noted.exists()
        if is_killed:
            run.kill()
    wait_until(lambda: noted.exists() and noted.read_text().endswith("removed\n"), 20, "it is removed")
    assert noted.read_text() == "run=7\nremoved\n"

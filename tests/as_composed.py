"""The services as processes of this machine, told exactly what docker-compose.yml tells its containers: over TCP, with
NATS behind a token, secrets in files, and no state directory where a container has none; with other files beside it as
they are named, `lite mtls token`. It needs no engine.

What is another here than in a container: names and ports of hosts, and where volumes are. The environment is otherwise
the compose files' own, and nothing of this process's.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from api import Api
from media_common.testing import nats_binary, openssl_binary, s3_server
from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode
from stack import REPOSITORY, free_port, wait_until

OURS: Final = ("fs-service", "metadata-service", "search-service", "thumbnail-service", "gateway")
_PORTS: Final = ("50051", "50052", "50053", "50054", "8080", "4222", "8222")
_VARIABLE: Final = re.compile(r"\$\{([A-Z0-9_]+)(?::-([^}]*)|:\?[^}]*)?\}")


class _Constructor(SafeConstructor):
    """Takes compose's own tags for what is under them."""


def _untagged(constructor: _Constructor, node: Node) -> Any:
    if isinstance(node, MappingNode):
        return constructor.construct_mapping(node, deep=True)
    if isinstance(node, SequenceNode):
        return constructor.construct_sequence(node, deep=True)
    return None if node.value in ("null", "") else node.value


for _tag in ("!reset", "!override"):
    _Constructor.add_constructor(_tag, _untagged)


def read(name: str) -> dict[str, Any]:
    """A file of compose, as it is written."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _Constructor
    found: dict[str, Any] = yaml.load((REPOSITORY / name).read_text(encoding="utf-8"))
    return found


class Composed:
    """The environment of each service, on this machine."""

    def __init__(self, folder: Path, kind: str, settings: Mapping[str, str]) -> None:
        self.folder = folder
        self.library = folder / "library"
        self.library.mkdir()
        self.secrets = folder / "secrets"
        self._settings = settings
        self._ports = {port: str(free_port()) for port in _PORTS}
        self.url = f"http://127.0.0.1:{self._ports['8080']}"
        self._base = read("docker-compose.yml")["services"]
        named = [name for name in kind.split() if name != "full"]
        self._beside = [read(f"docker-compose.{name}.yml")["services"] for name in named]
        self._make_secrets("mtls" in named)

    def _make_secrets(self, with_certificates: bool) -> None:
        scripts = ["secrets.sh"]
        if with_certificates:
            openssl_binary()
            scripts.append("certificates.sh")
        own = {"PATH": os.environ["PATH"], "PUID": str(os.getuid()), "PGID": str(os.getgid())}
        for script in scripts:
            command = ["sh", REPOSITORY / "deploy" / script, self.secrets]
            subprocess.run(command, env=own, check=True, capture_output=True)
        url = self.secrets / "nats-url"
        url.write_text(url.read_text().replace("nats:4222", f"127.0.0.1:{self._ports['4222']}"))

    def environment(self, service: str) -> dict[str, str]:
        """All that the process is told."""
        told = {name: value for part in self._parts(service) for name, value in part.get("environment", {}).items()}
        image = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "PYTHONUNBUFFERED": "1"}
        own = {"PYTHONPATH": os.environ["PYTHONPATH"]} if "PYTHONPATH" in os.environ else {}
        return (
            image | own | dict(self._settings) | {name: self._here(service, str(value)) for name, value in told.items()}
        )

    def _parts(self, service: str) -> list[dict[str, Any]]:
        """What each file says of it, in their order."""
        return [part for services in (self._base, *self._beside) if (part := services.get(service))]

    def address(self, port: str) -> str:
        """Where that port of a container is on this machine."""
        return f"127.0.0.1:{self._ports[port]}"

    def health(self, service: str) -> bool:
        """By the command that the container is asked with."""
        command = [self._here(service, part) for part in self._base[service]["healthcheck"]["test"][1:]]
        command[0] = sys.executable
        ran = subprocess.run(command, env=self.environment(service), capture_output=True, timeout=30, check=False)
        return ran.returncode == 0

    def command(self, *arguments: str) -> str:
        """`framewell` in the gateway's place; what it prints.

        Raises:
            AssertionError: it failed; with what it said.
        """
        run = [sys.executable, "-m", "gateway.command", *arguments]
        environment = self.environment("gateway")
        ran = subprocess.run(run, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    def volume(self, service: str, target: str) -> Path | None:
        """The folder that stands for what the container has at that place; None where it has nothing."""
        volumes = [volume for part in self._parts(service) for volume in part.get("volumes", ())]
        for volume in reversed(volumes):
            if isinstance(volume, str) and volume.endswith(f":{target}"):
                return self.folder / "volumes" / volume.partition(":")[0]
        return None

    def nats_configuration(self) -> Path:
        """deploy/nats.conf with other ports and another store."""
        text = (REPOSITORY / "deploy" / "nats.conf").read_text(encoding="utf-8").replace("0.0.0.0", "127.0.0.1")
        for port in ("4222", "8222"):
            text = text.replace(f":{port}", f":{self._ports[port]}")
        file = self.folder / "nats.conf"
        file.write_text(text.replace('"/data"', f'"{self.folder / "nats"}"'))
        (self.folder / "auth.conf").write_text((self.secrets / "nats-auth.conf").read_text())
        return file

    def _here(self, service: str, value: str) -> str:
        value = _VARIABLE.sub(lambda found: self._settings.get(found[1], found[2] or ""), value)
        value = re.sub(r"^/run/secrets/", f"{self.secrets}/", value)
        for target in ("/state", "/cache"):
            if value == target or value.startswith(f"{target}/"):
                # A folder that nobody made: what must not be written there fails.
                place = self.volume(service, target) or Path("/nobody-mounted-this")
                value = f"{place}{value[len(target) :]}"
        for port, here in self._ports.items():
            value = re.sub(rf"(?:[a-z-]+-service|0\.0\.0\.0|127\.0\.0\.1|nats):{port}\b", f"127.0.0.1:{here}", value)
        if value in ("0.0.0.0", "8080"):
            value = "127.0.0.1" if value == "0.0.0.0" else self._ports["8080"]
        return value


@contextmanager
def as_composed(folder: Path, kind: str) -> Iterator[Composed]:
    """Running and well; `full` with an S3 server, and all without models. Nothing is left at the end."""
    with ExitStack() as stack:
        settings = {"FRAMEWELL_ENCODER": "off", "MEDIA_DIR": str(folder / "library")}
        if "full" in kind.split():
            settings["S3_ENDPOINT"] = stack.enter_context(s3_server(folder / "s3"))
        composed = Composed(folder, kind, settings)
        log = stack.enter_context((folder / "log").open("ab"))

        def start(command: list[str | Path], environment: Mapping[str, str]) -> None:
            process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            stack.callback(_ended, process)

        start([nats_binary(), "-c", composed.nats_configuration()], {"PATH": os.environ["PATH"]})
        for name in ("state", "cache", "search"):
            (folder / "volumes" / name).mkdir(parents=True)
        for service in OURS:
            module = service.replace("-", "_")
            start([sys.executable, "-m", module], composed.environment(service))
        try:
            for service in OURS:
                wait_until(lambda: composed.health(service), 60, f"{service} is well")  # noqa: B023 - asked at once
            api = Api(composed.url)
            wait_until(api.is_ready, 60, "the product is ready")
            api.close()
        except AssertionError as error:
            raise AssertionError(f"{error}\n{(folder / 'log').read_text(errors='replace')[-6000:]}") from None
        yield composed


def _ended(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

"""The product as containers, for tests: a copy of this repository as it is, with an `.env` of its own, started as the
README says.

    with deployed(folder, "lite", print) as stack:
        stack.api.add_root(stack.library)
        stack.kill(stack.containers("thumbnail-service")[0])     # its process, as the kernel would
        stack.compose("restart", "nats")

What it runs on is the engine that `docker` reaches. Where that has a stand-in instead of an official image, the stack
says so.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
from api import Api
from stack import REPOSITORY, free_port, wait_until

#: A first build fetches and installs everything, torch among it.
BUILD_S: Final = 3600.0
UP_S: Final = 600.0
OURS: Final = ("gateway", "fs-service", "thumbnail-service", "metadata-service", "search-service")
#: Whose stand-ins need other settings than the official images.
_STAND_INS: Final = ("qdrant", "s3")


def docker(*arguments: str, timeout_s: float = 120.0, check: bool = True) -> str:
    """What the command says.

    Raises:
        AssertionError: it failed; with what it said.
    """
    ran = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=timeout_s, check=False)
    assert not check or ran.returncode == 0, f"docker {' '.join(arguments)}: {ran.stderr[-4000:]}"
    return ran.stdout.strip()


def engine() -> str:
    """The version of the engine that answers; empty: none does, or there is no compose."""
    try:
        docker("compose", "version")
        return docker("version", "--format", "{{.Server.Version}}", timeout_s=20)
    except (AssertionError, OSError, subprocess.TimeoutExpired):
        return ""


class Deployed:
    """One stack. It may be taken down and up again."""

    def __init__(self, folder: Path, kind: str, tell: Callable[[str], None], more: Sequence[str] = ()) -> None:
        """
        Args:
            kind: `full`, or as `STACK` of make: `lite mtls`.
            tell: takes what is measured on the way, for the end of the run.
            more: further compose files, behind those of the kind.
        """
        self.kind = kind
        self.tell = tell
        self.place = folder / "framewell"
        self.library = folder / "library"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        # A test of what non-root users can and cannot do is none for root.
        self.user = os.getuid() or 1000
        self.project = f"framewell-{kind.replace(' ', '-')}-{secrets.token_hex(3)}"
        self._more = more
        self.stand_ins: list[str] = []
        self._environment = dict(os.environ)
        self._prepare()
        self.api = Api(self.url)

    def _prepare(self) -> None:
        copy_of_the_repository(self.place)
        self.library.mkdir(parents=True)
        named = [f"docker-compose.{word}.yml" for word in self.kind.split() if word != "full"]
        files = ["docker-compose.yml", *named, *self._more]
        self.set(
            MEDIA_DIR=str(self.library),
            PUID=str(self.user),
            PGID=str(self.user),
            FRAMEWELL_PORT=str(self.port),
            FRAMEWELL_ENCODER="offline",
            FRAMEWELL_RATE_LIMIT="1000000/second",
            COMPOSE_FILE=":".join(files),
            COMPOSE_PROJECT_NAME=self.project,
            HEALTH_INTERVAL="2s",
        )

    def set(self, **settings: str) -> None:
        """More lines of `.env`."""
        with (self.place / ".env").open("a", encoding="utf-8") as file:
            file.writelines(f"{name}={value}\n" for name, value in settings.items())

    # ---- life
    def build(self) -> float:
        """Seconds."""
        began = time.monotonic()
        self.run("docker", "compose", "build", timeout_s=BUILD_S)
        self._notice_stand_ins()
        return time.monotonic() - began

    def _notice_stand_ins(self) -> None:
        services = json.loads(self.compose("config", "--format", "json"))["services"]
        for name in ("nats", *_STAND_INS):
            if name not in services:
                continue
            image = services[name]["image"]
            if label := docker(
                "image", "inspect", "--format", '{{index .Config.Labels "standin"}}', image, check=False
            ):
                self.stand_ins.append(f"{image}: {label}")
                if name in _STAND_INS:
                    self._replace_settings()

    def _replace_settings(self) -> None:
        """Only what is in this stack."""
        if "STANDIN_S3_USER" in self._environment:
            return
        self.run("deploy/secrets.sh")
        self._environment |= {
            "STANDIN_QDRANT_KEY": self.secret("qdrant-api-key"),
            "STANDIN_S3_USER": self.secret("s3-access-key"),
            "STANDIN_S3_PASSWORD": self.secret("s3-secret-key"),
        }
        self.set(COMPOSE_FILE="docker-compose.yml:tests/compose/stand-ins.yml")

    def up(self) -> float:
        """As `make up` does it, until all are well; seconds."""
        began = time.monotonic()
        self.owned()
        self.run("make", "up", timeout_s=BUILD_S)
        self.api.client.headers["X-Api-Key"] = self.secret("admin-key")
        return time.monotonic() - began

    def down(self, *options: str) -> None:
        self.compose("down", "--timeout", "20", *options, timeout_s=UP_S)

    def owned(self) -> None:
        """What the tests made in the library belongs to the user of the containers."""
        if os.getuid() == 0:
            for path in (self.library, *self.library.rglob("*")):
                os.chown(path, self.user, self.user, follow_symlinks=False)

    # ---- looking
    def run(self, *command: str, timeout_s: float = 120.0, given: str | None = None) -> str:
        """In the copy; what it says.

        Raises:
            AssertionError: it failed; with what it said.
        """
        ran = subprocess.run(
            command,
            cwd=self.place,
            env=self._environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        assert ran.returncode == 0, f"{' '.join(command)}: {ran.stdout[-2000:]}\n{ran.stderr[-4000:]}"
        return ran.stdout.strip()

    def compose(self, *arguments: str, timeout_s: float = 120.0) -> str:
        return self.run("docker", "compose", *arguments, timeout_s=timeout_s)

    def command(self, *arguments: str, timeout_s: float = 120.0) -> str:
        """`framewell`, in the gateway's container."""
        return self.compose("exec", "-T", "gateway", "framewell", *arguments, timeout_s=timeout_s)

    def secret(self, name: str) -> str:
        return (self.place / "secrets" / name).read_text(encoding="utf-8").strip()

    def containers(self, service: str) -> list[str]:
        """The ids of those that run, by their numbers."""
        return self.compose("ps", "--quiet", service).split()

    def all_containers(self) -> list[dict[str, Any]]:
        """What the engine says of each that runs."""
        ids = self.compose("ps", "--quiet").split()
        found: list[dict[str, Any]] = json.loads(docker("inspect", *ids))
        return found

    def state(self, container: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(docker("inspect", container))[0]["State"]
        return found

    def is_well(self, container: str) -> bool:
        state = self.state(container)
        return bool(state["Running"]) and state.get("Health", {}).get("Status") == "healthy"

    def wait_well(self, within_s: float = 120.0) -> None:
        """Until every container is."""
        wait_until(lambda: all(map(self.is_well, self.compose("ps", "--quiet").split())), within_s, "all are well")

    def logs(self, *services: str) -> str:
        return self.compose("logs", "--no-color", "--tail", "60", *services)

    def memory(self) -> str:
        """Of each container in MB, all together, and without search. As the engine counts it: no file that is only
        cached."""
        ids = self.compose("ps", "--quiet").split()
        lines = docker("stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}", *ids).splitlines()
        used = {line.split()[0].removeprefix(f"{self.project}-"): _megabytes(line.split()[1]) for line in lines}
        each = ", ".join(f"{name} {size:.0f}" for name, size in sorted(used.items()))
        searching = sum(size for name, size in used.items() if name.startswith("search-service"))
        together = sum(used.values())
        return f"{each}; together {together:.0f} MB, without search {together - searching:.0f} MB"

    # ---- disturbing
    def kill(self, container: str) -> None:
        """SIGKILL to its process. Not `docker kill`: that counts as asked for, and the restart policy does not act."""
        pid = int(self.state(container)["Pid"])
        assert pid > 1
        if os.getuid() == 0:
            os.kill(pid, signal.SIGKILL)
            return
        image = docker("inspect", "--format", "{{.Config.Image}}", container)
        run = ("run", "--rm", "--user", "0:0", "--pid", "host", "--cap-drop", "ALL", "--cap-add", "KILL")
        docker(*run, "--entrypoint", "sh", image, "-c", f"kill -9 {pid}")

    def wait_restarted(self, container: str, old_pid: int, within_s: float = 60.0) -> None:
        wait_until(lambda: self.state(container)["Pid"] not in (0, old_pid), within_s, "it is started again")

    def cut_off(self, container: str) -> list[str]:
        """From all its networks; their names, for `join`."""
        networks = list(json.loads(docker("inspect", container))[0]["NetworkSettings"]["Networks"])
        for network in networks:
            docker("network", "disconnect", "--force", network, container)
        return networks

    def join(self, container: str, networks: Sequence[str]) -> None:
        for network in networks:
            docker("network", "connect", network, container)

    # ---- the interface, with the admin key
    def caller(self) -> httpx.Client:
        headers = {"X-Api-Key": self.secret("admin-key")}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60.0, trust_env=False)


def _megabytes(said: str) -> float:
    """What `docker stats` says, such as `123.4MiB`."""
    number, unit = re.fullmatch(r"([0-9.]+)([KMGT]?i?B)", said).groups()  # type: ignore[union-attr]
    return float(number) * {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}[unit] / 1e6


def copy_of_the_repository(place: Path) -> None:
    """What is kept in git, as it is now: what a clone of the next commit would be."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=True).stdout
    for name in filter(None, os.fsdecode(listed).split("\0")):
        source = REPOSITORY / name
        if source.is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, place / name)


@contextmanager
def deployed(folder: Path, kind: str, tell: Callable[[str], None], more: Sequence[str] = ()) -> Iterator[Deployed]:
    """Built and up; gone at the end, with its volumes. The arguments are those of `Deployed`."""
    stack = Deployed(folder, kind, tell, more)
    try:
        built_s = stack.build()
        up_s = stack.up()
        wait_until(lambda: bool(stack.api.jobs()["encoder"]["state"] == "ready"), UP_S, "the encoder is loaded")
        stack.api.wait_idle(120)
        tell(f"{kind}: built in {built_s:.0f} s, up in {up_s:.0f} s; idle: {stack.memory()}")
        tell(f"{kind}: {'; '.join(f'STAND-IN {one}' for one in stack.stand_ins) or 'official images'}")
        yield stack
    except BaseException:
        print(stack.run("docker", "compose", "logs", "--no-color", "--tail", "80"))
        raise
    finally:
        stack.api.close()
        stack.down("--volumes", "--remove-orphans")

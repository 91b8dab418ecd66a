"""The scripts beside the containers, with a `docker` that says what the test wants; the real one is `compose/`'s."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from media_common.testing import openssl_binary
from stack import REPOSITORY

#: Notes what it was asked; "runs" if told so; has an S3 if told so; gives what the test wants for the command in the
#: container.
DOCKER = """\
#!/bin/sh
echo "$*" >>"$ASKED"
case "$*" in
    *"ps --quiet"*" gateway"*) [ -z "$RUNS" ] || echo a-container ;;
    *"config --services"*) printf 'gateway\\n'; [ -z "$S3" ] || echo s3 ;;
    *" framewell "*) cat >"$GIVEN"; printf '%s' "$ANSWER"; exit "$CODE" ;;
esac
"""


class Scripts:
    """A folder to run them in, and what `docker` was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked_file, self.given_file = folder / "asked", folder / "given"
        (folder / "bin").mkdir()
        (folder / "bin" / "docker").write_text(DOCKER)
        (folder / "bin" / "docker").chmod(0o755)

    def run(
        self, name: str, *arguments: str, runs: str = "1", code: int = 0, s3: str = ""
    ) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": f"{self.folder / 'bin'}:/usr/bin:/bin",
            "ASKED": str(self.asked_file),
            "GIVEN": str(self.given_file),
            "RUNS": runs,
            "S3": s3,
            "ANSWER": "the archive",
            "CODE": str(code),
        }
        command = ["sh", str(REPOSITORY / "deploy" / name), *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=30, check=False
        )

    @property
    def asked(self) -> list[str]:
        return self.asked_file.read_text().splitlines() if self.asked_file.exists() else []


@pytest.fixture
def scripts(tmp_path: Path) -> Scripts:
    return Scripts(tmp_path)


@pytest.mark.parametrize(
    ("runs", "how"), [("1", "compose exec -T gateway"), ("", "compose run --rm --no-deps -T gateway")]
)
def test_a_backup_is_made_of_a_stack_that_runs_and_of_one_that_is_stopped(
    scripts: Scripts, runs: str, how: str
) -> None:
    done = scripts.run("backup.sh", "photos.tar.gz", runs=runs)

    assert done.returncode == 0, done.stderr
    file = scripts.folder / "photos.tar.gz"
    assert file.read_text() == "the archive"
    assert file.stat().st_mode & 0o077 == 0, "it holds keys"
    assert any(line.startswith(how) and "framewell backup" in line for line in scripts.asked)


@pytest.mark.parametrize(("name", "is_gzipped"), [("a.tar", False), ("a.tar.gz", True), ("a.tgz", True)])
def test_a_backup_comes_out_as_a_stream_that_is_gzipped_as_its_name_says(
    scripts: Scripts, name: str, is_gzipped: bool
) -> None:
    """Inside it takes no room: nothing of it is a file there."""
    assert scripts.run("backup.sh", name).returncode == 0
    [command] = [line.partition("gateway ")[2].strip() for line in scripts.asked if "framewell" in line]
    assert command == ("framewell backup - --gzip" if is_gzipped else "framewell backup -")


def test_what_lies_beside_a_backup_is_not_written_into(scripts: Scripts) -> None:
    (scripts.folder / "mine").write_text("mine")
    (scripts.folder / "photos.tar.gz.part").symlink_to(scripts.folder / "mine")

    assert scripts.run("backup.sh", "photos.tar.gz").returncode == 0
    assert (scripts.folder / "mine").read_text() == "mine"


@pytest.mark.parametrize(("option", "is_read"), [((), True), (("--without-blobs",), False)])
def test_a_backup_of_a_stopped_stack_starts_the_blob_store_for_as_long_as_it_is_read(
    scripts: Scripts, option: tuple[str, ...], is_read: bool
) -> None:
    done = scripts.run("backup.sh", "photos.tar.gz", *option, runs="", s3="1")

    assert done.returncode == 0, done.stderr
    steps = [line.split()[1] for line in scripts.asked if not line.startswith(("compose ps", "compose config"))]
    assert steps == (["up", "run", "stop"] if is_read else ["run"])
    assert [line for line in scripts.asked if "--without-blobs" in line] == (
        [] if is_read else [line for line in scripts.asked if line.startswith("compose run")]
    )


def test_the_blob_store_is_stopped_when_the_backup_fails(scripts: Scripts) -> None:
    done = scripts.run("backup.sh", "photos.tar.gz", runs="", s3="1", code=1)

    assert done.returncode == 1
    assert scripts.asked[-1] == "compose stop s3"


def test_a_backup_that_fails_leaves_nothing_behind(scripts: Scripts) -> None:
    done = scripts.run("backup.sh", "photos.tar.gz", code=1)

    assert done.returncode == 1
    assert [path.name for path in scripts.folder.iterdir() if path.name.startswith("photos")] == []


def test_a_backup_never_replaces_a_file(scripts: Scripts) -> None:
    (scripts.folder / "photos.tar.gz").write_text("the one before")

    done = scripts.run("backup.sh", "photos.tar.gz")

    assert (done.returncode, scripts.asked) == (1, [])
    assert "is there already" in done.stderr
    assert (scripts.folder / "photos.tar.gz").read_text() == "the one before"


def test_a_restore_checks_first_then_stops_then_puts_back_then_starts(scripts: Scripts) -> None:
    (scripts.folder / "photos.tar.gz").write_text("the archive")

    done = scripts.run("restore.sh", "photos.tar.gz")

    assert done.returncode == 0, done.stderr
    steps = [
        line.split()[1] + (" --verify" if "--verify" in line else "")
        for line in scripts.asked
        if "compose" in line and "config" not in line
    ]
    assert steps == ["run --verify", "stop", "run", "up"]
    assert scripts.given_file.read_text() == "the archive", "the container sees no folder of ours"


def test_a_restore_has_the_blob_store_running_before_anything_is_stopped(scripts: Scripts) -> None:
    (scripts.folder / "photos.tar.gz").write_text("the archive")

    done = scripts.run("restore.sh", "photos.tar.gz", s3="1")

    assert done.returncode == 0, done.stderr
    steps = [line for line in scripts.asked if line.startswith(("compose up", "compose stop"))]
    assert [line.split()[1] for line in steps] == ["up", "stop", "up"]
    assert steps[0] == "compose up -d --wait s3"


def test_an_archive_that_is_refused_leaves_the_stack_running(scripts: Scripts) -> None:
    (scripts.folder / "photos.tar.gz").write_text("no archive")

    done = scripts.run("restore.sh", "photos.tar.gz", code=1)

    assert done.returncode == 1
    assert not any(line.startswith("compose stop") for line in scripts.asked)


@pytest.mark.parametrize("name", ["backup.sh", "restore.sh"])
def test_a_file_must_be_named(scripts: Scripts, name: str) -> None:
    done = scripts.run(name)

    assert done.returncode != 0
    assert "is needed" in done.stderr
    assert scripts.asked == []


def test_secrets_that_the_containers_could_not_read_are_told(scripts: Scripts) -> None:
    (scripts.folder / "bin" / "id").write_text("#!/bin/sh\necho 1234\n")
    (scripts.folder / "bin" / "id").chmod(0o755)
    environment = {"PATH": f"{scripts.folder / 'bin'}:/usr/bin:/bin"}
    command = ["sh", str(REPOSITORY / "deploy" / "secrets.sh"), str(scripts.folder / "secrets")]

    refused = subprocess.run(command, env=environment | {"PUID": "1000"}, capture_output=True, text=True, check=False)
    taken = subprocess.run(command, env=environment | {"PUID": "1234"}, capture_output=True, text=True, check=False)

    assert refused.returncode == 1
    assert "set PUID=1234 and PGID=1234" in refused.stderr
    assert taken.returncode == 0


@pytest.mark.parametrize("stack", ["", "lite", "lite observability"])
def test_make_takes_the_files_of_the_stack_that_is_named(scripts: Scripts, stack: str) -> None:
    (scripts.folder / "bin" / "docker").write_text('#!/bin/sh\necho "$COMPOSE_FILE|$*"\n')
    environment = {"PATH": f"{scripts.folder / 'bin'}:/usr/bin:/bin"}
    command = ["make", "-s", "-C", str(REPOSITORY), "down", *([f"STACK={stack}"] if stack else [])]

    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()

    files = ["docker-compose.yml", *(f"docker-compose.{name}.yml" for name in stack.split())]
    assert said == f"{':'.join(files) if stack else ''}|compose down"
    assert all((REPOSITORY / file).exists() for file in files)


@pytest.mark.parametrize(("stack", "made"), [("lite", False), ("lite mtls", True)])
def test_make_up_makes_certificates_for_the_stack_that_has_them(scripts: Scripts, stack: str, made: bool) -> None:
    openssl_binary()
    folder = scripts.folder / "secrets"
    own = {"SECRETS_DIR": str(folder), "PUID": str(os.getuid()), "MEDIA_DIR": "/srv/photos"}
    own |= {"PATH": f"{scripts.folder / 'bin'}:{os.environ['PATH']}", "ASKED": str(scripts.asked_file)}
    command = ["make", "-s", "-C", str(REPOSITORY), "up", f"STACK={stack}"]

    subprocess.run(command, env=own, capture_output=True, text=True, check=True)

    assert scripts.asked == ["compose up -d --build --wait"]
    assert (folder / "admin-key").exists()
    assert (folder / "fs-service.crt").exists() is made


@pytest.mark.parametrize(
    ("target", "told"), [("scale", "how many?"), ("backup", "into which file?"), ("restore", "which file?")]
)
def test_make_says_what_it_was_not_told(target: str, told: str) -> None:
    ran = subprocess.run(["make", "-s", "-C", str(REPOSITORY), target], capture_output=True, text=True, check=False)
    assert ran.returncode != 0
    assert told in ran.stdout

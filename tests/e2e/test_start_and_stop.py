"""Starting, stopping and starting again: nothing left running, nothing forgotten, a mistake told in a sentence."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from api import Api, error_of
from media import many
from stack import RUN_LOCAL, Stack, running_stack, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.alone]

#: The product's own limit is 5 s; the exact figure is in the benchmark, on a machine that does nothing else.
SECOND_START_S = 15.0
STOP_S = 10.0


@pytest.fixture
def library(tmp_path: Path) -> list[Path]:
    return many(tmp_path / "library", 6)


@pytest.fixture
def api(own_stack: Stack) -> Iterator[Api]:
    client = Api(own_stack.url)
    yield client
    client.close()


def test_a_stack_started_again_has_forgotten_nothing_and_is_quick(
    own_stack: Stack, api: Api, library: list[Path]
) -> None:
    root = library[0].parent
    api.add_root(root)
    api.act(library[0], "seen")
    api.act(library[1], "lock")
    api.act(library[2], "trash")
    api.send("PATCH", "/api/settings", {"videoPreloadMb": 123})
    picture = api.thumbnail(library[0])
    api.wait_idle()
    before, counts = api.stream(root), api.summary(root)
    key = (own_stack.state_dir / "admin.key").read_text()

    began = time.monotonic()
    assert own_stack.stop() == 0
    assert time.monotonic() - began < STOP_S
    assert own_stack.left_running() == []
    began = time.monotonic()
    own_stack.start()
    assert time.monotonic() - began < SECOND_START_S

    assert api.known_paths() == [str(root)]
    assert api.stream(root) == before
    assert api.summary(root) == counts
    assert api.ok(api.get("/api/settings")) == {"videoPreloadMb": 123}
    assert api.thumbnail(library[0], **{"If-None-Match": picture.headers["etag"]}).status_code == 304
    assert (own_stack.state_dir / "admin.key").read_text() == key
    api.ok(api.send("POST", "/api/undo", {"steps": 1}))
    assert api.item(root, library[2])["status"] == {"locked": False, "trashed": False, "seen": False}
    assert "locked" in error_of(api.action(library[1], "trash"), 409)


def test_an_interrupt_stops_everything(own_stack: Stack) -> None:
    began = time.monotonic()

    assert own_stack.stop(signal.SIGINT) == 0

    assert time.monotonic() - began < STOP_S
    assert own_stack.left_running() == []


def test_a_stop_in_the_middle_of_an_empty_trash_and_of_thumbnails_is_clean(
    own_stack: Stack, api: Api, tmp_path: Path
) -> None:
    paths = many(tmp_path / "library", 3000)
    for path in paths:
        Path(f"{path}.trash").touch()
    api.add_root(tmp_path / "library")
    request = api.client.build_request("POST", "/api/empty-trash")
    answer = api.client.send(request, stream=True)
    next(answer.iter_bytes())

    began = time.monotonic()
    assert own_stack.stop() == 0

    assert time.monotonic() - began < STOP_S
    assert own_stack.left_running() == []
    answer.close()
    own_stack.start()
    assert api.empty_trash()[-1]["errors"] == 0
    assert [name for name in os.listdir(tmp_path / "library") if not name.startswith(".")] == []


def test_everything_killed_at_once_loses_no_acknowledged_action(
    own_stack: Stack, api: Api, library: list[Path]
) -> None:
    root = library[0].parent
    api.add_root(root)
    for path in library[:3]:
        api.act(path, "lock")
    api.batch([str(path) for path in library[3:]], "trash")

    os.kill(own_stack.pid, signal.SIGKILL)
    wait_until(lambda: own_stack.left_running() == [], 10.0, "everything died with the supervisor")
    own_stack.stop()
    own_stack.start()

    assert api.summary(root) == {"all": 6, "unseen": 0, "seen": 6, "locked": 3, "trashed": 3}
    assert api.ok(api.get("/api/trash/plan"))["count"] == 3
    api.ok(api.send("POST", "/api/undo", {"steps": 1}))
    assert api.summary(root)["trashed"] == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [("FRAMEWELL_PROT", "8080"), ("FRAMEWELL_PORT", "abc"), ("FRAMEWELL_PORT", "0"), ("FRAMEWELL_AUTH", "off"),
     ("FRAMEWELL_RATE_LIMIT", "many")],
)  # fmt: skip
def test_an_unknown_or_invalid_setting_stops_the_start_with_a_sentence(tmp_path: Path, name: str, value: str) -> None:
    environment = {key: own for key, own in os.environ.items() if not key.startswith("FRAMEWELL_")}
    environment |= {"FRAMEWELL_STATE_DIR": str(tmp_path / "state"), name: value}

    done = subprocess.run(
        [sys.executable, str(RUN_LOCAL)], env=environment, capture_output=True, text=True, timeout=30, check=False
    )

    assert done.returncode != 0
    assert name in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_second_stack_on_the_same_state_directory_is_refused(own_stack: Stack, api: Api) -> None:
    done = subprocess.run(
        [sys.executable, str(RUN_LOCAL)],
        env=own_stack.environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.returncode != 0
    assert "already running" in done.stderr
    assert api.get("/health/ready").status_code == 200


def test_with_authentication_required_everybody_needs_the_key(tmp_path: Path) -> None:
    environment = {"FRAMEWELL_AUTH": "required", "FRAMEWELL_ADMIN_KEY": "a-preset-admin-key-of-some-length"}
    with running_stack(tmp_path / "state", environment=environment) as stack:
        api = Api(stack.url)
        assert error_of(api.get("/api/health"), 401)
        assert error_of(api.get("/api/review-paths", headers={"X-Api-Key": "wrong"}), 401)
        assert api.get("/exq/x").status_code == 401
        assert api.get("/health/live").status_code == 200
        key = {"X-Api-Key": environment["FRAMEWELL_ADMIN_KEY"]}
        assert api.get("/api/health", headers=key).status_code == 200
        assert api.get("/api/review-paths", headers=key).status_code == 200
        api.close()


@pytest.mark.parametrize("name", ["gateway", "fs", "metadata", "search", "thumb-1", "nats"])
def test_a_process_that_dies_is_started_again_and_said_so(own_stack: Stack, api: Api, name: str) -> None:
    old = own_stack.kill(name)

    own_stack.wait_restarted(name, old)

    wait_until(api.is_ready, 20.0, "ready again")
    assert f"{name} was ended by SIGKILL" in own_stack.terminal()

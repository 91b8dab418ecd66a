"""One stack a state directory, and what it leaves for others to find."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from media_common.config import SettingsError
from runner import nats, services, state
from runner.state import Refused, StateDirectory, running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


def test_a_second_one_on_the_same_directory_is_refused_with_the_address_of_the_first(folder: Path) -> None:
    with StateDirectory(folder) as held:
        held.publish({"url": "http://127.0.0.1:8080"})
        with pytest.raises(Refused, match=r"already running on the state directory .* at http://127.0.0.1:8080"):
            StateDirectory(folder).__enter__()
    with StateDirectory(folder):
        pass


def test_everything_but_the_lock_is_gone_when_it_ends(folder: Path) -> None:
    with StateDirectory(folder) as held:
        held.publish({"url": "x"})
        runtime = held.runtime
        assert stat.S_IMODE(runtime.stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / "run.json").stat().st_mode) == 0o600
        assert len(str(runtime / "thumb-64.sock")) < 104
    assert not runtime.exists()
    assert os.listdir(folder) == ["run.lock"]


def test_what_a_killed_run_left_is_no_running_stack_and_is_cleared_by_the_next(folder: Path, tmp_path: Path) -> None:
    old = tmp_path / "framewell-old"
    old.mkdir()
    (old / "fs.sock").touch()
    folder.mkdir()
    (folder / "run.lock").touch()
    (folder / "run.json").write_text(json.dumps({"url": "x", "runtime_dir": str(old)}))
    with pytest.raises(Refused, match="No Framewell is running"):
        running(folder)
    with StateDirectory(folder):
        assert not old.exists()
        assert not (folder / "run.json").exists()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"runtime_dir": 5}', '{"runtime_dir": "/"}'])
def test_a_run_file_that_makes_no_sense_hurts_nobody(folder: Path, text: str) -> None:
    folder.mkdir()
    (folder / "run.json").write_text(text)
    with StateDirectory(folder):
        assert not (folder / "run.json").exists()


def test_only_a_folder_that_a_run_made_is_ever_cleared(folder: Path, tmp_path: Path) -> None:
    mine = tmp_path / "my photos"
    mine.mkdir()
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps({"runtime_dir": str(mine)}))
    with StateDirectory(folder):
        assert mine.exists()


def test_a_running_stack_is_found_by_its_lock(folder: Path) -> None:
    with pytest.raises(Refused, match="No Framewell is running"):
        running(folder)
    with StateDirectory(folder) as held:
        with pytest.raises(Refused, match="just starting or stopping"):
            running(folder)
        held.publish({"nats_url": "nats://t@127.0.0.1:1"})
        assert running(folder) == {"nats_url": "nats://t@127.0.0.1:1", "runtime_dir": str(held.runtime)}


def test_a_state_directory_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Refused, match=r"cannot be used: Not a directory\.$"):
        StateDirectory(tmp_path / "file" / "state").__enter__()


def test_a_long_temporary_folder_is_passed_over(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / ("x" * 90)
    long.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))
    monkeypatch.setattr(state.tempfile, "gettempdir", lambda: str(long))
    with StateDirectory(folder) as held:
        assert held.runtime.parent == Path("/tmp")
    assert os.listdir(long) == []


def test_the_queue_server_is_private(tmp_path: Path) -> None:
    made = nats.prepared(tmp_path / "store", tmp_path)
    settings = json.loads((tmp_path / "nats.conf").read_text())
    assert settings["listen"] == f"127.0.0.1:{made.port}"
    assert "http" not in settings
    assert "monitor_port" not in settings
    token = settings["authorization"]["token"]
    assert made.url == f"nats://{token}@127.0.0.1:{made.port}"
    assert not any(token in word for word in made.command)
    assert stat.S_IMODE((tmp_path / "nats.conf").stat().st_mode) == 0o600


@pytest.mark.parametrize(("text", "count"), [("0", 0), ("1", 1), ("4", 4), ("64", 64)])
def test_the_number_of_workers_can_be_set(monkeypatch: pytest.MonkeyPatch, text: str, count: int) -> None:
    monkeypatch.setenv("THUMBNAIL_WORKERS", text)
    assert services.worker_count() == count


@pytest.mark.parametrize("text", ["many", "-1", "65", "1.5", "٣", " 1"])
def test_a_number_of_workers_that_is_none_is_a_sentence(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("THUMBNAIL_WORKERS", text)
    with pytest.raises(SettingsError, match=r"THUMBNAIL_WORKERS=.* is not valid: a whole number from 0 to 64"):
        services.worker_count()

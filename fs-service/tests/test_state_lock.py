"""Two services never share a state directory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from fs_service.state_lock import StateInUse, state_directory


def test_a_second_service_is_refused_by_name_until_the_first_has_ended(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with state_directory(state):
        assert state.stat().st_mode & 0o777 == 0o700
        with (
            pytest.raises(StateInUse, match=f"in use by another fs-service, process {os.getpid()}"),
            state_directory(state),
        ):
            pass
    with state_directory(state):
        pass


def test_a_killed_service_leaves_no_lock_behind(tmp_path: Path) -> None:
    program = (
        "import sys, threading, pathlib\n"
        "from fs_service.state_lock import state_directory\n"
        "with state_directory(pathlib.Path(sys.argv[1])):\n"
        "    print('mine', flush=True); threading.Event().wait()"
    )
    process = subprocess.Popen([sys.executable, "-c", program, tmp_path], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == b"mine\n"
        with pytest.raises(StateInUse), state_directory(tmp_path):
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
    with state_directory(tmp_path):
        pass


def test_a_directory_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StateInUse, match="cannot be used"), state_directory(tmp_path / "file" / "state"):
        pass

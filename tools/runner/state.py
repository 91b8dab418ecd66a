"""What a running stack leaves for others to find: a lock, `run.json`, and a private folder for its sockets."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final, Self

RUN_FILE: Final = "run.json"
LOCK_FILE: Final = "run.lock"
_RUNTIME_PREFIX: Final = "framewell-"
#: A socket's address has room for 107 bytes on Linux and 103 on macOS.
_LONGEST_SOCKET: Final = 103
_LONGEST_NAME: Final = len("/thumb-999999999.sock")


class Refused(Exception):
    """The stack cannot be started as things are; the text is a sentence for the person who tries."""


class StateDirectory:
    """The state directory, held by this process alone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._run_file = path / RUN_FILE
        self._lock = -1
        self.runtime = Path()

    def __enter__(self) -> Self:
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(self.path / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Refused(f"The state directory {self.path} cannot be used: {error.strerror}.") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise Refused(
                f"Framewell is already running on the state directory {self.path}{_where(self._run_file)}. Stop it "
                "first, or set FRAMEWELL_STATE_DIR to another directory."
            ) from None
        self._clear_leftovers()
        self.runtime = _short_folder()
        return self

    def __exit__(self, *_: object) -> None:
        self._run_file.unlink(missing_ok=True)
        shutil.rmtree(self.runtime, ignore_errors=True)
        os.close(self._lock)

    def publish(self, facts: dict[str, Any]) -> None:
        """Replace `run.json`; readers see the old text or the new one. It holds the NATS token: mode 600."""
        temporary = self._run_file.with_name(f".{RUN_FILE}.{os.getpid()}")
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(facts | {"runtime_dir": str(self.runtime)}, file, indent=2)
        temporary.replace(self._run_file)

    def _clear_leftovers(self) -> None:
        """A run that was killed could not remove its socket folder."""
        try:
            runtime = Path(json.loads(self._run_file.read_text(encoding="utf-8"))["runtime_dir"])
            if runtime.name.startswith(_RUNTIME_PREFIX) and not runtime.is_symlink():
                shutil.rmtree(runtime, ignore_errors=True)
        except (OSError, ValueError, KeyError, TypeError):
            pass
        self._run_file.unlink(missing_ok=True)


def running(state: Path) -> dict[str, Any]:
    """The `run.json` of the stack that runs on this state directory.

    Raises:
        Refused: none runs there, or it is not ready yet.
    """
    absent = Refused(f"No Framewell is running on the state directory {state}. Start it with `make run` first.")
    try:
        lock = os.open(state / LOCK_FILE, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        raise absent from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pass  # held: it is alive
    else:
        raise absent  # a run.json here would be one that a killed run left
    finally:
        os.close(lock)
    try:
        facts: dict[str, Any] = json.loads((state / RUN_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise Refused("Framewell is just starting or stopping; try again in a moment.") from None
    return facts


def _where(run_file: Path) -> str:
    try:
        return f" at {json.loads(run_file.read_text(encoding='utf-8'))['url']}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _short_folder() -> Path:
    """A new private folder whose path leaves room for a socket's name."""
    for parent in (os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir(), "/tmp"):
        if not parent or not os.access(parent, os.W_OK | os.X_OK):
            continue
        folder = tempfile.mkdtemp(prefix=_RUNTIME_PREFIX, dir=parent)
        if len(os.fsencode(folder)) + _LONGEST_NAME <= _LONGEST_SOCKET:
            return Path(folder)
        os.rmdir(folder)
    raise Refused("No writable temporary folder with a path short enough for a socket; set TMPDIR to one.")

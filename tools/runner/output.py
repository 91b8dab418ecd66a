"""What the processes say, line by line, on the terminal and in one log file that turns over by size."""

from __future__ import annotations

import json
import logging
import logging.handlers
import queue
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

LOG_NAME: Final = "framewell.log"
#: Five files of this size are kept beside the current one.
_TURN_OVER_BYTES: Final = 10 * 2**20
_KEPT_FILES: Final = 5
#: A line longer than this is cut: a process gone mad must not fill the memory here.
MAX_LINE_BYTES: Final = 64 * 1024
#: Lines that wait for a terminal that does not read. Beyond it the terminal misses lines; the file has them.
_TERMINAL_LINES: Final = 10_000
_NAME_WIDTH: Final = 9


class _LogFile(logging.handlers.RotatingFileHandler):
    def handleError(self, record: logging.LogRecord) -> None:
        """A full disk costs lines, nothing else."""


class Output:
    """Takes lines from the event loop and never makes it wait for a terminal: a paused or closed one loses lines,
    the product goes on.
    """

    def __init__(self, logs: Path, form: Literal["text", "json"]) -> None:
        logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.file = logs / LOG_NAME
        self._json = form == "json"
        self._log = _LogFile(
            self.file, maxBytes=_TURN_OVER_BYTES, backupCount=_KEPT_FILES, encoding="utf-8", errors="backslashreplace"
        )
        self._terminal: queue.Queue[str | None] = queue.Queue(_TERMINAL_LINES)
        self._printer = threading.Thread(target=self._print, name="terminal", daemon=True)
        self._printer.start()

    def line(self, name: str, text: str, terminal: bool = True) -> None:
        """One line of the process `name`; into the file always, onto the terminal unless told otherwise."""
        line = self._as_json(name, text) if self._json else f"{name:<{_NAME_WIDTH}} | {text}"
        self._log.emit(logging.LogRecord("", logging.INFO, "", 0, line, None, None))
        if terminal:
            with suppress(queue.Full):
                self._terminal.put_nowait(line)

    def close(self) -> None:
        """Print what is waiting, for a second at most, and close the file."""
        with suppress(queue.Full):
            self._terminal.put(None, timeout=1)
            self._printer.join(timeout=1)
        self._log.close()

    def _as_json(self, name: str, text: str) -> str:
        if text.startswith("{") and text.endswith("}"):
            return text
        return json.dumps({"service": name, "event": text})

    def _print(self) -> None:
        while (line := self._terminal.get()) is not None:
            try:
                sys.stdout.write(line + "\n")
                sys.stdout.flush()
            except (OSError, ValueError, UnicodeError):  # closed, or it cannot show the text
                continue

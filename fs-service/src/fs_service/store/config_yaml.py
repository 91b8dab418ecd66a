"""`config.yaml`: read by people and edited by hand, so comments and unknown keys survive, and a broken file is left.

Nothing here knows what a root's directory looks like; that is `roots.py`.
"""

from __future__ import annotations

import fcntl
import io
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from fs_service.domain.errors import ConfigBroken, PathMalformed, StorageFailed
from fs_service.domain.paths import HIDDEN_PICKER_PATHS, holds_hidden_place, is_hidden_place, normalised
from fs_service.domain.views import Settings

FILE: Final = "config.yaml"
VIDEO_PRELOAD_MB: Final = 50
#: A file changed this shortly before it was read may change again without a new time stamp.
_GRANULARITY_NS: Final = 50_000_000
#: Tens of thousands of paths. The parser needs seconds for each megabyte, and all wait for it.
_MOST_BYTES: Final = 1024 * 1024

_TEMPLATE: Final = """\
# Framewell. Edited by hand or by the page; comments and keys that are not known stay.
available_paths: []
known_paths: []
server: {}
"""


@dataclass(frozen=True, slots=True)
class Parsed:
    """The file's meaning."""

    known_paths: tuple[bytes, ...]  # sorted, clean
    settings: Settings


class ConfigFile:
    """The one reader and writer of `config.yaml`; every question looks whether the file has changed."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / FILE
        self._lock_path = state_dir / f"{FILE}.lock"
        self._mutex = threading.Lock()
        self._seen: tuple[int, ...] | None = None
        self._parsed: Parsed | None = None
        self._broken = ""  # what is wrong with the file that was seen

    def known_paths(self) -> tuple[bytes, ...]:
        """Raises ConfigBroken."""
        return self._current().known_paths

    def settings(self) -> Settings:
        """Raises ConfigBroken."""
        return self._current().settings

    def add_path(self, path: bytes) -> None:
        """Raises ConfigBroken, StorageFailed: the file is as it was."""

        def change(document: CommentedMap) -> bool:
            paths = document.get("known_paths")
            if paths is None:
                paths = document["known_paths"] = CommentedSeq()
            if path in [_clean(document, "known_paths", index, one) for index, one in enumerate(paths)]:
                return False
            paths.append(_text(path))
            return True

        self._edit(change)

    def remove_path(self, path: bytes) -> None:
        """Raises ConfigBroken, StorageFailed: the file is as it was."""

        def change(document: CommentedMap) -> bool:
            paths = document.get("known_paths") or CommentedSeq()
            named = [index for index, one in enumerate(paths) if _clean(document, "known_paths", index, one) == path]
            for index in reversed(named):
                del paths[index]
            return bool(named)

        self._edit(change)

    def set_video_preload_mb(self, value: int) -> None:
        """Raises ConfigBroken, StorageFailed: the file is as it was."""

        def change(document: CommentedMap) -> bool:
            if document.get("server") is None:
                document["server"] = CommentedMap()
            before = document["server"].get("video_preload_mb")
            document["server"]["video_preload_mb"] = value
            return bool(before != value)  # the default, too, is written when somebody chose it

        self._edit(change)

    def _current(self) -> Parsed:
        with self._mutex:
            seen = self._stamp()
            if (self._parsed is None and not self._broken) or seen != self._seen:
                now_ns = time.time_ns()
                self._parsed, self._broken = None, ""
                text = self._text()
                try:
                    self._parsed = _parsed(_document(text))
                except ConfigBroken as error:
                    # Kept as well: some broken texts take the parser seconds, and every request asks.
                    self._broken = error.message
                # Read again next time when the file is so fresh that a second change might not show.
                fresh = seen is not None and now_ns - max(seen[2:]) < _GRANULARITY_NS
                self._seen = (-1,) if fresh else seen
            if self._parsed is None:
                raise ConfigBroken(self._broken)
            return self._parsed

    def _stamp(self) -> tuple[int, ...] | None:
        try:
            facts = os.stat(self._path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ConfigBroken(f"{FILE} cannot be read: {error.strerror}.") from error
        return facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns

    def _text(self) -> bytes:
        """The file's bytes, or the template's.

        Raises:
            ConfigBroken: it cannot be read, or is no file that a person wrote.
        """
        try:
            with open(self._path, "rb") as file:
                text = file.read(_MOST_BYTES + 1)
        except FileNotFoundError:
            return _TEMPLATE.encode()
        except OSError as error:
            raise ConfigBroken(f"{FILE} cannot be read: {error.strerror}.") from error
        if len(text) > _MOST_BYTES:
            raise ConfigBroken(f"{FILE} is larger than {_MOST_BYTES} bytes. It was left as it is.")
        return text

    def _edit(self, change: Callable[[CommentedMap], bool]) -> None:
        """
        Args:
            change: changes the document; whether there was anything to change.
        """
        with self._mutex:
            try:
                with self._locked():
                    document = _document(self._text())
                    _parsed(document)
                    if change(document) or not self._path.exists():
                        _parsed(document)  # nothing that cannot be read again is ever written
                        self._write(document)
            except OSError as error:
                raise StorageFailed(f"{FILE} cannot be written: {error.strerror}.") from error
            finally:
                self._parsed, self._broken = None, ""

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """A lock that other processes see, on a file of its own, because the config itself is replaced."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _write(self, document: CommentedMap) -> None:
        out = io.BytesIO()
        _yaml().dump(document, out)
        # A config that is a link into somebody's dotfiles stays one.
        target = os.path.realpath(self._path)
        temporary = f"{target}.tmp"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "wb") as file:
            if os.path.exists(target):
                os.fchmod(descriptor, os.stat(target).st_mode & 0o777)
            file.write(out.getvalue())
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, target)
        folder = os.open(os.path.dirname(target), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _yaml() -> YAML:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 1 << 20  # a long path stays on its line
    return yaml


def _document(text: bytes) -> CommentedMap:
    try:
        document = _yaml().load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _broken(mark.line if mark else 0, str(error.problem or "it is not YAML")) from error
    except YAMLError as error:
        position = getattr(error, "position", 0)
        raise _broken(text[:position].count(b"\n"), "it holds bytes that are no text") from error
    except (ValueError, RecursionError) as error:
        raise ConfigBroken(f"{FILE} is broken: a value in it cannot be read. It was left as it is.") from error
    if document is None:
        return CommentedMap()
    if not isinstance(document, CommentedMap):
        raise _broken(0, "it must hold keys and values")
    return document


def _parsed(document: CommentedMap) -> Parsed:
    known = {
        _clean(document, "known_paths", index, entry)
        for index, entry in enumerate(_sequence(document, "known_paths", ()))
    }
    available = tuple(
        _clean(document, "available_paths", index, entry)
        for index, entry in enumerate(_sequence(document, "available_paths", ()))
    )
    server = document.get("server")
    if server is None:
        server = CommentedMap()
    if not isinstance(server, CommentedMap):
        raise _broken(_line(document, "server"), "server must hold keys and values")
    preload = server.get("video_preload_mb")
    if preload is None:
        preload = VIDEO_PRELOAD_MB
    if isinstance(preload, bool) or not isinstance(preload, int) or not 1 <= preload <= 10_000:
        raise _broken(_line(server, "video_preload_mb"), "video_preload_mb must be an integer from 1 to 10000")
    hosts = _sequence(server, "trusted_hosts", ())
    if not all(isinstance(host, str) for host in hosts):
        raise _broken(_line(server, "trusted_hosts"), "trusted_hosts must be a list of names")
    level = server.get("log_level")
    if level is None:
        level = "INFO"
    if not isinstance(level, str):
        raise _broken(_line(server, "log_level"), "log_level must be a word")
    settings = Settings(
        available_paths=available or _default_available(),
        hidden_picker_paths=HIDDEN_PICKER_PATHS,
        video_preload_mb=int(preload),
        trusted_hosts=tuple(str(host) for host in hosts),
        log_level=str(level),
    )
    return Parsed(tuple(sorted(known)), settings)


def _default_available() -> tuple[bytes, ...]:
    home = os.path.expanduser(b"~")
    return (home, b"/mnt") if home.startswith(b"/") else (b"/mnt",)


def _sequence(mapping: CommentedMap, key: str, default: Any) -> Any:
    value = mapping.get(key)
    if value is None:
        return default
    if not isinstance(value, list):
        raise _broken(_line(mapping, key), f"{key} must be a list")
    return value


def _clean(document: CommentedMap, key: str, index: int, entry: object) -> bytes:
    """An entry of a list of paths as a clean path."""
    if isinstance(entry, str):
        try:
            # YAML can write lone surrogates as escapes, and those that stand for bytes are meant as such.
            raw = entry.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as error:
            raise _broken(_entry_line(document, key, index), f"an entry of {key} is not text") from error
    elif isinstance(entry, bytes):
        raw = entry
    else:
        raise _broken(_entry_line(document, key, index), f"an entry of {key} is not a path")
    try:
        path = normalised(raw)
    except PathMalformed as error:
        raise _broken(_entry_line(document, key, index), f"{key}: {error.message}") from error
    if key == "known_paths" and (is_hidden_place(path) or holds_hidden_place(path)):
        raise _broken(_entry_line(document, key, index), f"{key}: a system directory cannot be a review path")
    return path


def _text(path: bytes) -> str | bytes:
    """The path for YAML: a string, or `!!binary` when its bytes are no text."""
    try:
        return path.decode()
    except UnicodeDecodeError:
        return path


def _line(mapping: CommentedMap, key: str) -> int:
    try:
        return int(mapping.lc.key(key)[0])
    except (KeyError, AttributeError, TypeError):
        return 0


def _entry_line(document: CommentedMap, key: str, index: int) -> int:
    try:
        return int(document[key].lc.item(index)[0])
    except (KeyError, AttributeError, TypeError, IndexError):
        return _line(document, key)


def _broken(line: int, what: str) -> ConfigBroken:
    return ConfigBroken(f"{FILE} is broken in line {line + 1}: {what}. It was left as it is.")

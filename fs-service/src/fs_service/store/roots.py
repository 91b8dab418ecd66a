"""The review roots: which are configured, and whether what stands at each path is the directory that was added.

A root's identity is its inode together with its device or, since device numbers change over a reboot, a marker file
in its `.thumbnails`. Identities are kept in `roots.json`, apart from the config that people edit.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import stat
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from media_common import beneath, thumbnail_file

from fs_service.domain.errors import OutsideRoots, PathMissing, RootNotConfigured, RootOffline, StorageFailed
from fs_service.domain.paths import is_inside
from fs_service.domain.ports import Place, RootState
from fs_service.domain.views import Settings
from fs_service.store.config_yaml import ConfigFile

logger = logging.getLogger(__name__)

FILE: Final = "roots.json"
MARKER: Final = b"root-id"
_MARKER_FORM: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NOFOLLOW: Final = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK

#: What is wrong with the path, and not with the machine.
_NOT_TO_BE_HAD: Final = frozenset((errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR, errno.ELOOP))
_MISSING: Final = "The directory is not there."
_SWAPPED: Final = "Another directory stands in its place; add the path again to accept it."
_READ_ONLY: Final = "The directory cannot be written; marks are kept in the state directory."


@dataclass(frozen=True, slots=True)
class RootIdentity:
    """The directory that was added."""

    device: int
    inode: int
    marker: str | None  # None where it could not be written


class ConfiguredRoots:
    """Implements `ports.RootBook` and `ports.SettingsBook` on the state directory."""

    def __init__(self, config: ConfigFile, state_dir: Path) -> None:
        self._config = config
        self._path = state_dir / FILE
        self._mutex = threading.Lock()
        self._identities = self._load()

    def known(self) -> list[bytes]:
        return list(self._config.known_paths())

    def settings(self) -> Settings:
        return self._config.settings()

    def set_video_preload_mb(self, value: int) -> None:
        self._config.set_video_preload_mb(value)

    def place(self, path: bytes) -> Place:
        holding = [root for root in self._config.known_paths() if is_inside(path, root)]
        if not holding:
            raise OutsideRoots
        root = max(holding, key=len)
        return Place(root, path[len(root.rstrip(b"/")) + 1 :])

    def add(self, path: bytes) -> None:
        with self._mutex:
            try:
                with beneath.root(path) as root_fd:
                    self._config.add_path(path)
                    self._keep({**self._identities, path: _identity(root_fd)})
            except OSError as error:
                sentence = f"The directory cannot be opened: {error.strerror}."
                raise (PathMissing if error.errno in _NOT_TO_BE_HAD else StorageFailed)(sentence) from error

    def remove(self, path: bytes) -> None:
        with self._mutex:
            if path not in self._config.known_paths():
                raise RootNotConfigured
            self._config.remove_path(path)
            self._keep({root: one for root, one in self._identities.items() if root != path})

    def state(self, root: bytes) -> tuple[RootState, str]:
        try:
            facts = os.stat(root)
        except OSError as error:
            return RootState.OFFLINE, _sentence(error)
        if not stat.S_ISDIR(facts.st_mode):
            return RootState.SWAPPED, "Something that is no directory stands in its place."
        identity = self._identities.get(root)
        if identity is None or (facts.st_dev, facts.st_ino) != (identity.device, identity.inode):
            try:
                with self.opened(root):
                    pass
            except RootOffline:
                return RootState.SWAPPED, _SWAPPED
        if not os.access(root, os.W_OK | os.X_OK):
            return RootState.READ_ONLY, _READ_ONLY
        return RootState.ONLINE, ""

    @contextmanager
    def opened(self, root: bytes) -> Iterator[int]:
        try:
            root_fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise RootOffline(_sentence(error)) from error
        try:
            if not self._is_same(root, root_fd):
                raise RootOffline(_SWAPPED)
            yield root_fd
        finally:
            os.close(root_fd)

    def _is_same(self, root: bytes, root_fd: int) -> bool:
        facts = os.fstat(root_fd)
        identity = self._identities.get(root)
        if identity is not None and identity.inode == facts.st_ino:
            if identity.device == facts.st_dev:
                return True
            if identity.marker is not None and _read_marker(root_fd) == identity.marker:
                logger.info("a review root is on another device number now; its marker says it is the same")
                with self._mutex, suppress(StorageFailed):
                    self._keep({**self._identities, root: replace(identity, device=facts.st_dev)})
                return True
        if identity is None and root in self._config.known_paths():
            # Written into the config by hand, or the identities are lost: what is there now is the root.
            with self._mutex, suppress(StorageFailed):
                self._keep({**self._identities, root: _identity(root_fd)})
            return True
        return False

    def _load(self) -> dict[bytes, RootIdentity]:
        try:
            document: dict[str, Any] = json.loads(self._path.read_bytes())
            return {
                path.encode("utf-8", "surrogateescape"): RootIdentity(
                    int(one["device"]), int(one["inode"]), one["marker"] and str(one["marker"])
                )
                for path, one in document.items()
            }
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            logger.warning("%s cannot be read; the roots are taken as they are now", FILE)
            return {}

    def _keep(self, identities: dict[bytes, RootIdentity]) -> None:
        """Raises StorageFailed; the change holds in memory all the same."""
        self._identities = identities
        document = {
            path.decode("utf-8", "surrogateescape"): {
                "device": one.device,
                "inode": one.inode,
                "marker": one.marker,
            }
            for path, one in sorted(identities.items())
        }
        temporary = self._path.with_suffix(".tmp")
        try:
            with open(temporary, "w", encoding="ascii") as file:
                json.dump(document, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self._path)
        except OSError as error:
            raise StorageFailed(f"{FILE} cannot be written: {error.strerror}.") from error


def _identity(root_fd: int) -> RootIdentity:
    """The identity of what stands there now, with a marker put into it when it can be."""
    facts = os.fstat(root_fd)
    marker = _read_marker(root_fd)
    if marker is None:
        with suppress(OSError):
            marker = _write_marker(root_fd)
    return RootIdentity(facts.st_dev, facts.st_ino, marker)


def _read_marker(root_fd: int) -> str | None:
    try:
        with beneath.folder(root_fd, [thumbnail_file.FOLDER]) as folder_fd:
            descriptor = os.open(MARKER, os.O_RDONLY | _NOFOLLOW, dir_fd=folder_fd)
            try:
                text = os.read(descriptor, 64).decode("ascii", "replace").strip()
            finally:
                os.close(descriptor)
    except OSError:
        return None
    return text if _MARKER_FORM.fullmatch(text) else None


def _write_marker(root_fd: int) -> str:
    """Raises OSError: the root is read-only, or something else stands where the marker belongs."""
    with suppress(FileExistsError):
        os.mkdir(thumbnail_file.FOLDER, 0o700, dir_fd=root_fd)
    marker = str(uuid.uuid4())
    with beneath.folder(root_fd, [thumbnail_file.FOLDER]) as folder_fd:
        temporary = MARKER + b".tmp"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _NOFOLLOW, 0o600, dir_fd=folder_fd)
        with open(descriptor, "wb") as file:
            file.write(marker.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, MARKER, src_dir_fd=folder_fd, dst_dir_fd=folder_fd)
    return marker


def _sentence(error: OSError) -> str:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return _MISSING
    return f"It cannot be reached ({error.strerror})."

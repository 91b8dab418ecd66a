"""The folder picker's look at directories outside the review roots."""

from __future__ import annotations

import os
from collections.abc import Iterator

from fs_service.domain.media import is_hidden
from fs_service.domain.paths import is_hidden_place
from fs_service.domain.views import FolderInfo


class DiskPicker:
    """Implements `ports.Picker`. A link to a folder is offered like one, unless it leads to a hidden place."""

    def real(self, path: bytes) -> bytes:
        return os.path.realpath(path)

    def is_folder(self, path: bytes) -> bool:
        return os.path.isdir(path)

    def below(self, path: bytes) -> list[FolderInfo]:
        return [
            FolderInfo(child, any(True for _ in _children(child)))
            for child in sorted(_children(path), key=lambda child: child.rpartition(b"/")[2])
        ]


def _children(path: bytes) -> Iterator[bytes]:
    try:
        with os.scandir(path) as scan:
            for entry in scan:
                if not is_hidden(entry.name) and _is_offered(entry):
                    yield entry.path
    except OSError:
        return


def _is_offered(entry: os.DirEntry[bytes]) -> bool:
    try:
        if not entry.is_dir() or is_hidden_place(entry.path):
            return False
        return not entry.is_symlink() or not is_hidden_place(os.path.realpath(entry.path))
    except OSError:
        return False

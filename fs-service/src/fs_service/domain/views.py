"""What the use cases of looking answer: plain values, paths as bytes."""

from __future__ import annotations

from dataclasses import dataclass

from fs_service.domain.items import Item


@dataclass(frozen=True, slots=True)
class FolderInfo:
    """A folder of the picker."""

    path: bytes
    has_children: bool  # a folder in it that the picker would show


@dataclass(frozen=True, slots=True)
class FolderPage:
    """A slice of one folder's media, by name."""

    path: bytes
    items: list[Item]
    total: int  # media files in the folder
    ignored: int  # its other regular files, companions not counted


@dataclass(frozen=True, slots=True)
class Counts:
    """How many items carry each mark; `unseen + seen == all`, the others overlap."""

    all: int = 0
    unseen: int = 0
    locked: int = 0
    trashed: int = 0

    @property
    def seen(self) -> int:
        return self.all - self.unseen


@dataclass(frozen=True, slots=True)
class Summary:
    """The counts of one root."""

    path: bytes
    all: int
    unseen: int
    seen: int
    locked: int
    trashed: int


@dataclass(frozen=True, slots=True)
class Settings:
    """What `config.yaml` says apart from the roots."""

    available_paths: tuple[bytes, ...]
    hidden_picker_paths: tuple[bytes, ...]
    video_preload_mb: int
    trusted_hosts: tuple[str, ...]
    log_level: str

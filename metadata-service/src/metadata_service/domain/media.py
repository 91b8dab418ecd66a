"""What the catalogue holds: collections, folders, media, and the marks that decide what is listed."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from typing import Any, Final
from uuid import UUID


class Kind(IntEnum):
    """The numbers are in alphabetical order of the names: sorting by kind is sorting by number."""

    AUDIO = 1
    DOCUMENT = 2
    FOLDER = 3
    IMAGE = 4
    MODEL = 5
    OTHER = 6
    TEXT = 7
    VIDEO = 8

    @property
    def label(self) -> str:
        return self.name.lower()


#: What a folder counts as its items.
COUNTED: Final = frozenset({Kind.IMAGE, Kind.VIDEO})
FILES: Final = frozenset(kind for kind in Kind if kind is not Kind.FOLDER)


class Source(IntEnum):
    """Where an item's bytes are."""

    IN_PLACE = 1  # a file below a review path
    UPLOAD = 2  # a blob of the store
    EXTERNAL = 3  # an imported collection's own address


class Marks(IntFlag):
    """The numbers are kept in the database."""

    NONE = 0
    LOCKED = 1
    TRASHED = 2
    SEEN = 4
    GONE = 8  # a healthy scan did not find the file
    EMPTIED = 16  # deleted for good; the row stays so that the id is never given again
    SUPERSEDED = 32  # another version of it is the active one

    @property
    def listed(self) -> bool:
        """Shown by the listings of the catalogue."""
        return not self._value_ & _UNLISTED

    @property
    def present(self) -> bool:
        """Answered when asked for by id, and by a retrieval filter."""
        return not self._value_ & _ABSENT

    @property
    def status(self) -> str:
        """The one word of the `Status` tagset; a file that was locked and trashed by hand is trashed."""
        if self & Marks.TRASHED:
            return "trashed"
        if self & Marks.LOCKED:
            return "locked"
        return "seen" if self & Marks.SEEN else "unseen"


# Plain numbers: the operators of a flag are slow, and these are asked of every item.
_ABSENT: Final = int(Marks.GONE | Marks.EMPTIED)
_UNLISTED: Final = int(Marks.TRASHED | Marks.SUPERSEDED) | _ABSENT

#: The marks that people set; the others are the catalogue's own.
REVIEW_MARKS: Final = Marks.LOCKED | Marks.TRASHED | Marks.SEEN


def name_key(name: str) -> str:
    """What names are ordered by: NFC and case-folded."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def shown_name(raw: bytes) -> str:
    """A file's name as text; bytes that are no UTF-8 are shown as `\\xNN`, and nothing is ever refused."""
    return raw.decode("utf-8", "backslashreplace")


@dataclass(frozen=True, slots=True)
class Collection:
    id: int
    uuid: UUID
    slug: str
    name: str
    icon: str
    id_base: int
    root_folder_id: int
    root_path: bytes | None  # a review path, when it stands for one
    originals_url: str
    thumbnails_url: str
    created_us: int

    @property
    def imported(self) -> bool:
        """It has numbers and tagsets of its own; the catalogue adds none."""
        return self.id_base != 0


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a file from the outside and from the inside; None is unknown."""

    size_bytes: int = 0
    modified_us: int = 0
    width_px: int | None = None
    height_px: int | None = None
    duration_s: float | None = None
    page_count: int | None = None
    taken_us: int | None = None  # the camera's own time, as if it were UTC
    camera: str | None = None
    lens: str | None = None
    orientation: int | None = None
    latitude: float | None = None
    longitude: float | None = None
    taken_offset_min: int | None = None  # the camera's clock ahead of UTC


@dataclass(frozen=True, slots=True)
class FileSeen:
    """A file in place as the file service describes it."""

    relative_path: bytes
    kind: Kind
    marks: Marks
    facts: Facts
    inode: int = 0


@dataclass(frozen=True, slots=True)
class Upload:
    """Bytes already in the blob store."""

    name: str
    kind: Kind
    sha256: bytes
    facts: Facts
    content_type: str
    folder_id: int | None = None  # None: the collection's root
    version_of: int | None = None


@dataclass(frozen=True, slots=True)
class Imported:
    """A row of another system's collection, an item or a group; its number and those of its tags are kept."""

    relative_id: int
    uri: str | None  # None: it has no file
    kind: Kind
    thumbnail_uri: str | None = None
    group_relative_id: int | None = None
    tag_ids: tuple[int, ...] = ()
    is_group: bool = False


@dataclass(frozen=True, slots=True)
class DetectedObject:
    id: int
    uuid: UUID
    kind: str
    label: str
    model: str
    shape: Any  # `{"bbox": [...]}` or `{"polygon": [...]}`


@dataclass(frozen=True, slots=True)
class Frame:
    id: int  # frame 0 has its media's
    uuid: UUID
    index: int
    timestamp_s: float
    width_px: int | None
    height_px: int | None
    objects: tuple[DetectedObject, ...] = ()


@dataclass(frozen=True, slots=True)
class Media:
    """One row of a listing with everything that any dialect prints of it. Folders are media of kind FOLDER."""

    id: int
    uuid: UUID
    collection_id: int
    kind: Kind
    name: str
    path: tuple[UUID, ...]  # from the collection's own id to its own
    relative_path: bytes
    source: Source
    marks: Marks
    facts: Facts
    created_us: int
    updated_us: int
    description: str
    prompt: str
    metadata: dict[str, Any]
    tags: dict[str, list[Any]]
    sha256: bytes | None
    content_type: str
    group_id: int | None
    total_versions: int
    thumbnail_uri: str | None = None
    frames: tuple[Frame, ...] = ()
    frame_object: UUID | None = None  # the whole-frame object of frame 0
    items_below: int | None = None  # folders only
    previews: tuple[int, ...] | None = None  # folders only: media ids, newest first
    extra: dict[str, Any] = field(default_factory=dict)

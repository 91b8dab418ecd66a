"""Everything this service refuses, by name, each with the sentence the user reads."""

from __future__ import annotations

from media_common.errors import ErrorCode, ServiceError


class CollectionNotFound(ServiceError):
    code = ErrorCode.COLLECTION_NOT_FOUND

    def __init__(self) -> None:
        super().__init__("Collection not found")


class CollectionExists(ServiceError):
    """Another collection has this name, or stands for this review path."""

    code = ErrorCode.ALREADY_EXISTS

    def __init__(self) -> None:
        super().__init__("A collection with this name exists already.")


class FolderNotFound(ServiceError):
    code = ErrorCode.FOLDER_NOT_FOUND

    def __init__(self) -> None:
        super().__init__("Folder not found")


class ItemNotFound(ServiceError):
    """No such media or group; one that was emptied counts as none."""

    code = ErrorCode.ITEM_NOT_FOUND

    def __init__(self) -> None:
        super().__init__("Media not found")


class FrameNotFound(ServiceError):
    """The item is there; it has no such frame, or was not looked into yet."""

    code = ErrorCode.INVALID_ARGUMENT

    def __init__(self) -> None:
        super().__init__("Invalid frame: the item has no such frame.")


class ObjectNotFound(ServiceError):
    code = ErrorCode.OBJECT_NOT_FOUND

    def __init__(self) -> None:
        super().__init__("Object not found")


class TagNotFound(ServiceError):
    code = ErrorCode.TAG_NOT_FOUND

    def __init__(self) -> None:
        super().__init__("The item has no such tag.")


class TagExists(ServiceError):
    code = ErrorCode.ALREADY_EXISTS

    def __init__(self) -> None:
        super().__init__("The item has this tag already.")


class TagInvalid(ServiceError):
    """A value that its tagset's type does not allow, or a tagset that only the catalogue itself writes."""

    code = ErrorCode.INVALID_ARGUMENT


class BadMove(ServiceError):
    """A folder into itself or below itself, or into another collection."""

    code = ErrorCode.INVALID_ARGUMENT


class NotMovable(ServiceError):
    """The item is a file in place: its path on the disk is the truth."""

    code = ErrorCode.NOT_MOVABLE

    def __init__(self) -> None:
        super().__init__("Files of a review path stay where they are on the disk; this item cannot be moved.")


class ItemIsLocked(ServiceError):
    code = ErrorCode.ITEM_LOCKED

    def __init__(self) -> None:
        super().__init__("The item is locked.")


class HasLocked(ServiceError):
    """Something below the folder is locked."""

    code = ErrorCode.ITEM_LOCKED

    def __init__(self) -> None:
        super().__init__("A locked item is in the folder; nothing was deleted.")


class KeyNotFound(ServiceError):
    code = ErrorCode.KEY_NOT_FOUND

    def __init__(self) -> None:
        super().__init__("Key not found")


class FilterTooLarge(ServiceError):
    """Deeper or longer than a filter may be, or not of the grammar."""

    code = ErrorCode.INVALID_ARGUMENT


class Unreachable(ServiceError):
    """The file service or NATS does not answer; indexing goes on when it does."""

    code = ErrorCode.SERVICE_UNAVAILABLE


class BadImport(ServiceError):
    """A collection of another system that cannot be taken as it is."""

    code = ErrorCode.INVALID_ARGUMENT


class IdOutOfRange(ServiceError):
    """An id that a collection cannot hold."""

    code = ErrorCode.INVALID_ARGUMENT

"""Everything this service refuses, by name, each with the sentence the user reads."""

from __future__ import annotations

from media_common.errors import ErrorCode, ServiceError


class PathMalformed(ServiceError):
    """The request's path cannot be one: empty, relative, a NUL, too long, an unknown user."""

    code = ErrorCode.PATH_MALFORMED


class OutsideRoots(ServiceError):
    """The path is not below a review path; says nothing about whether it exists."""

    code = ErrorCode.OUTSIDE_ROOTS

    def __init__(self) -> None:
        super().__init__("Path is not under a configured review path.")


class UnknownRoot(ServiceError):
    """The path is not itself a review path."""

    code = ErrorCode.UNKNOWN_ROOT

    def __init__(self) -> None:
        super().__init__("Path is not configured as a known review path.")


class RootNotConfigured(ServiceError):
    """A review path to be removed is not there."""

    code = ErrorCode.ROOT_NOT_CONFIGURED

    def __init__(self) -> None:
        super().__init__("Path is not a configured known review path.")


class HiddenPath(ServiceError):
    """The picker's policy hides the path, or it holds a system directory."""

    code = ErrorCode.HIDDEN_PATH

    def __init__(self, message: str = "Path is hidden by the picker policy.") -> None:
        super().__init__(message)


class PathMissing(ServiceError):
    """Inside the roots, but not there (or not of the kind asked for)."""

    code = ErrorCode.PATH_MISSING

    def __init__(self, message: str = "Path does not exist.") -> None:
        super().__init__(message)


class NotMedia(ServiceError):
    """The file is neither an image nor a video by its name, or is no regular file."""

    code = ErrorCode.NOT_MEDIA

    def __init__(self) -> None:
        super().__init__("Path is not an image or a video file.")


class NameTooLong(ServiceError):
    """The file system has no room for the name with a companion's suffix."""

    code = ErrorCode.NAME_TOO_LONG

    def __init__(self) -> None:
        super().__init__("The file's name is too long to take a companion file; nothing was changed.")


class ItemLocked(ServiceError):
    """A lock is stronger than trash."""

    code = ErrorCode.ITEM_LOCKED

    def __init__(self) -> None:
        super().__init__("The file is locked; unlock it first.")


class UndoBlocked(ServiceError):
    """A step cannot be taken back because its file was deleted for good."""

    code = ErrorCode.UNDO_BLOCKED

    def __init__(self) -> None:
        super().__init__(
            "The steps cannot be undone: a file of one of them has been deleted permanently. Nothing was changed."
        )


class NothingToUndo(ServiceError):
    """No step is left."""

    code = ErrorCode.NOTHING_TO_UNDO

    def __init__(self, message: str = "There is nothing to undo.") -> None:
        super().__init__(message)


class StepNotFound(ServiceError):
    """The journal has no such step, or none any more."""

    code = ErrorCode.STEP_NOT_FOUND

    def __init__(self) -> None:
        super().__init__("The journal has no such step.")


class PlanChanged(ServiceError):
    """The trash is not what the plan with this hash saw."""

    code = ErrorCode.PLAN_CHANGED

    def __init__(self) -> None:
        super().__init__("The trash has changed since the plan was made; nothing was deleted.")


class FileChanged(ServiceError):
    """The file is another than the one the read began with."""

    code = ErrorCode.FILE_CHANGED

    def __init__(self) -> None:
        super().__init__("The file changed while it was being read.")


class ConfigBroken(ServiceError):
    """config.yaml cannot be read; it is never overwritten then."""

    code = ErrorCode.CONFIG_BROKEN


class SettingOutOfRange(ServiceError):
    """A setting's new value is out of its range."""

    code = ErrorCode.SETTING_OUT_OF_RANGE


class RootOffline(ServiceError):
    """The review path cannot be reached, or another directory stands in its place; its marks are kept."""

    code = ErrorCode.ROOT_OFFLINE

    def __init__(self, reason: str) -> None:
        super().__init__(f"The review path is offline: {reason} Nothing was changed.")


class StorageFailed(ServiceError):
    """The disk refused: full, read-only, failing."""

    code = ErrorCode.STORAGE_FAILED


class ThumbnailsUnavailable(ServiceError):
    """No worker answers and the thumbnail is not cached."""

    code = ErrorCode.THUMBNAILS_UNAVAILABLE

    def __init__(self) -> None:
        super().__init__("No thumbnail worker answers and this thumbnail is not cached yet.")


class QueueUnavailable(ServiceError):
    """NATS is down."""

    code = ErrorCode.QUEUE_UNAVAILABLE

    def __init__(self) -> None:
        super().__init__("The job queue is not available.")

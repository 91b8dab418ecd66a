"""The names of everything that can go wrong on purpose. Pure: `wire.py` says what each becomes in gRPC and HTTP."""

from __future__ import annotations

from enum import StrEnum


class ErrorCode(StrEnum):
    """A failure's name, the same from the rule that raised it to the caller who reads it."""

    INVALID_ARGUMENT = "invalid_argument"
    PATH_MALFORMED = "path_malformed"
    OUTSIDE_ROOTS = "outside_roots"
    UNKNOWN_ROOT = "unknown_root"
    ROOT_NOT_CONFIGURED = "root_not_configured"
    HIDDEN_PATH = "hidden_path"
    PATH_MISSING = "path_missing"
    NOT_MEDIA = "not_media"
    NAME_TOO_LONG = "name_too_long"
    MARK_BLOCKED = "mark_blocked"
    ITEM_LOCKED = "item_locked"
    UNDO_BLOCKED = "undo_blocked"
    NOTHING_TO_UNDO = "nothing_to_undo"
    STEP_NOT_FOUND = "step_not_found"
    PLAN_CHANGED = "plan_changed"
    FILE_CHANGED = "file_changed"
    CONFIG_BROKEN = "config_broken"
    SETTING_OUT_OF_RANGE = "setting_out_of_range"
    ROOT_OFFLINE = "root_offline"
    STORAGE_FAILED = "storage_failed"
    THUMBNAILS_UNAVAILABLE = "thumbnails_unavailable"
    QUEUE_UNAVAILABLE = "queue_unavailable"
    SERVICE_UNAVAILABLE = "service_unavailable"
    DEADLINE = "deadline"
    NOT_BUILT = "not_built"
    COLLECTION_NOT_FOUND = "collection_not_found"
    FOLDER_NOT_FOUND = "folder_not_found"
    ITEM_NOT_FOUND = "item_not_found"
    OBJECT_NOT_FOUND = "object_not_found"
    TAG_NOT_FOUND = "tag_not_found"
    KEY_NOT_FOUND = "key_not_found"
    ALREADY_EXISTS = "already_exists"
    NOT_MOVABLE = "not_movable"
    ANSWER_TOO_LARGE = "answer_too_large"
    TOKEN_NEEDED = "token_needed"  # noqa: S105 - a name of a failure
    INTERNAL = "internal"


class ServiceError(Exception):
    """A failure whose text is written for the caller to read; every other exception is "internal error" outside."""

    code: ErrorCode = ErrorCode.INTERNAL

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidArgument(ServiceError):
    """A request field is out of its bounds."""

    code = ErrorCode.INVALID_ARGUMENT


class AnswerTooLarge(ServiceError):
    """What was asked for is there, but is more than one message holds."""

    code = ErrorCode.ANSWER_TOO_LARGE

    def __init__(self) -> None:
        super().__init__("The answer would be larger than 32 MiB; ask for fewer items at a time.")


class TokenNeeded(ServiceError):
    """A call without the token that all services share."""

    code = ErrorCode.TOKEN_NEEDED

    def __init__(self) -> None:
        super().__init__("The service asks for the token of GRPC_TOKEN, and the call has none or another one.")

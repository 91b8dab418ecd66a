"""The one table from an error's name to its gRPC and HTTP status."""

from __future__ import annotations

from typing import Final, NamedTuple

from grpc import StatusCode

from media_common.errors import ErrorCode

#: Trailer that carries the error's name; the status alone cannot say which of several it is.
ERROR_TRAILER: Final = "error-code"


class Wire(NamedTuple):
    grpc: StatusCode
    http: int


WIRE: Final[dict[ErrorCode, Wire]] = {
    ErrorCode.INVALID_ARGUMENT: Wire(StatusCode.INVALID_ARGUMENT, 400),
    ErrorCode.PATH_MALFORMED: Wire(StatusCode.INVALID_ARGUMENT, 400),
    ErrorCode.OUTSIDE_ROOTS: Wire(StatusCode.PERMISSION_DENIED, 403),
    ErrorCode.UNKNOWN_ROOT: Wire(StatusCode.PERMISSION_DENIED, 403),
    ErrorCode.ROOT_NOT_CONFIGURED: Wire(StatusCode.NOT_FOUND, 404),
    ErrorCode.HIDDEN_PATH: Wire(StatusCode.PERMISSION_DENIED, 403),
    # The dialect answers 400, not 404, for a file that is not there.
    ErrorCode.PATH_MISSING: Wire(StatusCode.NOT_FOUND, 400),
    ErrorCode.NOT_MEDIA: Wire(StatusCode.INVALID_ARGUMENT, 400),
    ErrorCode.NAME_TOO_LONG: Wire(StatusCode.INVALID_ARGUMENT, 400),
    ErrorCode.MARK_BLOCKED: Wire(StatusCode.INVALID_ARGUMENT, 400),
    ErrorCode.ITEM_LOCKED: Wire(StatusCode.FAILED_PRECONDITION, 409),
    ErrorCode.UNDO_BLOCKED: Wire(StatusCode.FAILED_PRECONDITION, 409),
    ErrorCode.NOTHING_TO_UNDO: Wire(StatusCode.FAILED_PRECONDITION, 409),
    ErrorCode.STEP_NOT_FOUND: Wire(StatusCode.NOT_FOUND, 404),
    ErrorCode.PLAN_CHANGED: Wire(StatusCode.FAILED_PRECONDITION, 412),
    # Neither is 409: the review page takes that for a locked file.
    ErrorCode.FILE_CHANGED: Wire(StatusCode.ABORTED, 503),
    ErrorCode.CONFIG_BROKEN: Wire(StatusCode.FAILED_PRECONDITION, 503),
    ErrorCode.SETTING_OUT_OF_RANGE: Wire(StatusCode.OUT_OF_RANGE, 422),
    ErrorCode.ROOT_OFFLINE: Wire(StatusCode.UNAVAILABLE, 503),
    ErrorCode.STORAGE_FAILED: Wire(StatusCode.RESOURCE_EXHAUSTED, 507),
    ErrorCode.THUMBNAILS_UNAVAILABLE: Wire(StatusCode.UNAVAILABLE, 503),
    ErrorCode.QUEUE_UNAVAILABLE: Wire(StatusCode.UNAVAILABLE, 503),
    ErrorCode.SERVICE_UNAVAILABLE: Wire(StatusCode.UNAVAILABLE, 503),
    ErrorCode.DEADLINE: Wire(StatusCode.DEADLINE_EXCEEDED, 504),
    ErrorCode.NOT_BUILT: Wire(StatusCode.UNIMPLEMENTED, 503),
    ErrorCode.COLLECTION_NOT_FOUND: Wire(StatusCode.NOT_FOUND, 404),
    ErrorCode.FOLDER_NOT_FOUND: Wire(StatusCode.NOT_FOUND, 404),
    ErrorCode.ITEM_NOT_FOUND: Wire(StatusCode.NOT_FOUND, 404),
    ErrorCode.OBJECT_NOT_FOUND: Wire(StatusCode.NOT_FOUND, 404),
    ErrorCode.TAG_NOT_FOUND: Wire(StatusCode.NOT_FOUND, 404),
    ErrorCode.KEY_NOT_FOUND: Wire(StatusCode.NOT_FOUND, 404),
    ErrorCode.ALREADY_EXISTS: Wire(StatusCode.ALREADY_EXISTS, 409),
    ErrorCode.NOT_MOVABLE: Wire(StatusCode.FAILED_PRECONDITION, 409),
    ErrorCode.ANSWER_TOO_LARGE: Wire(StatusCode.OUT_OF_RANGE, 400),
    # Not 401: it is the gateway that has no token, whatever key its caller has.
    ErrorCode.TOKEN_NEEDED: Wire(StatusCode.UNAUTHENTICATED, 503),
    ErrorCode.INTERNAL: Wire(StatusCode.INTERNAL, 500),
}

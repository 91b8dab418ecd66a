"""What can go wrong in search, by name."""

from __future__ import annotations

from media_common.errors import ErrorCode, InvalidArgument, ServiceError


class EncoderUnavailable(ServiceError):
    """No model can embed now; the text is the reason a person reads, and search answers 503 with it."""

    code = ErrorCode.SERVICE_UNAVAILABLE


class UnreadablePicture(InvalidArgument):
    """The bytes are no picture that can be decoded, or have been lost."""


class WrongDimensions(InvalidArgument):
    """A vector has another length than the collection's."""


class NoSuchVectors(ServiceError):
    """A named collection of vectors does not exist."""

    code = ErrorCode.COLLECTION_NOT_FOUND


class StoreUnavailable(ServiceError):
    """The vector store cannot be reached or opened."""

    code = ErrorCode.SERVICE_UNAVAILABLE


class UnknownItem(ServiceError):
    """An item that a search starts from has no vector."""

    code = ErrorCode.ITEM_NOT_FOUND


class CatalogueUnavailable(ServiceError):
    """metadata-service does not answer."""

    code = ErrorCode.SERVICE_UNAVAILABLE


class OriginalsUnavailable(ServiceError):
    """The store of uploaded files does not answer, for none of them."""

    code = ErrorCode.SERVICE_UNAVAILABLE


class OutOfReach(Exception):
    """A file that cannot be looked at now and perhaps later: its disk is away, or decoding it died. The text is a
    sentence."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

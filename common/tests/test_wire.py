"""The one table from names to statuses."""

from __future__ import annotations

from grpc import StatusCode
from media_common.errors import ErrorCode, InvalidArgument, ServiceError
from media_common.wire import WIRE


def test_every_error_code_has_a_wire_form_and_none_is_left_over() -> None:
    assert set(WIRE) == set(ErrorCode)


def test_no_error_is_sent_as_a_success() -> None:
    assert all(wire.grpc is not StatusCode.OK and 400 <= wire.http <= 599 for wire in WIRE.values())


def test_only_the_unexpected_is_a_500() -> None:
    assert [code for code, wire in WIRE.items() if wire.http == 500] == [ErrorCode.INTERNAL]


def test_only_the_unexpected_is_internal_over_grpc() -> None:
    assert [code for code, wire in WIRE.items() if wire.grpc is StatusCode.INTERNAL] == [ErrorCode.INTERNAL]


def test_a_broken_config_is_not_told_as_a_locked_file() -> None:
    """The review page takes every 409 for one."""
    assert WIRE[ErrorCode.CONFIG_BROKEN].http == 503


def test_an_error_reads_as_its_message_and_carries_its_name() -> None:
    error = InvalidArgument("limit must be from 1 to 1000.")
    assert isinstance(error, ServiceError)
    assert (str(error), error.code) == ("limit must be from 1 to 1000.", ErrorCode.INVALID_ARGUMENT)

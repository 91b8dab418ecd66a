"""Error answers of the four dialects, and of whoever else may stand in between."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from framewell_client import ApiError, BadRequest, Conflict, Dialect, FramewellError, RateLimited, Unauthorized
from framewell_client.errors import BY_STATUS, error_of
from hypothesis import given
from hypothesis import strategies as st

CASES: list[tuple[Dialect, int, dict[str, Any], type[ApiError], tuple[str, str, dict[str, Any]]]] = [
    (Dialect.MEDIAREVIEWER, 409, {"error": "It is locked."}, Conflict, ("conflict", "It is locked.", {})),
    (Dialect.PLATFORM, 401, {"error": "A key."}, Unauthorized, ("unauthorized", "A key.", {})),
    (
        Dialect.EXQUISITOR,
        422,
        {"error": "validation_error", "message": "No.", "detail": "No."},
        BadRequest,
        ("validation_error", "No.", {}),
    ),
    (
        Dialect.COREVIZ,
        400,
        {"error": "No.", "message": "No.", "code": "INVALID_PARAMETER", "details": {"parameter": "dateFrom"}},
        BadRequest,
        ("INVALID_PARAMETER", "No.", {"parameter": "dateFrom"}),
    ),
    (
        Dialect.WICKSON,
        429,
        {"success": False, "message": "No.", "error": {"code": "RATE_LIMIT_EXCEEDED", "details": {"limit": 1}}},
        RateLimited,
        ("RATE_LIMIT_EXCEEDED", "No.", {"limit": 1}),
    ),
]


@pytest.mark.parametrize(("dialect", "status", "body", "kind", "told"), CASES, ids=[case[0] for case in CASES])
def test_every_dialects_error_is_read(
    dialect: Dialect,
    status: int,
    body: dict[str, Any],
    kind: type[ApiError],
    told: tuple[str, str, dict[str, Any]],
) -> None:
    error = error_of(status, {"retry-after": "7"}, json.dumps(body).encode(), dialect, "abc")

    assert type(error) is kind
    assert (error.code, error.message, error.details) == told
    assert (error.status, error.dialect, error.request_id, error.retry_after_s) == (status, dialect, "abc", 7.0)
    assert str(error) == f"{status} {told[0]}: {told[1]}"


@given(
    st.integers(400, 599),
    st.sampled_from(list(Dialect)),
    st.one_of(st.binary(), st.from_type(type(None)), st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: st.dictionaries(st.sampled_from(["error", "message", "code", "details"]), inner),
    ).map(lambda value: json.dumps(value).encode())).map(lambda body: body or b""),
    st.text(max_size=12),
)  # fmt: skip
def test_any_body_at_all_is_an_error_with_a_sentence(
    status: int, dialect: Dialect, body: bytes, retry_after: str
) -> None:
    error = error_of(status, {"retry-after": retry_after}, body, dialect, "abc")

    assert type(error) is BY_STATUS.get(status, ApiError)
    assert error.message
    assert error.code
    assert error.retry_after_s is None or error.retry_after_s >= 0


@pytest.mark.parametrize("made", [*{ApiError, *BY_STATUS.values()}, *FramewellError.__subclasses__()])
def test_every_error_travels_between_processes(made: type[FramewellError]) -> None:
    where = ("No.", Dialect.COREVIZ, "abc")
    error = made(*where, 400, "X", {"a": 1}, 2.0) if issubclass(made, ApiError) else made(*where)  # type: ignore[call-arg]

    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes

    assert type(again) is made
    assert vars(again) == vars(error)

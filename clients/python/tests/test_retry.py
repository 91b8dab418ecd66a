"""When something is sent again."""

from __future__ import annotations

import pytest
from framewell_client import ApiError, Dialect, NoAnswer, Retry, StreamBroken, UnexpectedAnswer
from framewell_client.errors import FramewellError
from framewell_client.retry import Patience
from framewell_client.wire import Request
from hypothesis import given
from hypothesis import strategies as st

WHERE = (Dialect.PLATFORM, "id")
GET = Request("GET", "/", *WHERE[:1])

retries = st.builds(
    Retry, attempts=st.integers(1, 6), first_wait_s=st.floats(0.001, 5), longest_wait_s=st.floats(0.001, 60)
)
errors = st.one_of(
    st.just(NoAnswer("cut", *WHERE)),
    st.just(StreamBroken("cut", *WHERE)),
    st.just(UnexpectedAnswer("odd", *WHERE)),
    st.builds(
        lambda status, after: ApiError("no", *WHERE, status, "x", None, after),
        st.integers(400, 599),
        st.none() | st.floats(0, 100),
    ),
)


@given(retries, st.sampled_from(["POST", "PUT", "PATCH", "DELETE"]), errors, st.integers(1, 5))
def test_what_may_change_something_is_never_sent_twice(
    retry: Retry, method: str, error: FramewellError, attempt: int
) -> None:
    assert retry.wait_s(Request(method, "/", Dialect.PLATFORM), attempt, error) is None


@given(retries, errors)
def test_the_waits_are_bounded_in_number_and_length(retry: Retry, error: FramewellError) -> None:
    waits = []
    while (wait_s := retry.wait_s(GET, len(waits) + 1, error)) is not None:
        waits.append(wait_s)

    assert len(waits) <= retry.attempts - 1
    assert all(0 <= wait_s <= retry.longest_wait_s for wait_s in waits)


@given(retries.filter(lambda retry: retry.attempts > 1), st.sampled_from([429, 503]), st.floats(0, 100))
def test_retry_after_is_kept_or_the_error_is_told(retry: Retry, status: int, after_s: float) -> None:
    wait_s = retry.wait_s(GET, 1, ApiError("later", *WHERE, status, "later", None, after_s))

    assert wait_s == (after_s if after_s <= retry.longest_wait_s else None)


@pytest.mark.parametrize(
    ("status", "again"),
    [(400, False), (401, False), (404, False), (409, False), (429, True), (500, False), (501, False), (502, True),
     (503, False), (504, True)],
)  # fmt: skip
def test_only_what_may_pass_is_waited_for(status: int, again: bool) -> None:
    assert (Retry().wait_s(GET, 1, ApiError("no", *WHERE, status, "no")) is not None) == again


def test_waits_grow() -> None:
    error = NoAnswer("cut", *WHERE)
    waits = [Retry(attempts=9, longest_wait_s=100).wait_s(GET, attempt, error) or 0 for attempt in range(1, 9)]

    assert all(0.1 * 2**turn <= wait_s <= 0.2 * 2**turn for turn, wait_s in enumerate(waits))


def test_getting_on_renews_the_patience() -> None:
    patience, error = Patience(Retry(attempts=2, first_wait_s=0)), NoAnswer("cut", *WHERE)

    for _ in range(5):
        patience.after(GET, error)
        patience.renew()
    patience.after(GET, error)
    with pytest.raises(NoAnswer):
        patience.after(GET, error)


def test_where_nothing_can_be_asked_again_the_error_is_told() -> None:
    with pytest.raises(NoAnswer):
        Patience(Retry()).after(None, NoAnswer("cut", *WHERE))

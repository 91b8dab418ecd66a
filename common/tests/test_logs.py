"""One line an event, in two forms, with the request's id."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from media_common.logs import configure_logs, request_id


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def in_request() -> Iterator[None]:
    token = request_id.set("req-1")
    yield
    request_id.reset(token)


@pytest.mark.usefixtures("in_request")
def test_a_json_line_has_the_service_the_level_and_the_request(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("fs", "INFO", "json")
    logging.getLogger("anything").warning("disk %s", "full")
    line = json.loads(capsys.readouterr().err)
    assert line.pop("timestamp")
    assert line == {"event": "disk full", "level": "warning", "service": "fs", "request_id": "req-1"}


def test_a_traceback_stays_on_its_line_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("fs", "INFO", "json")
    try:
        raise ValueError("inside")
    except ValueError:
        logging.getLogger("anything").exception("failed")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "ValueError: inside" in json.loads(lines[0])["exception"]


def test_text_is_for_people_and_below_the_level_is_silence(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("fs", "WARNING", "text")
    logging.getLogger("anything").info("quiet")
    logging.getLogger("anything").warning("loud")
    text = capsys.readouterr().err
    assert "loud" in text
    assert "quiet" not in text


def test_a_traceback_shows_no_variable_and_so_no_key(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("fs", "INFO", "text")
    secret = "k-" + "3141592653"
    try:
        int(secret[:1])
    except ValueError:
        logging.getLogger("anything").exception("failed")
    written = capsys.readouterr().err
    assert "ValueError" in written
    assert secret not in written

"""Lines of requests: as the logs have them, gathered, in order, never in the way."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import re

import pytest
from gateway.request_lines import Lines
from media_common.logs import configure_logs
from structlog.stdlib import get_logger

FIELDS: dict[str, str | int | float] = {
    "dialect": "mediareviewer",
    "method": "POST",
    "route": "/api/media-actions",
    "status": 200,
    "ms": 12.9,
    "request_id": "26da988a95d92bc6",
}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def without_time(line: str) -> str:
    changed, count = _TIME.subn("NOW", line)
    assert count == 1, line
    return changed


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_line_is_what_the_logs_would_have_made_of_it(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    usual, ours = io.StringIO(), io.StringIO()
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        with monkeypatch.context() as patch:
            patch.setattr("sys.stderr", usual)
            configure_logs("gateway", "INFO", form)  # type: ignore[arg-type]
            get_logger("x").log(logging.WARNING, "request", **FIELDS)
    finally:
        root.handlers[:], root.level = before
    Lines("gateway", form, ours).add("warning", "request", FIELDS)  # type: ignore[arg-type]
    if form == "json":
        made, wanted = json.loads(ours.getvalue()), json.loads(usual.getvalue())
        assert made.pop("timestamp")[:10] == wanted.pop("timestamp")[:10]
        assert made == wanted
    else:
        assert without_time(ours.getvalue()) == without_time(usual.getvalue())


def test_nothing_breaks_a_line() -> None:
    out = io.StringIO()
    Lines("gateway", "text", out).add("info", "request", {"method": "A\nB =", "route": ""})
    assert out.getvalue().count("\n") == 1


async def test_lines_of_a_moment_are_written_together_and_in_order() -> None:
    writes: list[str] = []
    written = asyncio.Event()

    class Counted(io.StringIO):
        def write(self, text: str) -> int:
            writes.append(text)
            written.set()
            return len(text)

    lines = Lines("gateway", "text", Counted())
    for number in range(5):
        lines.add("info", f"line-{number}", {})
    assert writes == []
    await asyncio.wait_for(written.wait(), 5)
    assert len(writes) == 1
    assert re.findall(r"line-\d", writes[0]) == [f"line-{number}" for number in range(5)]
    lines.add("info", "last", {})
    lines.flush()
    lines.flush()
    assert len(writes) == 2


def test_a_reader_that_left_stops_nobody() -> None:
    stream = io.StringIO()
    stream.close()
    Lines("gateway", "text", stream).add("info", "request", FIELDS)

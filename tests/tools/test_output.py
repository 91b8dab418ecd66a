"""Where the lines go."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from runner import output
from runner.output import Output


def test_a_line_is_prefixed_on_the_terminal_and_in_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = Output(tmp_path / "logs", "text")
    lines.line("fs", "listening")
    lines.line("metadata", "só")
    lines.close()
    expected = "fs        | listening\nmetadata  | só\n"
    assert capsys.readouterr().out == expected
    assert (tmp_path / "logs" / "framewell.log").read_text(encoding="utf-8") == expected


def test_a_line_for_the_file_only_is_not_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = Output(tmp_path, "text")
    lines.line("nats", "[INF] banner", terminal=False)
    lines.close()
    assert capsys.readouterr().out == ""
    assert "banner" in (tmp_path / "framewell.log").read_text()


def test_every_line_is_an_object_when_logs_are_json(tmp_path: Path) -> None:
    lines = Output(tmp_path, "json")
    lines.line("fs", '{"event": "found", "service": "fs"}')
    lines.line("nats", "[INF] Server is ready")
    lines.close()
    objects = [json.loads(line) for line in (tmp_path / "framewell.log").read_text().splitlines()]
    assert objects == [
        {"event": "found", "service": "fs"},
        {"event": "[INF] Server is ready", "service": "nats"},
    ]


def test_the_file_turns_over_by_size_and_few_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "_TURN_OVER_BYTES", 1000)
    lines = Output(tmp_path, "text")
    for number in range(500):
        lines.line("fs", f"line {number:04d} " + "." * 40)
    lines.close()
    files = sorted(file.name for file in tmp_path.iterdir())
    assert files == ["framewell.log", *(f"framewell.log.{number}" for number in range(1, 6))]
    assert all(file.stat().st_size <= 1000 for file in tmp_path.iterdir())
    assert "line 0499" in (tmp_path / "framewell.log").read_text()

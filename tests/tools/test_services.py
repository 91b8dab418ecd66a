"""What `make run` tells its processes."""

from __future__ import annotations

from pathlib import Path

import pytest
from media_common.config import PublicSettings
from runner import services


def test_an_address_of_nats_that_came_from_a_file_is_told_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "nats-url"
    file.write_text("nats://token@queue:4222")
    monkeypatch.delenv("NATS_URL", raising=False)
    monkeypatch.setenv("NATS_URL_FILE", str(file))
    settings = PublicSettings(state_dir=tmp_path, NATS_URL="nats://token@queue:4222")

    told = services.environment(settings, settings.nats_url)

    assert told["NATS_URL"] == "nats://token@queue:4222"
    assert "NATS_URL_FILE" not in told

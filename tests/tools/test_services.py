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


def test_the_product_is_ready_with_one_worker_and_the_others_follow(tmp_path: Path) -> None:
    stack = services.stack(PublicSettings(state_dir=tmp_path), tmp_path, None, workers=3)
    assert [spec.name for spec in stack.specs if spec.later] == ["thumb-2", "thumb-3"]
    assert set(stack.sockets) - set(stack.awaited) == {"thumb-2", "thumb-3"}


def told(stack: services.Stack) -> dict[str, str]:
    """Where each process has its figures."""
    return {spec.name: spec.environment["METRICS_LISTEN"] for spec in stack.specs}


def test_nobody_listens_for_prometheus_unless_asked_to(tmp_path: Path) -> None:
    stack = services.stack(PublicSettings(state_dir=tmp_path), tmp_path, None, workers=2)
    assert set(told(stack).values()) == {""}


def test_every_process_has_its_figures_at_a_port_of_its_own(tmp_path: Path) -> None:
    settings = PublicSettings(state_dir=tmp_path, METRICS_LISTEN="127.0.0.1:9464")
    assert told(services.stack(settings, tmp_path, None, workers=2)) == {
        "fs": "127.0.0.1:9464",
        "metadata": "127.0.0.1:9465",
        "search": "127.0.0.1:9466",
        "thumb-1": "127.0.0.1:9467",
        "thumb-2": "127.0.0.1:9468",
        "gateway": "",  # at /metrics of its own address
    }


def test_a_worker_that_is_added_takes_nobodys_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METRICS_LISTEN", "127.0.0.1:9464")
    assert services.environment(PublicSettings(state_dir=tmp_path), "")["METRICS_LISTEN"] == ""

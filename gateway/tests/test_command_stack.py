"""Where the command finds the services: as the state directory tells, or, in a container, the gateway's settings."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from gateway.command.doctor import root_space_check
from gateway.command.stack import NotRunning, running
from media_common.config import PublicSettings, SettingsError


@pytest.fixture
def public(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PublicSettings:
    for name in list(os.environ):
        if name.startswith("GATEWAY_"):
            monkeypatch.delenv(name)
    return PublicSettings(state_dir=tmp_path, port=8080)


async def test_in_a_container_the_services_are_those_of_the_gateway(
    public: PublicSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("fs", "metadata", "search"):
        monkeypatch.setenv(f"GATEWAY_{name.upper()}_TARGET", f"{name}-service:50051")

    async with running(public) as stack:
        assert (stack.url, stack.state) == ("http://127.0.0.1:8080", public.state_path)
        assert stack.catalogue.is_set_up


async def test_a_setting_that_is_wrong_there_is_told_in_a_sentence(
    public: PublicSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_FS_TARGET", "fs-service:50051")
    monkeypatch.setenv("GATEWAY_CALL_DEADLINE_S", "soon")

    with pytest.raises(SettingsError, match=r"^GATEWAY_CALL_DEADLINE_S='soon' is not valid"):
        async with running(public):
            pass


async def test_elsewhere_a_state_directory_without_a_stack_is_told(public: PublicSettings) -> None:
    with pytest.raises(NotRunning, match="is not running on the state directory"):
        async with running(public):
            pass


def test_the_disk_of_a_review_path_that_is_not_seen_from_here_is_no_fault(tmp_path: Path) -> None:
    missing = root_space_check(os.fsencode(tmp_path / "elsewhere"))
    assert (missing.ok, missing.told) == (True, "not seen from here")
    assert root_space_check(os.fsencode(tmp_path)).told.endswith("GB free")

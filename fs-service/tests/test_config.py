"""The settings, and the table of them that people read."""

from __future__ import annotations

from pathlib import Path

import pytest
from fs_service.config import FsSettings
from media_common.config import SettingsError, loaded

README = Path(__file__).parents[1] / "README.md"


def test_the_readme_lists_every_setting_with_its_default() -> None:
    rows = [
        f"| `FS_{name.upper()}` | `{field.default}` | {field.description} |"
        for name, field in FsSettings.model_fields.items()
    ]
    listed = [line for line in README.read_text().splitlines() if line.startswith("| `FS_")]
    assert listed == rows


def test_a_value_out_of_range_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FS_PROBE_PROCESSES", "0")
    with pytest.raises(SettingsError, match="FS_PROBE_PROCESSES='0' is not valid"):
        loaded(FsSettings)

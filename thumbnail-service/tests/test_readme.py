"""The settings table of the README is the one of the code."""

from __future__ import annotations

from pathlib import Path

from thumbnail_service.config import ThumbnailSettings


def test_the_readme_has_every_setting_with_its_default_and_meaning() -> None:
    text = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    rows = [
        f"| `THUMBNAIL_{name.upper()}` | `{field.default}` | {field.description} |"
        for name, field in ThumbnailSettings.model_fields.items()
    ]
    assert [row for row in rows if row not in text] == []
    assert text.count("| `THUMBNAIL_") == len(rows)

"""The README's table is what the settings are."""

from __future__ import annotations

from pathlib import Path

from gateway.config import GatewaySettings

README = Path(__file__).parents[1] / "README.md"


def test_the_readme_lists_every_setting_with_its_default_and_meaning() -> None:
    text = README.read_text()

    for name, field in GatewaySettings.model_fields.items():
        default = "(required)" if field.is_required() else str(field.default)
        row = f"| `GATEWAY_{name.upper()}` | {default} | {field.description} |".replace("|  |", "| |")
        assert row in text, row

"""The README's table of public settings, made from `PublicSettings`; `make docs` writes it, a test compares."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from media_common.config import PREFIX, PublicSettings
from runner.services import WORKERS_SETTING

README: Final = Path(__file__).resolve().parent.parent / "README.md"
#: Read by `make run` alone; under compose it is `--scale`.
_WORKERS: Final = "thumbnail workers that `make run` starts, 0 to 64; empty: one a core, two at most"
_BEGIN: Final = "<!-- settings: written by `make docs` -->\n"
_END: Final = "<!-- end of settings -->\n"


def table() -> str:
    """One row a setting, in the order of the class."""
    rows = ["| variable | default | what |", "|---|---|---|"]
    for name, field in PublicSettings.model_fields.items():
        variable = field.validation_alias or PREFIX + name.upper()
        default = f"`{field.default}`" if str(field.default) else ""
        what = (field.description or "").replace("<", "&lt;")
        rows.append(f"| `{variable}` | {default} | {what} |")
    rows.append(f"| `{WORKERS_SETTING}` |  | {_WORKERS} |")
    return "\n".join(rows) + "\n"


def with_table(readme: str) -> str:
    """The text with the table between its two marks.

    Raises:
        ValueError: a mark is missing.
    """
    before, begin, rest = readme.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError("README.md has lost the marks around its settings table")
    return before + begin + table() + end + after


def main() -> int:
    text = README.read_text(encoding="utf-8")
    README.write_text(with_table(text), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

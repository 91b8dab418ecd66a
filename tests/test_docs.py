"""What the documents name exists: paths, links, make targets, settings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import settings_table

REPOSITORY = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted(
    [
        *REPOSITORY.glob("*.md"),
        *REPOSITORY.glob("docs/**/*.md"),
        *REPOSITORY.glob("*-service/README.md"),
        *REPOSITORY.glob("gateway/README.md"),
        *REPOSITORY.glob("bench/README.md"),
        *REPOSITORY.glob("clients/*/README.md"),
    ]
)
FOLDERS = {path.name for path in REPOSITORY.iterdir() if path.is_dir() and not path.name.startswith(".")} - {"demo"}
TARGETS = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))

each_document = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=[str(document.relative_to(REPOSITORY)) for document in DOCUMENTS]
)


@each_document
def test_every_link_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (document.parent / link).exists()]
    assert missing == []


@each_document
def test_every_file_that_is_named_is_there(document: Path) -> None:
    words = re.findall(r"`([A-Za-z0-9_.-]+/[A-Za-z0-9_./-]*)`", document.read_text(encoding="utf-8"))
    ours = [word for word in words if word.split("/")[0] in FOLDERS]
    assert [word for word in ours if not (REPOSITORY / word).exists()] == []


@each_document
def test_every_make_target_that_is_named_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    code = [*re.findall(r"`([^`\n]+)`", text), *"\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL)).splitlines()]
    named = {target for line in code for target in re.findall(r"(?:^|\s)make ([a-z-]+)\b", line)}
    assert named <= TARGETS


def test_the_table_of_settings_is_what_the_code_says() -> None:
    text = settings_table.README.read_text(encoding="utf-8")
    assert settings_table.with_table(text) == text, "run `make docs`"


def test_a_readme_without_the_tables_marks_is_noticed() -> None:
    with pytest.raises(ValueError, match="has lost the marks"):
        settings_table.with_table("# Framewell\n")

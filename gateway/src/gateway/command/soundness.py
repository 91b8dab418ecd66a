"""Whether what an archive holds can be used: a restore that would not start, or start with nothing, is none."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Final

from media_common import kept
from media_common.kept import KeptDatabase
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from gateway.command.archive import KEY_FILES, Damaged


class Unsound(Damaged):
    """A file is as it was written, and nobody can use it."""


def check_database(file: Path, database: KeptDatabase) -> int:
    """The version of a database that was unpacked, after a look at every page of it and at the names of its tables.

    Raises:
        Damaged
    """
    try:
        # Nobody else has it open, and it has no log beside it: not one byte is to be written.
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?immutable=1", uri=True)) as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    except sqlite3.Error as error:
        raise Damaged(f"{database.name} in the archive is damaged: {error}.") from error
    if found != "ok" or version < 1:
        raise Damaged(f"{database.name} in the archive is damaged: {'it is empty' if found == 'ok' else found}.")
    if missing := sorted(database.tables - tables):
        raise Damaged(f"{database.name} in the archive is damaged: it has no table {missing[0]}.")
    return int(version)


def check_file(name: str, content: bytes) -> None:
    """
    Raises:
        Unsound: nobody could read it where it belongs.
    """
    try:
        _CHECKS[name](content)
    except (ValueError, RecursionError, YAMLError) as error:
        raise Unsound(f"{name} cannot be used: {_SENTENCES[name]}.") from error


def _yaml(content: bytes) -> None:
    if not isinstance(YAML().load(content), Mapping | None):
        raise ValueError


def _json(content: bytes) -> None:
    if not isinstance(json.loads(content), Mapping):
        raise ValueError


def _secret(content: bytes) -> None:
    if not content.decode("ascii").strip():
        raise ValueError


_CHECKS: Final[dict[str, Callable[[bytes], None]]] = {
    **dict(zip(kept.CONFIG_FILES, (_yaml, _json), strict=True)),
    **dict.fromkeys(KEY_FILES, _secret),
}
_SENTENCES: Final = {
    **dict(zip(kept.CONFIG_FILES, ("it is no YAML of keys and values", "it is no JSON object"), strict=True)),
    **dict.fromkeys(KEY_FILES, "it is empty or not ASCII"),
}
#: The files that `check_file` knows.
CHECKED: Final = frozenset(_CHECKS)

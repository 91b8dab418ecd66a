"""A collection database of Exquisitor: opened read-only, its variant told apart, and gone through before anything of it
is sent."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from media_proto import metadata_pb2 as pb

from gateway.command.stack import Refused

#: One text; what is longer is no name, path or value of a tag.
MAX_TEXT_BYTES: Final = 64 * 1024
#: By the name in `tag_types`; the table of values is called after it. `categorical` is the documented variant's.
TAG_TYPES: Final = {
    "alphanumerical": pb.TAG_TYPE_ALPHANUMERICAL,
    "categorical": pb.TAG_TYPE_ALPHANUMERICAL,
    "timestamp": pb.TAG_TYPE_TIMESTAMP,
    "time": pb.TAG_TYPE_TIME,
    "date": pb.TAG_TYPE_DATE,
    "numerical_int": pb.TAG_TYPE_NUMERICAL_INT,
    "numerical_dec": pb.TAG_TYPE_NUMERICAL_DEC,
    "json": pb.TAG_TYPE_JSON,
}
_STORED_AS: Final = {pb.TAG_TYPE_NUMERICAL_INT: ("integer",), pb.TAG_TYPE_NUMERICAL_DEC: ("integer", "real")}
_TEXT: Final = ("text",)
#: Each table with its columns; of two names in one place, either will do.
_TABLES: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "source_types": (("id",), ("name",)),
    "medias": (("id",), ("uri", "source"), ("source_type",), ("thumbnail_uri",), ("group_id",)),
    "tag_types": (("id",), ("description", "name")),
    "tagsets": (("id",), ("name",), ("tagtype_id",)),
    "tags": (("id",), ("tagtype_id",), ("tagset_id",)),
    "taggings": (("media_id",), ("tag_id",)),
}
_VALUES: Final = (("id",), ("value",), ("tagset_id",))
_GROUPS: Final = "SELECT group_id FROM medias WHERE group_id IS NOT NULL"


class Unreadable(Refused):
    """The file is no collection that can be taken; the text is a sentence."""


@dataclass(frozen=True, slots=True)
class Tagset:
    id: int
    name: str
    tagtype: pb.TagType.ValueType


@dataclass(frozen=True, slots=True)
class Collection:
    """A database that has been gone through: references lead somewhere, values are of the types they should be."""

    connection: sqlite3.Connection
    uri_column: str
    tagsets: tuple[Tagset, ...]
    value_tables: tuple[str, ...]
    groups: int
    items: int
    tags: int
    taggings: int
    last_id: int


@contextmanager
def opened(file: Path) -> Iterator[sqlite3.Connection]:
    """The database at one moment; nothing is ever written to it.

    Raises:
        Unreadable: also for what goes wrong while it is being read.
    """
    connection: sqlite3.Connection | None = None
    try:
        if not file.is_file():
            raise Unreadable(f"There is no file {file}.")
        connection = _connected(file)
        yield connection
    except sqlite3.Error as error:
        if connection is None or "not a database" in str(error):
            raise Unreadable(f"{file} is not an SQLite database: {error}.") from error
        raise Unreadable(f"{file} cannot be read: {error}.") from error
    finally:
        if connection is not None:
            connection.close()


def _connected(file: Path) -> sqlite3.Connection:
    address = file.absolute().as_uri() + "?mode=ro"
    try:
        return _begun(address)
    except sqlite3.OperationalError:
        if any(Path(f"{file}-{kind}").exists() for kind in ("wal", "journal")):
            raise
        # A database in WAL mode on a read-only disk; without a log nobody is writing to it.
        return _begun(address + "&immutable=1")


def _begun(address: str) -> sqlite3.Connection:
    connection = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)
    try:
        # Whatever the file's own schema calls (views, triggers) must not reach out of it.
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def examined(connection: sqlite3.Connection) -> Collection:
    """
    Raises:
        Unreadable: it is no collection of Exquisitor, or something in it does not fit together.
    """
    names = {table: _columns(connection, table, wanted) for table, wanted in _TABLES.items()}
    uri_column = names["medias"][1]
    for table in ("source_types", "medias", "tag_types", "tagsets", "tags"):
        _check_ids(connection, table)
    types = _types(connection, names["tag_types"][1])
    tagsets = _tagsets(connection, types)
    _check_medias(connection, uri_column)
    tables = _check_tags(connection, types)
    _check_taggings(connection)
    (medias, last_id), (groups,) = (
        _row(connection, "SELECT count(*), coalesce(max(id), 0) FROM medias"),
        _row(connection, f"SELECT count(*) FROM medias WHERE id IN ({_GROUPS})"),  # noqa: S608 - our own text
    )
    return Collection(
        connection=connection,
        uri_column=uri_column,
        tagsets=tagsets,
        value_tables=tables,
        groups=groups,
        items=medias - groups,
        tags=_row(connection, "SELECT count(*) FROM tags")[0],
        taggings=_row(connection, "SELECT count(*) FROM taggings")[0],
        last_id=last_id,
    )


def _row(connection: sqlite3.Connection, statement: str, *values: Any) -> Any:
    return connection.execute(statement, values).fetchone()


def _refuse_if(connection: sqlite3.Connection, statement: str, sentence: str) -> None:
    """
    Raises:
        Unreadable: the statement finds a row; the sentence tells of it.
    """
    if (row := connection.execute(statement + " LIMIT 1").fetchone()) is not None:
        raise Unreadable(sentence.format(*row))


def _columns(connection: sqlite3.Connection, table: str, wanted: tuple[tuple[str, ...], ...]) -> list[str]:
    """The name of each wanted column as this variant has it."""
    found = {row[1].lower() for row in connection.execute(f"PRAGMA table_info({table})")}
    if not found:
        raise Unreadable(f"It is no collection of Exquisitor: there is no table {table}.")
    names = []
    for either in wanted:
        name = next((name for name in either if name in found), None)
        if name is None:
            raise Unreadable(f"It is no collection of Exquisitor: the table {table} has no column {either[0]}.")
        names.append(name)
    return names


def _check_ids(connection: sqlite3.Connection, table: str) -> None:
    _refuse_if(
        connection,
        f"SELECT quote(id) FROM {table} WHERE typeof(id) <> 'integer'",  # noqa: S608 - names of our own
        f"In the table {table} the id {{}} is not a whole number.",
    )
    _refuse_if(
        connection,
        f"SELECT id FROM {table} WHERE id < 1",  # noqa: S608
        f"In the table {table} the id {{}} is not above zero.",
    )
    _refuse_if(
        connection,
        f"SELECT id FROM {table} GROUP BY id HAVING count(*) > 1",  # noqa: S608
        f"In the table {table} the id {{}} is there twice.",
    )


def _check_text(connection: sqlite3.Connection, table: str, column: str, nullable: bool) -> None:
    allowed = "'text', 'null'" if nullable else "'text'"
    _refuse_if(
        connection,
        f"SELECT id, typeof({column}) FROM {table} WHERE typeof({column}) NOT IN ({allowed})",  # noqa: S608
        f"In the table {table} the {column} of {{}} is not a text but {{}}.",
    )
    _check_length(connection, table, column)


def _check_length(connection: sqlite3.Connection, table: str, column: str) -> None:
    _refuse_if(
        connection,
        f"SELECT id FROM {table} WHERE length(CAST({column} AS BLOB)) > {MAX_TEXT_BYTES}",  # noqa: S608
        f"In the table {table} the {column} of {{}} is longer than {MAX_TEXT_BYTES} bytes.",
    )


def _types(connection: sqlite3.Connection, column: str) -> dict[int, str]:
    """The name of each tag type by its number."""
    types = {}
    for number, name in connection.execute(f"SELECT id, {column} FROM tag_types ORDER BY id"):  # noqa: S608
        if not isinstance(name, str) or name.strip().lower() not in TAG_TYPES:
            raise Unreadable(f"The tag type {number}, {name!r}, is none of {', '.join(TAG_TYPES)}.")
        types[number] = name.strip().lower()
    return types


def _tagsets(connection: sqlite3.Connection, types: dict[int, str]) -> tuple[Tagset, ...]:
    _check_text(connection, "tagsets", "name", nullable=False)
    _refuse_if(
        connection,
        "SELECT quote(name) FROM tagsets GROUP BY name HAVING count(*) > 1",
        "Two tagsets are called {}.",
    )
    found = []
    for tagset_id, name, tagtype_id in connection.execute("SELECT id, name, tagtype_id FROM tagsets ORDER BY id"):
        if tagtype_id not in types:
            raise Unreadable(f"The tagset {tagset_id} is of the tag type {tagtype_id}, which is not there.")
        found.append(Tagset(tagset_id, name, TAG_TYPES[types[tagtype_id]]))
    return tuple(found)


def _check_medias(connection: sqlite3.Connection, uri_column: str) -> None:
    _check_text(connection, "medias", uri_column, nullable=True)
    _check_text(connection, "medias", "thumbnail_uri", nullable=True)
    _refuse_if(
        connection,
        "SELECT id, quote(source_type) FROM medias WHERE source_type IS NOT NULL "
        "AND source_type NOT IN (SELECT id FROM source_types)",
        "The media {} is of the source type {}, which is not there.",
    )
    _refuse_if(
        connection,
        "SELECT id, quote(group_id) FROM medias WHERE group_id IS NOT NULL AND group_id NOT IN (SELECT id FROM medias)",
        "The media {} is in the group {}, which is not there.",
    )
    _refuse_if(
        connection,
        f"SELECT id, group_id FROM medias WHERE group_id IS NOT NULL AND id IN ({_GROUPS})",  # noqa: S608
        "The group {} is in the group {} itself; groups of groups cannot be taken.",
    )


def _check_tags(connection: sqlite3.Connection, types: dict[int, str]) -> tuple[str, ...]:
    """The tables of values, one for each type that a tagset is of."""
    _refuse_if(
        connection,
        "SELECT id, quote(tagset_id) FROM tags WHERE tagset_id IS NULL OR tagset_id NOT IN (SELECT id FROM tagsets)",
        "The tag {} is of the tagset {}, which is not there.",
    )
    _refuse_if(
        connection,
        "SELECT tags.id, tagset_id FROM tags JOIN tagsets ON tagsets.id = tagset_id "
        "WHERE tags.tagtype_id IS NOT tagsets.tagtype_id",
        "The tag {} and its tagset {} are of different tag types.",
    )
    used = [row[0] for row in connection.execute("SELECT DISTINCT tagtype_id FROM tagsets ORDER BY tagtype_id")]
    return tuple(_check_values(connection, number, types[number]) for number in used)


def _check_values(connection: sqlite3.Connection, number: int, name: str) -> str:
    tagtype = TAG_TYPES[name]
    # A file that calls the type by one name may call the table by the other.
    names = [name, *(other for other, same in TAG_TYPES.items() if same == tagtype and other != name)]
    tables = [f"{each}_tags" for each in names]
    table = next((each for each in tables if _row(connection, f"PRAGMA table_info({each})")), tables[0])
    _columns(connection, table, _VALUES)
    _check_ids(connection, table)
    _refuse_if(
        connection,
        f"SELECT id FROM tags WHERE tagtype_id = {int(number)} AND id NOT IN (SELECT id FROM {table})",  # noqa: S608
        f"The tag {{}} has no value in the table {table}.",
    )
    _refuse_if(
        connection,
        f"SELECT {table}.id FROM {table} LEFT JOIN tags ON tags.id = {table}.id "  # noqa: S608
        f"WHERE tags.tagtype_id IS NOT {int(number)} OR tags.tagset_id IS NOT {table}.tagset_id",
        f"The value of the tag {{}} in the table {table} belongs to no tag of that type and tagset.",
    )
    stored = _STORED_AS.get(tagtype, _TEXT)
    allowed = ", ".join(f"'{each}'" for each in stored)
    _refuse_if(
        connection,
        f"SELECT id, typeof(value) FROM {table} WHERE typeof(value) NOT IN ({allowed})",  # noqa: S608
        f"In the table {table} the value of the tag {{}} is of the type {{}}, not {' or '.join(stored)}.",
    )
    _check_length(connection, table, "value")
    return table


def _check_taggings(connection: sqlite3.Connection) -> None:
    for column, table in (("media_id", "medias"), ("tag_id", "tags")):
        _refuse_if(
            connection,
            "SELECT quote(media_id), quote(tag_id) FROM taggings "  # noqa: S608
            f"WHERE {column} IS NULL OR {column} NOT IN (SELECT id FROM {table})",
            f"The media {{}} has the tag {{}}: there is no such {table[:-1]}.",
        )

"""Collection databases of Exquisitor as the command reads them: both variants whole, and what is wrong with others in
one sentence."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import exquisitor_db as made
import pytest
from exquisitor_db import Media, Rows, Variant
from gateway.command import exquisitor_parts
from gateway.command.exquisitor_file import Unreadable, examined, opened
from gateway.command.exquisitor_parts import Addresses, parts_of, rows_of
from media_proto import metadata_pb2 as pb

ADDRESSES = Addresses("https://a.example", "https://b.example")


def rows() -> Rows:
    """A group of two, one of them in it, and one more; a tag of every type, on all of them."""
    tags = {3 * one: (one, value) for one, value in enumerate(
        ("x", "2024-01-02 03:04:05", "03:04:05", "2024-01-02", -5, 0.5, '{"a": 1}'), start=1
    )}  # fmt: skip
    medias = [
        Media(7, "g", 2),
        Media(2, "a/1.jpg", 1, "t1.jpg", 7),
        Media(9, None, None, None, 7),
        Media(4, "b.mp3", 3),
    ]
    for media in medias:
        media.tags = set(tags)
    return Rows({one.id: one for one in medias}, {one: (f"set {one}", one) for one in range(1, 8)}, tags)


def parts(file: Path) -> list[pb.ImportPart]:
    with opened(file) as connection:
        return list(parts_of(examined(connection), "name", ADDRESSES))


def database(tmp_path: Path, *statements: str, variant: Variant = "existing") -> Path:
    file = made.write(rows(), tmp_path / "c.db", variant)
    connection = sqlite3.connect(file)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()
    return file


@pytest.mark.parametrize("variant", ["existing", "documented"])
@pytest.mark.parametrize("rows_of_a_part", [1, 2, 1000])
def test_every_row_is_told_once_tags_before_groups_before_items(
    tmp_path: Path, variant: Variant, rows_of_a_part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exquisitor_parts, "ROWS", rows_of_a_part)
    begin, *middle, end = parts(database(tmp_path, variant=variant))
    assert begin.begin.name == "name"
    assert (begin.begin.originals_url, begin.begin.thumbnails_url) == ("https://a.example", "https://b.example")
    assert begin.begin.last_id == 9
    assert [(one.relative_id, one.name, one.tagtype) for one in begin.begin.tagsets] == [
        (one, f"set {one}", one) for one in range(1, 8)
    ]
    tags = [tag for part in middle for tag in part.tags.tags]
    values = {tag.relative_id: getattr(tag.value, tag.value.WhichOneof("value") or "") for tag in tags}
    assert values == {tag_id: value for tag_id, (_, value) in rows().tags.items()}
    items = [item for part in middle for item in part.items.items]
    assert [(item.relative_id, item.is_group) for item in items] == [(7, True), (2, False), (4, False), (9, False)]
    for item in items:
        row = rows().medias[item.relative_id]
        assert (item.uri if item.HasField("uri") else None) == row.uri
        assert (item.thumbnail_uri if item.HasField("thumbnail_uri") else None) == row.thumbnail
        assert (item.group_id if item.HasField("group_id") else None) == row.group
        assert list(item.tag_ids) == sorted(row.tags)
    kinds = [pb.MEDIA_KIND_VIDEO, pb.MEDIA_KIND_IMAGE, pb.MEDIA_KIND_AUDIO, pb.MEDIA_KIND_OTHER]
    assert [item.kind for item in items] == kinds
    assert [part.WhichOneof("part") for part in middle] == sorted(
        (part.WhichOneof("part") for part in middle), key=["tags", "items"].index
    )
    assert max(map(rows_of, middle)) <= rows_of_a_part
    assert end.end.items == 4


_TAG_10 = "INSERT INTO tags VALUES (10, 4, 4)"
_MEDIA = "id, source, source_type, thumbnail_uri, group_id"


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("DROP TABLE taggings", "there is no table taggings"),
        ("DROP TABLE date_tags", "there is no table date_tags"),
        ("ALTER TABLE medias DROP COLUMN thumbnail_uri", "the table medias has no column thumbnail_uri"),
        ("ALTER TABLE tag_types RENAME COLUMN description TO words", "the table tag_types has no column description"),
        ("UPDATE medias SET group_id = 77 WHERE id = 4", "The media 4 is in the group 77, which is not there."),
        ("UPDATE medias SET group_id = 4 WHERE id = 7", "The group 7 is in the group 4 itself"),
        ("UPDATE medias SET group_id = 4 WHERE id = 4", "The group 4 is in the group 4 itself"),
        (
            "UPDATE medias SET source_type = 70 WHERE id = 4",
            "The media 4 is of the source type 70, which is not there.",
        ),
        ("UPDATE medias SET source = x'ff00' WHERE id = 4", "the source of 4 is not a text but blob"),
        ("UPDATE medias SET thumbnail_uri = 5.0 || zeroblob(1048577)", "the thumbnail_uri of 2 is longer than"),
        ("UPDATE medias SET id = -4 WHERE id = 4", "In the table medias the id -4 is not above zero."),
        ("INSERT INTO taggings VALUES (4, 99)", "The media 4 has the tag 99: there is no such tag."),
        ("INSERT INTO taggings VALUES (5, 3)", "The media 5 has the tag 3: there is no such media."),
        ("UPDATE taggings SET tag_id = 'x' WHERE media_id = 4 AND tag_id = 3", "The media 4 has the tag 'x'"),
        ("INSERT INTO tags VALUES (10, 1, 70)", "The tag 10 is of the tagset 70, which is not there."),
        ("INSERT INTO tags VALUES (10, 1, 2)", "The tag 10 and its tagset 2 are of different tag types."),
        (_TAG_10, "The tag 10 has no value in the table date_tags."),
        (
            "INSERT INTO date_tags VALUES (10, '2024-01-01', 4)",
            "The value of the tag 10 in the table date_tags belongs",
        ),
        ("UPDATE date_tags SET tagset_id = 5", "The value of the tag 12 in the table date_tags belongs"),
        ("UPDATE date_tags SET value = 5", "the value of the tag 12 is of the type integer, not text."),
        ("UPDATE numerical_int_tags SET value = 'a'", "the value of the tag 15 is of the type text, not integer."),
        ("UPDATE numerical_int_tags SET value = 1.5", "the value of the tag 15 is of the type real, not integer."),
        ("UPDATE numerical_dec_tags SET value = 'a'", "is of the type text, not integer or real."),
        ("UPDATE tagsets SET tagtype_id = 70 WHERE id = 4", "The tagset 4 is of the tag type 70, which is not there."),
        ("UPDATE tag_types SET description = 'colour' WHERE id = 4", "The tag type 4, 'colour', is none of"),
        ("UPDATE medias SET source = CAST(x'61ff' AS TEXT) WHERE id = 4", "cannot be read: Could not decode to UTF-8"),
    ],
)
def test_what_does_not_fit_together_is_told_in_one_sentence(tmp_path: Path, statement: str, sentence: str) -> None:
    file = database(tmp_path, statement)
    with pytest.raises(Unreadable) as refused:
        parts(file)
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)
    assert str(refused.value)[-1] in ".'"


@pytest.mark.parametrize(
    ("table", "columns", "row", "sentence"),
    [
        ("medias", _MEDIA, "4, 'x', 1, NULL, NULL", "the id 4 is there twice"),
        ("medias", _MEDIA, "'a', 'x', 1, NULL, NULL", "the id 'a' is not a"),
        ("tags", "id, tagtype_id, tagset_id", "3, 1, 1", "the id 3 is there twice"),
        ("tagsets", "id, name, tagtype_id", "9, 'set 1', 1", "Two tagsets are called 'set 1'"),
    ],
)
def test_tables_without_keys_are_looked_through(
    tmp_path: Path, table: str, columns: str, row: str, sentence: str
) -> None:
    file = database(
        tmp_path,
        f"CREATE TABLE loose AS SELECT {columns} FROM {table}",  # noqa: S608
        f"DROP TABLE {table}",
        f"ALTER TABLE loose RENAME TO {table}",
        f"INSERT INTO {table} VALUES ({row})",  # noqa: S608
    )
    with pytest.raises(Unreadable, match=sentence):
        parts(file)


def test_a_file_that_is_no_database_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8" * 600)
    (tmp_path / "empty.db").touch()
    (tmp_path / "folder.db").mkdir()
    for name, sentence in (
        ("photo.jpg", "is not an SQLite database"), ("empty.db", "there is no table source_types"),
        ("folder.db", "There is no file"), ("none.db", "There is no file"),
    ):  # fmt: skip
        with pytest.raises(Unreadable, match=sentence):
            parts(tmp_path / name)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["empty.db", "folder.db", "photo.jpg"]


def test_a_damaged_database_is_told_of(tmp_path: Path) -> None:
    file = made.write(made.generated(2000), tmp_path / "c.db")
    data = bytearray(file.read_bytes())
    data[4096 * 3 :] = os.urandom(len(data) - 4096 * 3)
    file.write_bytes(data)
    with pytest.raises(Unreadable, match=r"cannot be read|is not|there is no|is of no"):
        parts(file)


def test_a_database_that_is_being_written_is_read_as_it_was_at_one_moment(tmp_path: Path) -> None:
    file = database(tmp_path, "PRAGMA journal_mode = WAL")
    writer = sqlite3.connect(file)
    with opened(file) as connection:
        collection = examined(connection)
        writer.execute("DELETE FROM taggings")
        writer.execute("DELETE FROM medias")
        writer.commit()
        items = [item for part in parts_of(collection, "n", ADDRESSES) for item in part.items.items]
    writer.close()
    assert [len(item.tag_ids) for item in items] == [7, 7, 7, 7]


def test_a_name_that_an_address_would_misread_is_a_file_name(tmp_path: Path) -> None:
    file = made.write(rows(), tmp_path / "c.db").rename(tmp_path / "a?mode=memory#b%20.db")
    assert parts(file)[-1].end.items == 4

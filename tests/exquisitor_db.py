"""Collection databases of Exquisitor for tests, made of plain rows in either variant of its schema, and what the four
item endpoints must answer about them, computed from the rows the slow and obvious way."""

from __future__ import annotations

import json
import random
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Variant = Literal["existing", "documented"]
Value = str | int | float

ORIGINALS = "https://cdn.example.com/originals/"
THUMBNAILS = "https://cdn.example.com/thumbs"
SOURCE_TYPES = {1: "Image", 2: "Video", 3: "Audio", 4: "Text", 5: "Other", 6: "Hologram"}
TYPES = {1: "alphanumerical", 2: "timestamp", 3: "time", 4: "date", 5: "numerical_int", 6: "numerical_dec", 7: "json"}
_AS_IS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/!$&'()*+,;=:@"


@dataclass
class Media:
    id: int
    uri: str | None
    source_type: int | None = 1
    thumbnail: str | None = None
    group: int | None = None
    tags: set[int] = field(default_factory=set)


@dataclass
class Rows:
    """By number: medias, tagsets (name and type), tags (tagset and value)."""

    medias: dict[int, Media] = field(default_factory=dict)
    tagsets: dict[int, tuple[str, int]] = field(default_factory=dict)
    tags: dict[int, tuple[int, Value]] = field(default_factory=dict)

    @property
    def groups(self) -> set[int]:
        return {media.group for media in self.medias.values() if media.group is not None}

    @property
    def items(self) -> list[int]:
        return sorted(self.medias.keys() - self.groups)

    # --- what the endpoints answer ---
    def base(self, media_id: int) -> dict[str, Any]:
        media = self.medias[media_id]
        original = _address(ORIGINALS, media.uri)
        thumbnail = _address(THUMBNAILS, media.thumbnail) if media.thumbnail else original
        return {"id": media_id, "uri": media.uri or None, "thumbnail_url": thumbnail, "original_url": original}

    def page_base(self, media_id: int) -> dict[str, Any]:
        media, urls = self.medias[media_id], self.base(media_id)
        return {
            "id": media_id,
            "name": (media.uri or "").split("/")[-1] or str(media_id),
            "itemId": media_id,
            "mediaId": media_id,
            "mediaType": media.source_type if media.source_type in (1, 2, 3, 4) else 5,
            "thumbPath": urls["thumbnail_url"],
            "srcPath": urls["original_url"],
            "groupId": media.group,
        }

    def values(self, media_id: int, tagset_id: int) -> list[Value]:
        found = [self.tags[tag][1] for tag in self.medias[media_id].tags if self.tags[tag][0] == tagset_id]
        decimal = tagset_id in self.tagsets and TYPES[self.tagsets[tagset_id][1]] == "numerical_dec"
        return sorted(float(value) if decimal else value for value in found)  # type: ignore[type-var,arg-type]

    def details(self, media_id: int, tagset_ids: list[int]) -> dict[str, Any]:
        sets = {str(one): self.values(media_id, one) for one in tagset_ids}
        return {**self.base(media_id), "tags": {one: values for one, values in sets.items() if values}}

    def page_details(self, media_id: int, tagset_ids: list[int]) -> dict[str, Any]:
        sets = {self.tagsets[one][0]: self.values(media_id, one) for one in tagset_ids if one in self.tagsets}
        return {name: values[0] if len(values) == 1 else values for name, values in sets.items() if values}

    def members(self, group_id: int) -> list[int]:
        return sorted(media.id for media in self.medias.values() if media.group == group_id)

    def all_members(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for media_id in sorted(self.medias):
            group = self.medias[media_id].group
            if group is not None:
                found.setdefault(group, []).append(media_id)
        return found

    def is_excluded(self, media_id: int, group_ids: list[int]) -> bool:
        own = media_id if media_id in self.groups else self.medias[media_id].group
        return own is not None and own in group_ids


def _address(base: str, uri: str | None) -> str | None:
    if not uri:
        return None
    if uri.startswith("https://"):
        return uri
    name = uri.encode()
    while name.startswith(b"/"):
        name = name[1:]
    encoded = "".join(chr(byte) if byte in _AS_IS else f"%{byte:02X}" for byte in name)
    return (base[:-1] if base.endswith("/") else base) + "/" + encoded


def write(rows: Rows, file: Path, variant: Variant = "existing") -> Path:
    """The database, in one variant of the schema."""
    uri, described, word = (
        ("source", "description", "alphanumerical") if variant == "existing" else ("uri", "name", "categorical")
    )
    words = {**TYPES, 1: word}
    connection = sqlite3.connect(file)
    connection.executescript(
        f"""
        CREATE TABLE source_types (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
        CREATE TABLE medias (id INTEGER PRIMARY KEY, {uri} TEXT UNIQUE, source_type INTEGER, thumbnail_uri TEXT,
                             group_id INTEGER REFERENCES medias (id));
        CREATE TABLE tag_types (id INTEGER PRIMARY KEY, {described} TEXT NOT NULL);
        CREATE TABLE tagsets (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, tagtype_id INTEGER NOT NULL);
        CREATE TABLE tags (id INTEGER PRIMARY KEY, tagtype_id INTEGER NOT NULL, tagset_id INTEGER NOT NULL);
        CREATE TABLE taggings (media_id INTEGER NOT NULL, tag_id INTEGER NOT NULL);
        """
        + "".join(
            f"CREATE TABLE {name}_tags (id INTEGER PRIMARY KEY, value NOT NULL, tagset_id INTEGER NOT NULL);"
            for name in words.values()
        )
    )
    connection.executemany("INSERT INTO source_types VALUES (?, ?)", SOURCE_TYPES.items())
    connection.executemany(
        "INSERT INTO medias VALUES (?, ?, ?, ?, ?)",
        [(one.id, one.uri, one.source_type, one.thumbnail, one.group) for one in rows.medias.values()],
    )
    connection.executemany("INSERT INTO tag_types VALUES (?, ?)", words.items())
    connection.executemany("INSERT INTO tagsets VALUES (?, ?, ?)", [(n, *one) for n, one in rows.tagsets.items()])
    for tag_id, (tagset_id, value) in rows.tags.items():
        tagtype = rows.tagsets[tagset_id][1]
        connection.execute("INSERT INTO tags VALUES (?, ?, ?)", (tag_id, tagtype, tagset_id))
        table = f"{words[tagtype]}_tags"
        connection.execute(f"INSERT INTO {table} VALUES (?, ?, ?)", (tag_id, value, tagset_id))  # noqa: S608
    pairs = [(one.id, tag) for one in rows.medias.values() for tag in one.tags]
    random.Random(1).shuffle(pairs)
    connection.executemany("INSERT INTO taggings VALUES (?, ?)", pairs)
    connection.commit()
    connection.close()
    return file


def generated(items: int, seed: int = 7) -> Rows:
    """So many medias with gaps in their ids; groups before, among and behind their members; every type of tag; odd
    names; medias without a uri or a thumbnail; tagsets called as the catalogue's own."""
    rng = random.Random(seed)
    rows = Rows(tagsets=_tagsets())
    _add_tags(rows, rng)
    by_set = {one: [tag for tag, (of, _) in rows.tags.items() if of == one] for one in rows.tagsets}
    ids = rng.sample(range(1, items * 3), items)
    group_ids = ids[: max(1, items // 40)]
    for number, media_id in enumerate(ids):
        is_group = number < len(group_ids)
        media = Media(media_id, _uri(rng, media_id), rng.choice([1, 1, 1, 2, 3, 4, 5, 6, None]))
        media.thumbnail = rng.choice([None, f"t/{media_id}.jpg", f"/t/ü {media_id}%.jpg"])
        if not is_group and rng.random() < 0.7:
            media.group = rng.choice(group_ids)
        for tags in by_set.values():
            if rng.random() < 0.4:
                media.tags.update(rng.sample(tags, rng.choice([1, 1, 1, 3])))
        rows.medias[media_id] = media
    return rows


def _tagsets() -> dict[int, tuple[str, int]]:
    names = ("Label", "Taken at", "Time of day", "Day", "Year", "Score", "Extra", "Status", "Folder")
    types = (1, 2, 3, 4, 5, 6, 7, 1, 5)
    return {3 * n + 2: (name, tagtype) for n, (name, tagtype) in enumerate(zip(names, types, strict=True))}


def _add_tags(rows: Rows, rng: random.Random) -> None:
    made = {
        1: lambda n: f"label {n} é%",
        2: lambda n: f"20{n % 90 + 10}-03-0{n % 9 + 1} 12:{n % 60:02}:00",
        3: lambda n: f"{n % 24:02}:{n % 60:02}:00",
        4: lambda n: f"2024-{n % 12 + 1:02}-{n % 28 + 1:02}",
        5: lambda n: n * (-1) ** n * 10 ** (n % 17),
        6: lambda n: n / 8 if n % 2 else n,  # whole ones are stored as integers
        7: lambda n: json.dumps({"n": n, "text": "ü"}),
    }
    ids = iter(rng.sample(range(1, 10_000), 60 * len(rows.tagsets)))
    for tagset_id, (_, tagtype) in rows.tagsets.items():
        for number in range(60):
            rows.tags[next(ids)] = (tagset_id, made[tagtype](number))


def _uri(rng: random.Random, media_id: int) -> str | None:
    kind = rng.randrange(40)
    odd = {0: None, 1: f"https://other.example.com/{media_id}.jpg?size=1", 2: f"/rooted//{media_id} ü%20#?.jpg"}
    return odd.get(kind, f"day{media_id % 50}/video_{media_id % 7}/{media_id}.jpg")

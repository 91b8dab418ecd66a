"""The full text: name, description, captions and tags of every file."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable
from typing import Final

from metadata_service.domain.media import Kind
from metadata_service.domain.tags import AUTOMATIC, FINDABLE, TagType
from metadata_service.store.snapshot import Snapshot

#: Names are also found by their parts: `hero-shot_2.jpg` by `hero`, `shot` and `2`; FTS5 splits at the first two only.
_WORD: Final = re.compile(r"\w+", re.UNICODE)
_HIDDEN: Final = tuple(sorted(set(AUTOMATIC) - FINDABLE))
_TAGS: Final = (
    "SELECT tag.value FROM tagging "  # noqa: S608 - question marks are put in, nothing else
    "JOIN tag ON tag.id = tagging.tag_id JOIN tagset ON tagset.id = tag.tagset_id "
    "WHERE tagging.item_id = ? AND tagset.tagtype = ? AND tagset.name NOT IN (" + ", ".join("?" * len(_HIDDEN)) + ")"
)
#: Words of a query beyond these add time, not meaning.
MAX_WORDS: Final = 32


def write_words(connection: sqlite3.Connection, node_ids: Iterable[int]) -> None:
    """Write the text of each item anew."""
    for node_id in node_ids:
        connection.execute("DELETE FROM words WHERE rowid = ?", (node_id,))
        row = connection.execute(
            "SELECT collection_id, name, description FROM node WHERE id = ? AND kind <> ?", (node_id, Kind.FOLDER)
        ).fetchone()
        if row is None:
            continue
        captions = connection.execute("SELECT caption FROM frame WHERE media_id = ? AND caption <> ''", (node_id,))
        tags = connection.execute(
            _TAGS,
            (node_id, TagType.ALPHANUMERICAL, *_HIDDEN),
        )
        values = (
            node_id,
            scope_of(row[0]),
            row[1].replace("_", " "),
            row[2],
            "\n".join(caption for (caption,) in captions),
            "\n".join(str(value) for (value,) in tags),
        )
        connection.execute(
            "INSERT INTO words (rowid, scope, name, description, captions, tags) VALUES (?, ?, ?, ?, ?, ?)", values
        )


def found(snapshot: Snapshot, collection_id: int, text: str, limit: int) -> list[tuple[int, float]]:
    """The items that have any of the words, the best first, with a bm25 above zero (more is better)."""
    words = _WORD.findall(text)[:MAX_WORDS]
    if not words:
        return []
    anything = " OR ".join(f'"{word}"' for word in words)
    query = f"scope : {scope_of(collection_id)} AND {{name description captions tags}} : ({anything})"
    rows = snapshot.connection.execute(
        "SELECT rowid, -bm25(words, 0.0, 2.0, 1.0, 1.0, 2.0) AS score FROM words WHERE words MATCH ? "
        "ORDER BY rank LIMIT ?",
        (query, limit),
    )
    return [(int(node_id), float(score)) for node_id, score in rows]


def scope_of(collection_id: int) -> str:
    return f"collection{collection_id}"

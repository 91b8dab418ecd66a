"""The full text: name, description, captions and tags of every file."""

from __future__ import annotations

import json
import re
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Final

from metadata_service.domain.media import Kind
from metadata_service.domain.tags import AUTOMATIC, FINDABLE, TagType
from metadata_service.store.finds import Ranked
from metadata_service.store.snapshot import Snapshot

#: Names are also found by their parts: `hero-shot_2.jpg` by `hero`, `shot` and `2`; FTS5 splits at the first two only.
_WORD: Final = re.compile(r"\w+", re.UNICODE)
_HIDDEN: Final = tuple(sorted(set(AUTOMATIC) - FINDABLE))
_ALPHA: Final = int(TagType.ALPHANUMERICAL)
_ITEMS: Final = (
    "SELECT node.id, collection_id, name, description FROM json_each(?) AS wanted "
    "CROSS JOIN node ON node.id = wanted.value WHERE kind <> ?"
)
_CAPTIONS: Final = (
    "SELECT media_id, caption FROM json_each(?) AS wanted CROSS JOIN frame ON frame.media_id = wanted.value "
    "WHERE caption <> ''"
)
_TAGS: Final = (
    "SELECT item_id, tag.value FROM json_each(?) AS wanted "  # noqa: S608 - question marks are put in, nothing else
    "CROSS JOIN tagging ON tagging.item_id = wanted.value JOIN tag ON tag.id = tagging.tag_id "
    "JOIN tagset ON tagset.id = tag.tagset_id "
    "WHERE tagset.tagtype = ? AND tagset.name NOT IN (" + ", ".join("?" * len(_HIDDEN)) + ")"
)
#: What a word in each column weighs: none in the scope, twice in the name and the tags.
_RANK: Final = "bm25(0.0, 2.0, 1.0, 1.0, 2.0)"
#: Words of a query beyond these add time, not meaning.
MAX_WORDS: Final = 32
_COLUMNS: Final = "scope, name, description, captions, tags"
_WRITTEN: Final = (
    f"SELECT words.rowid, {_COLUMNS} FROM json_each(?) AS wanted "  # noqa: S608 - names of our own
    "CROSS JOIN words ON words.rowid = wanted.value"
)
#: So many are ranked at first: fetching all that have a common word takes as long again.
BEST: Final = 5000
_RANKED: Final = "SELECT rowid, -rank FROM words WHERE words MATCH ? AND rank MATCH ? ORDER BY rank"


def write_words(connection: sqlite3.Connection, node_ids: Sequence[int]) -> None:
    """Write the text of each item anew, where it has changed."""
    if not node_ids:
        return
    ids = json.dumps(list(node_ids))
    captions, tags = _gathered(connection, _CAPTIONS, (ids,)), _gathered(connection, _TAGS, (ids, _ALPHA, *_HIDDEN))
    wanted = {
        node_id: (
            scope_of(collection_id),
            name.replace("_", " "),
            description,
            "\n".join(captions[node_id]),
            "\n".join(tags[node_id]),
        )
        for node_id, collection_id, name, description in connection.execute(_ITEMS, (ids, Kind.FOLDER))
    }
    written = {row[0]: row[1:] for row in connection.execute(_WRITTEN, (ids,))}
    stale = [node_id for node_id, texts in written.items() if wanted.get(node_id) != texts]
    fresh = [(node_id, *texts) for node_id, texts in wanted.items() if written.get(node_id) != texts]
    connection.executemany("DELETE FROM words WHERE rowid = ?", [(node_id,) for node_id in stale])
    connection.executemany(f"INSERT INTO words (rowid, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", fresh)  # noqa: S608
    if stale or fresh:
        words_changed(connection)


def words_changed(connection: sqlite3.Connection) -> None:
    """To be said in the transaction that changes anybody's: how much each word weighs depends on all."""
    connection.execute("UPDATE sequence SET value = value + 1 WHERE name = 'words'")


def _gathered(connection: sqlite3.Connection, statement: str, values: tuple[Any, ...]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    for node_id, text in connection.execute(statement, values):
        found[node_id].append(str(text))
    return found


def found(
    snapshot: Snapshot, collection_id: int, text: str, limit: int, passes: Callable[[int], bool] = bool
) -> list[tuple[int, float]]:
    """The items that have any of the words, the best first, with a bm25 above zero (more is better).

    Args:
        passes: which ids count; asked before the limit, so that as many come back as pass.
    """
    words = _WORD.findall(text)[:MAX_WORDS]
    if not words:
        return []
    anything = " OR ".join(f'"{word}"' for word in words)
    query = f"scope : {scope_of(collection_id)} AND {{name description captions tags}} : ({anything})"
    connection, version = snapshot.connection, _version(snapshot.connection)
    ranked = snapshot.finds.get(version, (collection_id, anything))
    if ranked is None:
        ranked = Ranked.of(connection.execute(f"{_RANKED} LIMIT {BEST + 1}", (query, _RANK)), BEST)
        snapshot.finds.put(version, (collection_id, anything), ranked)
    best = ranked.passing(passes, limit)
    if len(best) < limit and not ranked.is_all:
        ranked = Ranked.of(connection.execute(_RANKED, (query, _RANK)))
        snapshot.finds.put(version, (collection_id, anything), ranked)
        best = ranked.passing(passes, limit)
    return best


def _version(connection: sqlite3.Connection) -> int:
    """Grows with every change of anybody's words: how much each of them weighs depends on all."""
    return int(connection.execute("SELECT value FROM sequence WHERE name = 'words'").fetchone()[0])


def scope_of(collection_id: int) -> str:
    return f"collection{collection_id}"

"""The schema, a step at a time. A step that has been released is never changed; a new one is added.

Sets of items (what a folder holds, what a tag is on, what is listed) are bitmaps in `bits`, 65,536 items a row,
written in the transaction that changes them: a listing is a few bitmap operations and one ordered walk, whatever is
asked.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Final

from pyroaring import BitMap

from metadata_service.store.bits import Changes, Family, load

_FIRST: Final = """
CREATE TABLE sequence (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO sequence VALUES ('item', 0), ('clock', 0), ('base', 0), ('tagset', 0), ('tag', 0);

CREATE TABLE collection (
    id INTEGER PRIMARY KEY,
    uuid BLOB NOT NULL UNIQUE,
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    icon TEXT NOT NULL DEFAULT '',
    id_base INTEGER NOT NULL,
    root_folder_id INTEGER NOT NULL,
    root_path BLOB UNIQUE,
    originals_url TEXT NOT NULL DEFAULT '',
    thumbnails_url TEXT NOT NULL DEFAULT '',
    created_us INTEGER NOT NULL,
    version INTEGER NOT NULL DEFAULT 0,    -- of its listed rows and their order
    reconciled_us INTEGER NOT NULL DEFAULT 0 -- when its review path was last gone through as a whole; 0: it is due
);

-- Folders and media. `listed` follows from `marks`; the root folder of a collection is never listed.
CREATE TABLE node (
    id INTEGER PRIMARY KEY,
    uuid BLOB NOT NULL UNIQUE,
    collection_id INTEGER NOT NULL,
    parent_id INTEGER,
    kind INTEGER NOT NULL,
    source INTEGER NOT NULL,
    marks INTEGER NOT NULL DEFAULT 0,
    listed INTEGER NOT NULL,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL,
    disk_name BLOB,                        -- the file system's bytes, for what is on a disk
    created_us INTEGER NOT NULL,           -- when the catalogue got it; grows with the id within a collection
    updated_us INTEGER NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    prompt TEXT NOT NULL DEFAULT '',
    metadata TEXT,                         -- JSON object without the tags
    size_bytes INTEGER NOT NULL DEFAULT 0,
    modified_us INTEGER NOT NULL DEFAULT 0,
    width_px INTEGER,
    height_px INTEGER,
    duration_s REAL,
    page_count INTEGER,
    taken_us INTEGER,
    camera TEXT,
    lens TEXT,
    orientation INTEGER,
    latitude REAL,
    longitude REAL,
    inode INTEGER,
    sha256 BLOB,
    content_type TEXT NOT NULL DEFAULT '',
    uri TEXT,                              -- of an imported item, as its system wrote it
    thumbnail_uri TEXT,
    group_id INTEGER,
    version_root_id INTEGER                -- the first of its versions; NULL for an item without versions
);
CREATE INDEX node_by_name ON node (collection_id, name_key) WHERE listed;
CREATE INDEX node_by_description ON node (collection_id, description) WHERE listed AND description <> '';
CREATE INDEX node_by_prompt ON node (collection_id, prompt) WHERE listed AND prompt <> '';
CREATE INDEX node_by_created ON node (collection_id, created_us);
CREATE UNIQUE INDEX node_by_disk_name ON node (parent_id, disk_name) WHERE disk_name IS NOT NULL;
CREATE INDEX node_by_inode ON node (collection_id, inode) WHERE inode IS NOT NULL;
CREATE INDEX node_by_sha256 ON node (collection_id, sha256) WHERE sha256 IS NOT NULL;
CREATE INDEX node_unhashed ON node (collection_id) WHERE sha256 IS NULL AND source = 1 AND kind <> 3;
CREATE INDEX node_by_group ON node (group_id, taken_us) WHERE group_id IS NOT NULL;
CREATE INDEX node_by_version ON node (version_root_id) WHERE version_root_id IS NOT NULL;
CREATE INDEX node_folder_name ON node (parent_id, name) WHERE kind = 3;

-- `path`: the ids from the root folder to this one, eight bytes each, so that a subtree is a range.
CREATE TABLE folder (
    id INTEGER PRIMARY KEY,
    collection_id INTEGER NOT NULL,
    path BLOB NOT NULL,
    items_below INTEGER NOT NULL DEFAULT 0, -- listed images and videos at any depth
    tag_id INTEGER                          -- its tag in the `Folder` tagset
);
CREATE UNIQUE INDEX folder_by_path ON folder (path);

CREATE TABLE bits (
    family INTEGER NOT NULL,
    owner INTEGER NOT NULL,
    chunk INTEGER NOT NULL,
    count INTEGER NOT NULL,
    data BLOB NOT NULL
);
CREATE UNIQUE INDEX bits_by_owner ON bits (family, owner, chunk);

CREATE TABLE item_group (
    id INTEGER PRIMARY KEY,
    uuid BLOB NOT NULL UNIQUE,
    collection_id INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    name TEXT NOT NULL DEFAULT '',
    uri TEXT NOT NULL DEFAULT '',
    thumbnail_uri TEXT,
    source_kind INTEGER NOT NULL DEFAULT 6
);
CREATE INDEX group_by_collection ON item_group (collection_id);

CREATE TABLE tagset (
    id INTEGER PRIMARY KEY,
    collection_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    tagtype INTEGER NOT NULL
);
CREATE UNIQUE INDEX tagset_by_name ON tagset (collection_id, name);

-- `value` has no type of its own: whole numbers, decimals and texts stay what they are.
CREATE TABLE tag (
    id INTEGER PRIMARY KEY,
    tagset_id INTEGER NOT NULL,
    value NOT NULL,
    uses INTEGER NOT NULL DEFAULT 0         -- items and groups that carry it themselves
);
CREATE INDEX tag_by_value ON tag (tagset_id, value);

-- Of an item or of a group.
CREATE TABLE tagging (
    item_id INTEGER NOT NULL,
    tag_id INTEGER NOT NULL,
    PRIMARY KEY (item_id, tag_id)
) WITHOUT ROWID;

CREATE TABLE frame (
    id INTEGER PRIMARY KEY,
    uuid BLOB NOT NULL UNIQUE,
    media_id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    timestamp_s REAL NOT NULL,
    width_px INTEGER,
    height_px INTEGER,
    caption TEXT NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX frame_by_media ON frame (media_id, position);

CREATE TABLE object (
    id INTEGER PRIMARY KEY,
    uuid BLOB NOT NULL UNIQUE,
    frame_id INTEGER NOT NULL,
    whole INTEGER NOT NULL DEFAULT 0,       -- stands for the frame itself
    kind TEXT NOT NULL,
    label TEXT NOT NULL,
    model TEXT NOT NULL,
    shape TEXT NOT NULL
);
CREATE INDEX object_by_frame ON object (frame_id);

CREATE TABLE cluster (
    id INTEGER PRIMARY KEY,
    uuid BLOB NOT NULL UNIQUE,
    collection_id INTEGER NOT NULL,
    model TEXT NOT NULL,
    label TEXT NOT NULL,
    size INTEGER NOT NULL,
    object_id INTEGER NOT NULL              -- the one nearest to its middle
);
CREATE INDEX cluster_by_collection ON cluster (collection_id, model);
CREATE TABLE cluster_object (
    cluster_id INTEGER NOT NULL,
    object_id INTEGER NOT NULL,
    PRIMARY KEY (cluster_id, object_id)
) WITHOUT ROWID;

CREATE TABLE access_key (
    id INTEGER PRIMARY KEY,
    uuid BLOB NOT NULL UNIQUE,
    name TEXT NOT NULL,
    digest BLOB NOT NULL UNIQUE,
    scopes TEXT NOT NULL,                   -- space-separated
    collections TEXT,                       -- JSON list of collection ids; NULL: all
    created_us INTEGER NOT NULL,
    expires_us INTEGER,
    revoked_us INTEGER
);

-- `scope` holds one word, the collection's, so that a search stays within one.
CREATE VIRTUAL TABLE words USING fts5 (
    scope, name, description, captions, tags, tokenize = "unicode61 remove_diacritics 2", detail = full
);
"""

_IMPORTS: Final = """
-- 0: it is being imported. Nobody sees it, and what there is of it goes when the import ends in any other way.
ALTER TABLE collection ADD COLUMN complete INTEGER NOT NULL DEFAULT 1;
"""

_UPLOADS: Final = """
CREATE INDEX node_upload ON node (sha256) WHERE source = 2 AND kind <> 3;

-- Jobs on their way to the queue.
CREATE TABLE outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, subject TEXT NOT NULL, payload BLOB NOT NULL);
"""

#: The shots of a folder and a camera by time: what bursts are found by. What is not looked into yet is in `bits`.
_INSIDES: Final = """
ALTER TABLE node ADD COLUMN taken_offset_min INTEGER;
DROP INDEX node_unhashed;
CREATE INDEX node_by_shot ON node (parent_id, camera, taken_us)
    WHERE camera IS NOT NULL AND taken_us IS NOT NULL AND kind = 4 AND source = 1 AND marks & 24 = 0;
"""


def _nothing_looked_into(connection: sqlite3.Connection) -> None:
    """Every file in place is still to be described, and hashed where it has no hash."""
    changes = Changes()
    for collection_id, base in connection.execute("SELECT id, id_base FROM collection").fetchall():
        files = "SELECT id - ? FROM node WHERE collection_id = ? AND inode IS NOT NULL"
        for family, condition in ((Family.UNDESCRIBED, ""), (Family.UNHASHED, " AND sha256 IS NULL")):
            rows = connection.execute(files + condition, (base, collection_id))
            changes.add_all(family, collection_id, BitMap(row[0] for row in rows))
    changes.write(connection)


#: Vectors of objects are kept by the objects' numbers: one that is deleted must not come back as another's.
_OBJECT_NUMBERS: Final = "INSERT OR REPLACE INTO sequence SELECT 'object id', coalesce(max(id), 0) FROM object;"

#: What detectors found, among the many that stand for whole frames.
_DETECTED: Final = "CREATE INDEX IF NOT EXISTS object_detected ON object (id) WHERE NOT whole;"


#: Grows with every change of anybody's words.
_WORDS: Final = "INSERT OR IGNORE INTO sequence VALUES ('words', 0);"

#: Files by when they are from.
_DATED: Final = """
CREATE INDEX IF NOT EXISTS node_by_taken ON node (collection_id, taken_us) WHERE taken_us IS NOT NULL AND kind <> 3;
CREATE INDEX IF NOT EXISTS node_by_modified ON node (collection_id, modified_us) WHERE taken_us IS NULL AND kind <> 3;
"""


def _search_does_not_know_the_dates(connection: sqlite3.Connection) -> None:
    """Whatever has a vector is told to search once more."""
    changes = Changes()
    for (collection_id,) in connection.execute("SELECT id FROM collection").fetchall():
        changes.add_all(Family.TO_TELL, collection_id, load(connection, Family.EMBEDDED, collection_id))
    changes.write(connection)


STEPS: Final[tuple[str | Callable[[sqlite3.Connection], None], ...]] = (
    _FIRST,
    _IMPORTS,
    _UPLOADS,
    _INSIDES,
    _nothing_looked_into,
    _OBJECT_NUMBERS,
    _DETECTED,
    _WORDS,
    _DATED,
    _search_does_not_know_the_dates,
)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the database to the newest step; each step is one transaction.

    Raises:
        RuntimeError: the database was made by a newer program.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(STEPS):
        raise RuntimeError(f"The catalogue's database is of version {version}; this program knows {len(STEPS)}.")
    for number, step in enumerate(STEPS[version:], version + 1):
        if isinstance(step, str):
            connection.executescript(f"BEGIN IMMEDIATE;\n{step}\nPRAGMA user_version = {number};\nCOMMIT;")
            continue
        connection.execute("BEGIN IMMEDIATE")
        step(connection)
        connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")

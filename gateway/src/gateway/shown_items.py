"""Items as the lists of interactive retrieval print them, from either answer of the catalogue."""

from __future__ import annotations

from itertools import repeat
from typing import NamedTuple

from media_proto import metadata_pb2 as pb


class ShownItem(NamedTuple):
    id: int  # relative to its collection
    media_id: int  # of the catalogue
    uri: bytes  # empty: it has no file
    thumbnail_uri: str  # empty: none
    source: pb.MediaSource.ValueType
    is_group: bool
    tags_json: bytes  # empty: none


def of_items(items: pb.Items) -> list[ShownItem]:
    return [
        ShownItem(one.relative_id, one.media_id, one.uri, one.thumbnail_uri, one.source, one.is_group, one.tags_json)
        for one in items.items
    ]


def of_columns(columns: pb.ItemColumns) -> list[ShownItem]:
    return list(
        map(
            ShownItem,
            columns.relative_ids,
            columns.media_ids,
            columns.uris,
            columns.thumbnail_uris,
            columns.sources,
            columns.are_groups,
            columns.tags_json or repeat(b""),
        )
    )

"""Whose addresses are signed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.dialects.exquisitor.render import Addresses
from media_proto import metadata_pb2 as pb

#: An imported collection's numbers begin here.
BASE = 100


class Signed:
    def __init__(self) -> None:
        self.asked: list[int] = []

    def of_each(self, item_ids: Sequence[int]) -> list[tuple[str, str]]:
        self.asked += item_ids
        return [(f"o{one}", f"t{one}") for one in item_ids]

    def frame(self, frame_id: int) -> str:
        return f"m{frame_id}"


def item(media_id: int, frame_id: int | None = None, **given: Any) -> pb.Item:
    return pb.Item(relative_id=(media_id if frame_id is None else frame_id) - BASE, media_id=media_id, **given)


def test_only_files_of_our_own_are_signed_and_each_item_has_its_addresses() -> None:
    ours, external = pb.MEDIA_SOURCE_UPLOAD, pb.MEDIA_SOURCE_EXTERNAL
    items = [
        item(101, source=ours),
        item(102, source=external, uri=b"a/b.jpg"),
        item(103, source=ours, is_group=True),
        item(104, source=pb.MEDIA_SOURCE_IN_PLACE),
        item(105, source=external, is_group=True),
        item(101, source=ours),
        item(104, 106, source=pb.MEDIA_SOURCE_IN_PLACE),
        item(102, 107, source=external, uri=b"a/b.jpg"),
    ]
    collection = pb.Collection(id_base=BASE, originals_url="https://x.example/o", thumbnails_url="https://x.example/t")
    signed = Signed()

    found = Addresses(signed, collection).of_each(items)

    assert signed.asked == [101, 104, 101, 104]
    assert [found[at] for at in (0, 2, 3, 5)] == [("o101", "t101"), (None, None), ("o104", "t104"), ("o101", "t101")]
    assert found[6] == ("o104", "m106")
    assert found[7] == found[1]
    assert found[1][0] == "https://x.example/o/a/b.jpg"
    assert found[4][0] is None

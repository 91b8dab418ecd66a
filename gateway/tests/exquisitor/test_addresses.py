"""Whose addresses are signed."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.dialects.exquisitor.render import Addresses
from media_proto import metadata_pb2 as pb


class Signed:
    def __init__(self) -> None:
        self.asked: list[int] = []

    def of_each(self, item_ids: Sequence[int]) -> list[tuple[str, str]]:
        self.asked += item_ids
        return [(f"o{one}", f"t{one}") for one in item_ids]


def test_only_files_of_our_own_are_signed_and_each_item_has_its_addresses() -> None:
    ours, external = pb.MEDIA_SOURCE_UPLOAD, pb.MEDIA_SOURCE_EXTERNAL
    items = [
        pb.Item(media_id=1, source=ours),
        pb.Item(media_id=2, source=external, uri=b"a/b.jpg"),
        pb.Item(media_id=3, source=ours, is_group=True),
        pb.Item(media_id=4, source=pb.MEDIA_SOURCE_IN_PLACE),
        pb.Item(media_id=5, source=external, is_group=True),
        pb.Item(media_id=1, source=ours),
    ]
    collection = pb.Collection(originals_url="https://x.example/o", thumbnails_url="https://x.example/t")
    signed = Signed()

    found = Addresses(signed, collection).of_each(items)

    assert signed.asked == [1, 4, 1]
    assert [found[at] for at in (0, 2, 3, 5)] == [("o1", "t1"), (None, None), ("o4", "t4"), ("o1", "t1")]
    assert found[1][0] == "https://x.example/o/a/b.jpg"
    assert found[4][0] is None

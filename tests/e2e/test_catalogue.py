"""What happens to the files of a review path happens in the catalogue, whatever is killed meanwhile."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from api import Api
from media import many, picture
from media_proto import metadata_pb2 as pb
from media_proto import metadata_pb2_grpc
from stack import Stack, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


class Catalogue:
    """The metadata service of a stack, on its own socket."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def _call(self, name: str, request: object) -> object:
        with grpc.insecure_channel(self._stack.facts()["sockets"]["metadata"]) as channel:
            return getattr(metadata_pb2_grpc.MetadataServiceStub(channel), name)(
                request, timeout=20, wait_for_ready=True
            )

    def slug(self, root: Path) -> str:
        answer = self._call("ListCollections", pb.ListCollectionsRequest())
        return next((c.slug for c in answer.collections if c.root_path == os.fsencode(root)), "")  # type: ignore[attr-defined]

    def listed(self, root: Path) -> dict[str, pb.Media]:
        """By path below the root; the oldest first, so that what comes meanwhile shifts no page."""
        slug, found = self.slug(root), {}
        while slug:
            page = self._call(
                "ListMedia",
                pb.ListMediaRequest(
                    collection=slug,
                    recursive=True,
                    kinds=[pb.MEDIA_KIND_IMAGE],
                    limit=1000,
                    offset=len(found),
                    ascending=True,
                ),
            )
            found |= {os.fsdecode(one.relative_path): one for one in page.media}  # type: ignore[attr-defined]
            if len(found) >= page.total or not page.media:  # type: ignore[attr-defined]
                break
        return found


@pytest.fixture
def catalogue(own_stack: Stack) -> Catalogue:
    return Catalogue(own_stack)


@pytest.fixture
def api(own_stack: Stack) -> Iterator[Api]:
    api = Api(own_stack.url)
    yield api
    api.close()


def test_a_review_path_is_a_collection_that_follows_the_disk(
    own_stack: Stack, api: Api, catalogue: Catalogue, tmp_path: Path
) -> None:
    root = tmp_path / "trip"
    (root / "day").mkdir(parents=True)
    for name in ("a.jpg", "day/b.jpg", "day/c.jpg"):
        picture(root / name)
    api.add_root(root)
    wait_until(lambda: set(catalogue.listed(root)) == {"a.jpg", "day/b.jpg", "day/c.jpg"}, 30, "all is indexed")
    before = catalogue.listed(root)
    api.act(root / "a.jpg", "trash")
    wait_until(lambda: "a.jpg" not in catalogue.listed(root), 5, "the trashed one is out")
    api.act(root / "a.jpg", "untrash")
    wait_until(lambda: "a.jpg" in catalogue.listed(root), 5, "it is back")
    assert catalogue.listed(root)["a.jpg"].uuid == before["a.jpg"].uuid
    (root / "day/b.jpg").rename(root / "moved.jpg")
    api.stream(root)
    wait_until(lambda: "moved.jpg" in catalogue.listed(root), 20, "the rename is seen")
    after = catalogue.listed(root)
    assert after["moved.jpg"].uuid == before["day/b.jpg"].uuid
    assert "day/b.jpg" not in after
    assert own_stack.stop() == 0


def test_kills_during_the_indexing_change_nothing_in_its_result(
    own_stack: Stack, api: Api, catalogue: Catalogue, tmp_path: Path
) -> None:
    root = tmp_path / "big"
    for number in range(20):
        many(root / f"{number:02}", 100)
    expected = {os.fsdecode(path.relative_to(root)) for path in root.rglob("*.jpg")}
    api.add_root(root)
    for name in ("metadata", "fs", "nats", "metadata"):
        old = own_stack.kill(name)
        own_stack.wait_restarted(name, old)
    wait_until(lambda: set(catalogue.listed(root)) == expected, 90, "every file is there")
    items = catalogue.listed(root)
    assert len({item.item_id for item in items.values()}) == len({item.uuid for item in items.values()}) == 2000
    shutil.rmtree(root / "07")
    api.stream(root)
    wait_until(lambda: len(catalogue.listed(root)) == 1900, 30, "the removed folder is out")

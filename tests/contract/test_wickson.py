"""The Wickson dialect over a review path of the running stack."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from api import Api, eventually, query
from media import picture
from stack import Stack


class Wickson:
    """Lists of one review path's collection."""

    def __init__(self, stack: Stack) -> None:
        key = (stack.state_dir / "admin.key").read_text().strip()
        self.client = httpx.Client(base_url=stack.url, headers={"X-Api-Key": key}, timeout=30, trust_env=False)
        self.slug = ""

    def list(self, **parameters: Any) -> Any:
        answer = self.client.get("/v1/media", params={"collection": self.slug, **parameters})
        assert answer.status_code == 200, answer.text
        assert int(answer.headers["x-ratelimit-remaining"]) < 10000
        return answer.json()["data"]

    def find(self, path: Path) -> bool:
        answer = self.client.get(f"/api/resolve?{query(path=path)}")
        if answer.status_code == 200:
            self.slug = answer.json()["collection"]["slug"]
        return answer.status_code == 200


@pytest.fixture
def wickson(root: Path, stack: Stack) -> Iterator[Wickson]:
    for number in range(5):
        picture(root / f"{number}.jpg")
    client = Wickson(stack)
    for number in range(5):
        eventually(lambda: client.find(root / f"{number}.jpg"), bool, 60)  # noqa: B023 - asked at once
    yield client
    client.client.close()


def test_a_review_path_is_listed_newest_first(wickson: Wickson, root: Path) -> None:
    data = wickson.list(page=1, page_size=2, media_type="image")

    assert data["pagination"] == {"page": 1, "page_size": 2, "total_items": 5, "total_pages": 3, "has_next": True}
    assert data["filters"]["applied"] == {"media_type": "image", "collection": wickson.slug}
    pages = [item for page in (1, 2, 3, 4) for item in wickson.list(page=page, page_size=2)["items"]]
    times = [item["storage"]["created_at"] for item in pages]
    assert len({item["id"] for item in pages}) == 5
    assert times == sorted(times, reverse=True)
    for item in pages:
        assert re.fullmatch(r"img_[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", item["id"])
        file = item["file_info"]
        assert file["size_bytes"] == (root / file["filename"]).stat().st_size
        assert (file["width"], file["height"]) == (64, 48)
        assert "image" in item["metadata"]["search"]["semantic_markers"]["categories"]


def test_a_trashed_item_is_out_of_the_list_and_comes_back(api: Api, wickson: Wickson, root: Path) -> None:
    before = wickson.list()["items"]

    api.act(root / "3.jpg", "trash")
    eventually(lambda: wickson.list()["pagination"]["total_items"], lambda total: total == 4)
    api.act(root / "3.jpg", "untrash")
    after = eventually(lambda: wickson.list()["items"], lambda items: len(items) == 5)

    assert [item["id"] for item in after] == [item["id"] for item in before]


def test_another_type_or_collection_has_nothing(wickson: Wickson) -> None:
    assert wickson.list(media_type="video")["items"] == []
    assert wickson.list(collection="nonsense")["pagination"]["total_pages"] == 0

"""The Exquisitor dialect, keys and ids over a review path of the running stack."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import httpx
import pytest
from api import Api, query
from media import picture
from stack import wait_until

NAMES = ("a b#.jpg", "bürst.jpg", os.fsdecode(b"odd\xff.jpg"))


class Exquisitor:
    """The page's requests about one collection, and the documented ones."""

    def __init__(self, url: str, root: Path) -> None:
        self.url = url
        self.root = root
        self.slug = ""
        self.ids: dict[str, int] = {}

    def find(self) -> bool:
        """Whether all files are in the catalogue; fills in their numbers."""
        for name in NAMES:
            answer = httpx.get(f"{self.url}/api/resolve?{query(path=self.root / name)}")
            if answer.status_code != 200:
                return False
            self.ids[name] = answer.json()["itemId"]
            self.slug = answer.json()["collection"]["slug"]
        return True

    def post(self, endpoint: str, **fields: Any) -> Any:
        session = {"session": "abc123", "collection": self.slug, "modelId": "model_1"}
        answer = httpx.post(f"{self.url}/exq/{endpoint}", json={"session_info": session, **fields})
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def exq(api: Api, root: Path, stack: Any) -> Exquisitor:
    for name in NAMES:
        picture(os.fsencode(root / name))
    client = Exquisitor(stack.url, root)
    wait_until(client.find, 60, "the files are in the catalogue")
    return client


def test_every_file_is_an_item_in_both_forms(exq: Exquisitor) -> None:
    ids = [exq.ids[name] for name in reversed(NAMES)]
    items = exq.post("item/base", media_ids=ids)["items"]

    assert [item["id"] for item in items] == ids
    assert [item["uri"] for item in items] == list(reversed(NAMES))
    for item, name in zip(items, reversed(NAMES), strict=True):
        page = exq.post("item/base", mediaId=item["id"])
        assert page["id"] == page["itemId"] == page["mediaId"] == item["id"]
        assert page["mediaType"] == 1
        original = httpx.get(item["original_url"])
        assert original.content == Path(exq.root / name).read_bytes()
        assert httpx.get(item["thumbnail_url"]).headers["content-type"].startswith("image/")


def test_the_tags_of_the_file_system_are_filters(exq: Exquisitor) -> None:
    filters = httpx.get(f"{exq.url}/exq/info/filters/abc123/{exq.slug}").json()
    by_name = {one["name"]: one for one in filters}
    tagset = by_name["Type"]
    values = httpx.get(
        f"{exq.url}/exq/info/filters/values/abc123/{exq.slug}/{tagset['tagtypeId']}/{tagset['id']}"
    ).json()
    item_id = exq.ids[NAMES[0]]
    (item,) = exq.post("item/details", media_ids=[item_id], tagset_ids=[tagset["id"]])["items"]

    assert {"Type", "Status", "Folder"} <= set(by_name)
    assert [value["value"] for value in values] == ["image"]
    assert item["tags"] == {str(tagset["id"]): ["image"]}
    assert exq.post("item/details", mediaId=item_id, filterIds=[tagset["id"]]) == {"Type": "image"}
    assert exq.slug in httpx.get(f"{exq.url}/exq/init/abc123").json()["collections"]


def test_related_and_excluded_agree_with_the_group_that_base_tells(exq: Exquisitor) -> None:
    for item_id in exq.ids.values():
        group = exq.post("item/base", mediaId=item_id)["groupId"]
        members = exq.post("item/related", mediaId=group)["related"] if group else [item_id]
        related = exq.post("item/related", media_ids=[item_id])["related"]
        assert item_id in members
        assert related == {str(item_id): [other for other in members if other != item_id]}
        excluded = exq.post("item/excluded", media_id=item_id, excluded_group_ids=[group or 0])
        assert excluded == {"excluded": group is not None}


def test_every_face_of_an_item_leads_to_the_same(exq: Exquisitor) -> None:
    name = NAMES[2]
    faces = httpx.get(f"{exq.url}/api/resolve?{query(path=exq.root / name)}").json()

    assert faces["path"] == str(exq.root / name)
    for face in (faces["itemId"], faces["mediaId"], faces["wicksonId"]):
        assert httpx.get(f"{exq.url}/api/resolve", params={"id": face}).json() == faces
    root = httpx.get(f"{exq.url}/api/resolve?{query(path=exq.root)}").json()
    assert root == {"path": str(exq.root), "collection": faces["collection"]}


def test_a_key_works_until_it_is_revoked_and_for_its_collections_only(exq: Exquisitor) -> None:
    keys = f"{exq.url}/api/keys"
    made = httpx.post(keys, json={"name": "page", "scopes": ["read"], "collections": [exq.slug]}).json()
    sent = {"X-Api-Key": made["key"]}

    assert httpx.get(f"{exq.url}/exq/init/s", headers=sent).json()["collections"] == [exq.slug]
    assert httpx.post(keys, json={"name": "x", "scopes": ["read"]}, headers=sent).status_code == 403
    listed = httpx.get(keys).json()["keys"]
    assert [one for one in listed if one["id"] == made["id"]] == [{k: v for k, v in made.items() if k != "key"}]
    assert httpx.delete(f"{keys}/{made['id']}").status_code == 204
    assert httpx.get(f"{exq.url}/exq/init/s", headers=sent).status_code == 401


def test_errors_are_of_the_dialect(exq: Exquisitor) -> None:
    session = {"session": "s", "collection": exq.slug, "modelId": 1}
    cases: tuple[tuple[str, dict[str, Any], int], ...] = (
        ("item/base", {}, 422),
        ("item/base", {"mediaId": 2**63, **session}, 400),
        ("item/base", {"media_ids": [1] * 1001, **session}, 400),
        ("item/base", {"mediaId": 2**62, **session}, 404),
        ("item/related", {"mediaId": -1, **session}, 404),
        ("item/excluded", {"itemId": 2**63 - 1, "excluded_ids": [-(2**63)], **session}, 404),
        ("item/base", {"media_ids": [1], **session, "collection": "nobody"}, 404),
        ("search/clip", {"text": "cat", "n": 10, **session}, 503),
    )
    for endpoint, fields, status in cases:
        answer = httpx.post(
            f"{exq.url}/exq/{endpoint}", content=json.dumps(fields), headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == status, (endpoint, fields, answer.text)
        assert list(answer.json()) == ["error", "message", "detail"]
    hostile = [-(2**63), 2**63 - 1, 0]
    assert exq.post("item/base", media_ids=hostile) == {"items": []}
    assert exq.post("item/details", media_ids=[exq.ids[NAMES[0]]], tagset_ids=hostile)["items"][0]["tags"] == {}
    assert exq.post("item/related", media_ids=hostile) == {"related": {str(one): [] for one in hostile}}

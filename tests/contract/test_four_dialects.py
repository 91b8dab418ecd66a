"""One library through four dialects: after any state actions and renames all of them show the same."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from api import Api, eventually, query
from media import picture
from stack import Stack

STEPS = 12
SETTLED_S = 60.0
FOLDERS = ("", "day1", "day1/deep", "day2")
NAMES = tuple(f"{name}.jpg" for name in ("a", "b b", "ç", "d%20", "e", "f"))
ACTIONS = ("lock", "unlock", "trash", "untrash", "seen", "unseen")


@dataclass(frozen=True)
class Seen:
    """What a dialect tells of one file, as far as it tells it; times and ids in one form."""

    size: int | None = None
    media_id: str | None = None
    created_ms: str | None = None
    modified: str | None = None
    tags: tuple[tuple[str, tuple[str, ...]], ...] | None = None
    words: frozenset[str] | None = None


class Library:
    """A review path and what each dialect says of it, by path below the root."""

    def __init__(self, api: Api, stack: Stack, root: Path, chance: random.Random) -> None:
        self.api = api
        self.root = root
        self.chance = chance
        key = (stack.state_dir / "admin.key").read_text().strip()
        self.client = httpx.Client(base_url=stack.url, headers={"X-Api-Key": key}, timeout=60, trust_env=False)

    def get(self, address: str) -> Any:
        answer = self.client.get(address)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, address: str, body: Any) -> Any:
        answer = self.client.post(address, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def collection(self) -> dict[str, str]:
        """Empty until the catalogue has it."""
        answer = self.client.get(f"/api/resolve?{query(path=self.root)}")
        return answer.json()["collection"] if answer.status_code == 200 else {"id": "", "slug": ""}

    def relative(self, path: str) -> str:
        return os.path.relpath(path, self.root)

    # --- the four ---
    def reviewed(self) -> dict[str, dict[str, Any]]:
        """Every item of the stream, in pages by the cursor or by the offset, whichever comes."""
        items: list[dict[str, Any]] = []
        by_cursor = self.chance.random() < 0.5
        while True:
            limit = self.chance.randint(1, 9)
            where = {"after": items[-1]["path"]} if by_cursor and items else {"offset": 0 if by_cursor else len(items)}
            page = self.api.stream(self.root, limit=limit, **where)
            items += page.items
            if len(page.items) < limit:
                break
        assert len({item["path"] for item in items}) == len(items)
        return {self.relative(item["path"]): item for item in items}

    def browsed(self) -> dict[str, Seen]:
        """CoreViz: all files of the collection, in some order, in pages of some size."""
        collection = self.collection()["id"]
        order = (
            f"sortBy={self.chance.choice(['name', 'createdAt'])}&sortDirection={self.chance.choice(['asc', 'desc'])}"
        )
        found: list[dict[str, Any]] = []
        while collection:
            limit = self.chance.randint(1, 9)
            address = f"/api/dataset/{collection}/media?recursive=true&{order}&limit={limit}&offset={len(found)}"
            page = self.get(address)
            assert page["pagination"]["hasMore"] == (len(found) + len(page["media"]) < page["pagination"]["total"])
            found += page["media"]
            if not page["pagination"]["hasMore"]:
                break
        folders = {one["id"]: one["name"] for one in found if one["type"] == "folder"}
        files = [one for one in found if one["type"] != "folder"]
        assert len({one["id"] for one in found}) == len(found)
        return {
            "/".join([*(folders.get(label, "?") for label in one["path"].split(".")[1:-1]), one["name"]]): Seen(
                size=one["sizeBytes"],
                media_id=one["id"],
                created_ms=one["createdAt"].rstrip("Z"),
                tags=sorted_tags(one["metadata"]["tags"]),
            )
            for one in files
        }

    def listed(self) -> dict[str, Seen]:
        """Wickson: by media id, because it knows no folders."""
        found: list[dict[str, Any]] = []
        size = self.chance.randint(1, 9)
        slug = self.collection()["slug"]
        page = 1
        while slug:
            data = self.get(f"/v1/media?collection={slug}&page={page}&page_size={size}")["data"]
            found += data["items"]
            page += 1
            if not data["pagination"]["has_next"]:
                break
        assert len({one["id"] for one in found}) == len(found)
        return {
            one["id"].partition("_")[2].replace("-", ""): Seen(
                size=one["file_info"]["size_bytes"],
                created_ms=one["storage"]["created_at"][:-3],
                words=frozenset(one["metadata"]["search"]["semantic_markers"]["categories"]),
            )
            for one in found
        }

    def retrieved(self, item_ids: dict[int, str]) -> dict[str, Seen]:
        """Exquisitor: the items with these numbers, some at a time, with all their tags."""
        slug = self.collection()["slug"]
        tagsets = {str(one["id"]): one["name"] for one in self.get(f"/exq/info/filters/s/{slug}")}
        session = {"session": "s", "collection": slug, "modelId": 1}
        numbers, found = list(item_ids), []
        self.chance.shuffle(numbers)
        while numbers:
            size = self.chance.randint(1, 9)
            body = {"media_ids": numbers[:size], "tagset_ids": [int(one) for one in tagsets], "session_info": session}
            found += self.post("/exq/item/details", body)["items"]
            numbers = numbers[size:]
        return {
            one["uri"]: Seen(
                media_id=item_ids[one["id"]],
                tags=sorted_tags({tagsets[number]: values for number, values in one["tags"].items()}),
            )
            for one in found
        }

    # --- together ---
    def difference(self) -> str:
        """What two dialects do not agree about; empty when all do."""
        reviewed = self.reviewed()
        files = {path: item for path, item in reviewed.items() if not item["status"]["trashed"]}
        browsed, listed = self.browsed(), self.listed()
        if set(files) != set(browsed):
            return f"review and browse: {sorted(set(files) ^ set(browsed))}"
        if {one.media_id for one in browsed.values()} != set(listed):
            return "browse and list have other items"
        faces = {path: self.client.get(f"/api/resolve?{query(path=self.root / path)}") for path in reviewed}
        if any(face.status_code != 200 for face in faces.values()):
            return "not all paths resolve"
        retrieved = self.retrieved({face.json()["itemId"]: face.json()["mediaId"] for face in faces.values()})
        if set(reviewed) != set(retrieved):
            return f"review and retrieval: {sorted(set(reviewed) ^ set(retrieved))}"
        for path, item in reviewed.items():
            tags = dict(retrieved[path].tags or ())
            if tags.get("Status") != (status_of(item["status"]),):
                return f"{path} is {item['status']} and {tags.get('Status')}"
        for path, item in files.items():
            one = browsed[path]
            other = listed[one.media_id or ""]
            if not item["sizeBytes"] == one.size == other.size == (self.root / path).stat().st_size:
                return f"{path}: {item['sizeBytes']}, {one.size}, {other.size} bytes"
            if (one.media_id, one.tags) != (retrieved[path].media_id, retrieved[path].tags):
                return f"{path}: {one} and {retrieved[path]}"
            if one.created_ms != other.created_ms:
                return f"{path}: made {one.created_ms} and {other.created_ms}"
            if frozenset(value for _, values in one.tags or () for value in values) != other.words:
                return f"{path}: {one.tags} and {other.words}"
        return ""

    def settled(self) -> dict[str, Seen]:
        """What all agree about, as soon as they do."""
        eventually(self.difference, lambda difference: not difference, SETTLED_S)
        return self.browsed()


def sorted_tags(tags: dict[str, list[Any]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple(sorted((name, tuple(sorted(str(value) for value in values))) for name, values in tags.items()))


def status_of(status: dict[str, bool]) -> str:
    return next((word for word in ("trashed", "locked", "seen") if status[word]), "unseen")


@pytest.fixture
def make(api: Api, stack: Stack, root: Path) -> Iterator[Callable[[int], Library]]:
    made: list[Library] = []

    def library(seed: int) -> Library:
        chance = random.Random(seed)
        for number, folder in enumerate(FOLDERS):
            (root / folder).mkdir(exist_ok=True)
            for name in NAMES[: 2 + number]:
                picture(root / folder / name, (16 + chance.randint(0, 40), 12))
        made.append(Library(api, stack, root, chance))
        return made[0]

    yield library
    for one in made:
        one.client.close()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [1, 2])
def test_all_dialects_agree_after_any_actions_and_renames(make: Callable[[int], Library], seed: int) -> None:
    library = make(seed)
    before = library.settled()
    for _ in range(STEPS):
        moved = change(library)
        after = library.settled()
        for old, new in moved.items():
            if old in before and new in after:
                assert after[new].media_id == before[old].media_id, f"{old} became another item as {new}"
                assert after[new].created_ms == before[old].created_ms
        before = after


def change(library: Library) -> dict[str, str]:
    """One change of some kind; the new path of each file that was moved."""
    chance, root = library.chance, library.root
    paths = sorted(library.reviewed())
    path = chance.choice(paths)
    kind = chance.choice(("act", "act", "batch", "delete", "tag", "rename", "rename", "rename folder", "new", "unlink"))
    match kind:
        case "act":
            assert library.api.action(root / path, chance.choice(ACTIONS)).status_code in (200, 409)
        case "batch":
            some = [str(root / one) for one in chance.sample(paths, min(5, len(paths)))]
            assert library.api.batch(some, chance.choice(ACTIONS)).status_code == 207
        case "delete":
            media = library.get(f"/api/resolve?{query(path=root / path)}")["mediaId"]
            assert library.client.delete(f"/api/media/{media}").status_code in (200, 409)
        case "tag":
            media = library.get(f"/api/resolve?{query(path=root / path)}")["mediaId"]
            tag = {"label": "color", "value": chance.choice(["red", "blue"])}
            assert library.client.post(f"/api/media/{media}/tags", json=tag).status_code in (200, 409)
        case "rename":
            new = os.path.join(chance.choice(FOLDERS), f"{chance.randint(0, 10**9)}.jpg")
            (root / new).parent.mkdir(parents=True, exist_ok=True)
            (root / path).rename(root / new)
            return {path: new}
        case "rename folder" if os.path.dirname(path):
            folder, new = os.path.dirname(path), f"moved {chance.randint(0, 10**9)}"
            (root / folder).rename(root / new)
            return {one: new + one[len(folder) :] for one in paths if one.startswith(f"{folder}/")}
        case "new":
            picture(root / f"new {chance.randint(0, 10**9)}.jpg")
        case "unlink" if len(paths) > 5:
            (root / path).unlink()
    return {}

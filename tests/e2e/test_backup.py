"""Backup, wipe, restore: every dialect answers as before, and what the disk became meanwhile is found."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from api import Api, query
from media import many, noise, picture, video
from media_proto import metadata_pb2 as pb
from media_proto import metadata_pb2_grpc
from servers import Address
from stack import Stack, running_stack, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

Recorded = dict[str, bytes]

#: What an answer says of itself: until when an address is good, and when it was given.
_OF_THE_ANSWER = (
    (re.compile(rb"(/blob/[a-z]\.[0-9]+)\.[0-9]+~[A-Za-z0-9_-]+"), rb"\1"),
    (re.compile(rb'("timestamp":)"20[0-9T:.-]+"'), rb"\1"),
)


def command(stack: Stack, *arguments: str | Path, status: int = 0) -> Any:
    line = [sys.executable, "-m", "gateway.command", *map(str, arguments), "--json"]
    done = subprocess.run(line, env=stack.environment, capture_output=True, timeout=120, check=False)
    assert done.returncode == status, done.stderr.decode()
    return json.loads(done.stdout) if status == 0 else done.stderr.decode()


class Caller:
    """All dialects, with one key."""

    def __init__(self, url: str, key: str) -> None:
        self.client = httpx.Client(base_url=url, headers={"X-Api-Key": key}, timeout=60, trust_env=False)

    def sent(self, method: str, address: str, body: Any = None) -> httpx.Response:
        answer = self.client.request(method, address, json=body)
        assert answer.is_success, f"{method} {address}: {answer.status_code} {answer.text[:300]}"
        return answer

    def ok(self, method: str, address: str, body: Any = None) -> Any:
        answer = self.sent(method, address, body)
        return answer.json() if answer.content else None


class World:
    """A library with everything in it that somebody may have made."""

    def __init__(self, stack: Stack, root: Path) -> None:
        self.stack = stack
        self.root = root
        self.admin = (stack.state_dir / "admin.key").read_text().strip()
        self.caller = Caller(stack.url, self.admin)
        self.api = Api(stack.url)
        self.ids: dict[str, dict[str, Any]] = {}
        self.keys: dict[str, Any] = {}
        self.collections: list[str] = []
        self.uploads: list[str] = []

    def close(self) -> None:
        self.caller.client.close()
        self.api.close()

    def fill(self) -> None:
        for number in range(6):
            noise(self.root / "day1" / f"n{number}.png", (80 + number, 60), number)
        many(self.root / "day2/burst", 5)
        picture(self.root / os.fsdecode(b"odd\xff.jpg"))
        video(self.root / "day2/walk.mp4", seconds=1.0)
        self.api.add_root(self.root)
        wait_until(self.is_found, 90, "every file is in the catalogue")

    def is_found(self) -> bool:
        for path in self.root.rglob("*.*"):
            if path.suffix in (".jpg", ".png", ".mp4") and ".thumbnails" not in path.parts:
                answer = self.caller.client.get(f"/api/resolve?{query(path=path)}")
                if answer.status_code != 200:
                    return False
                self.ids[str(path.relative_to(self.root))] = answer.json()
        return True

    def use(self) -> None:
        """Marks, tags, names, a collection with folders, keys."""
        day1, burst = self.root / "day1", self.root / "day2/burst"
        self.api.act(day1 / "n0.png", "lock")
        self.api.act(day1 / "n1.png", "seen")
        self.api.act(burst / "frame0000.jpg", "trash")
        self.api.act(burst / "frame0001.jpg", "trash", "untrash")
        ok, media = self.caller.ok, {name: one["mediaId"] for name, one in self.ids.items()}
        for label, value in (("Place", "Süd"), ("Place", "Nord"), ("Person", "A")):
            ok("POST", f"/api/media/{media['day1/n2.png']}/tags", {"label": label, "value": value})
        ok("PATCH", f"/api/media/{media['day1/n3.png']}", {"metadata": {"caption": "two herons", "n": [1, 2.5]}})
        organization = ok("GET", "/api/me")["organizationId"]
        made = ok("POST", f"/api/organization/{organization}/datasets", {"name": "Prints", "icon": "image"})
        self.collections.append(made["id"])
        folder = ok("POST", "/api/folder", {"datasetId": made["id"], "name": "To do"})["folder"]
        ok("POST", "/api/folder", {"datasetId": made["id"], "name": "A/B", "path": folder["path"]})
        picture(self.root.parent / "print.jpg", size=(90, 70))
        for place in (made["id"], folder["path"]):  # the same bytes twice: one blob
            fields = {"datasetId": made["id"], "path": place, "name": "print.jpg"}
            with (self.root.parent / "print.jpg").open("rb") as file:
                answer = self.caller.client.post("/api/upload/multipart", data=fields, files={"file": file})
            assert answer.is_success, answer.text
            self.uploads.append(answer.json()["mediaId"])
        slug = self.slug
        for name, fields in {
            "reader": {"scopes": ["read"]},
            "limited": {"scopes": ["read", "write"], "collections": [slug], "expiresInDays": 3},
            "gone": {"scopes": ["admin"]},
        }.items():
            self.keys[name] = ok("POST", "/api/keys", {"name": name, **fields})
        ok("DELETE", f"/api/keys/{self.keys['gone']['id']}")

    @property
    def slug(self) -> str:
        slug: str = self.ids["day1/n0.png"]["collection"]["slug"]
        return slug

    def recorded(self) -> Recorded:
        """Answers of every dialect, without what an answer says of itself."""
        root, cid = query(path=self.root), self.ids["day1/n0.png"]["collection"]["id"]
        numbers = sorted(one["itemId"] for one in self.ids.values())
        looks = [
            "/api/review-paths", "/api/keys", "/api/me", "/api/auth/organization/list",
            f"/api/folders?{root}", f"/api/folders/files?{query(path=self.root / 'day2/burst')}",
            f"/api/media-items/summary?{root}", f"/api/trash/plan?{root}",
            *(f"/api/media-items/stream?{root}&statusFilter={one}" for one in ("all", "unseen", "locked", "trashed")),
            *(f"/api/resolve?{query(path=self.root / name)}" for name in self.ids),
            "/exq/init/s", f"/exq/info/filters/s/{self.slug}",
        ]  # fmt: skip
        for collection in (cid, *self.collections):
            listed = f"/api/dataset/{collection}/media?recursive=true&type=all&limit=1000"
            looks += [f"/api/dataset/{collection}", f"/api/dataset/{collection}/tags"]
            looks += [f"{listed}&sortBy={by}&sortDirection=asc" for by in ("name", "createdAt", "type")]
        for one in [*(one["mediaId"] for one in self.ids.values()), *self.uploads]:
            looks += [f"/api/media/{one}", f"/api/media/{one}/versions"]
        looks += ["/v1/media?page_size=100", f"/v1/media?collection={self.slug}&media_type=image&page_size=2&page=2"]
        found = {look: self.caller.sent("GET", look).content for look in looks}
        session = {"session": "s", "collection": self.slug, "modelId": 1}
        tagsets = [one["id"] for one in json.loads(found[f"/exq/info/filters/s/{self.slug}"])]
        for tagset in json.loads(found[f"/exq/info/filters/s/{self.slug}"]):
            look = f"/exq/info/filters/values/s/{self.slug}/{tagset['tagtypeId']}/{tagset['id']}"
            found[look] = self.caller.sent("GET", look).content
        for name, fields in (
            ("base", {"media_ids": numbers}),
            ("details", {"media_ids": numbers, "tagset_ids": tagsets}),
            ("related", {"media_ids": numbers}),
            ("excluded", {"media_id": numbers[0], "excluded_group_ids": numbers}),
        ):
            body = {"session_info": session, **fields}
            found[name] = self.caller.sent("POST", f"/exq/item/{name}", body).content
        for pattern, kept in _OF_THE_ANSWER:
            found = {look: pattern.sub(kept, content) for look, content in found.items()}
        return found

    def settled(self) -> Recorded:
        """What is recorded when nothing is under way any more, the review path gone through once more as a whole."""
        wait_until(self._is_quiet, 90, "all is indexed")
        self.caller.ok("POST", "/api/reindex", {})
        wait_until(self._is_quiet, 90, "the review path is gone through")
        return self.recorded()

    def _is_quiet(self) -> bool:
        """Nothing waits anywhere, and no review path is due."""
        with grpc.insecure_channel(self.stack.facts()["sockets"]["metadata"]) as channel:
            stub = metadata_pb2_grpc.MetadataServiceStub(channel)
            indexing = stub.GetIndexing(pb.GetIndexingRequest(), timeout=20)
        with closing(sqlite3.connect(self.stack.state_dir / "catalogue.db")) as catalogue:
            due = catalogue.execute("SELECT 1 FROM collection WHERE root_path IS NOT NULL AND reconciled_us = 0")
            is_due = due.fetchone() is not None
        return bool(self.api.jobs()["idle"]) and not indexing.running and not is_due


@pytest.fixture
def world(own_stack: Stack, tmp_path: Path) -> Iterator[World]:
    with made(own_stack, tmp_path / "photos") as world:
        yield world


@pytest.fixture
def world_in_s3(s3_address: Address, tmp_path: Path) -> Iterator[World]:
    """Its uploads are in a bucket."""
    keys = {"S3_ACCESS_KEY": s3_address.user, "S3_SECRET_KEY": s3_address.secret}
    settings = {"S3_ENDPOINT": s3_address.url, "S3_BUCKET": f"world-{secrets.token_hex(6)}", **keys}
    with (
        running_stack(tmp_path / "state", environment=settings) as stack,
        made(stack, tmp_path / "photos") as world,
    ):
        yield world


@contextmanager
def made(stack: Stack, root: Path) -> Iterator[World]:
    for folder in ("day1", "day2/burst"):
        (root / folder).mkdir(parents=True)
    world = World(stack, root)
    try:
        world.fill()
        yield world
    finally:
        world.close()


def different(before: Recorded, after: Recorded) -> list[tuple[str, bytes, bytes]]:
    return [(look, before[look], after[look]) for look in before if before[look] != after[look]]


@pytest.mark.parametrize("running", [True, False], ids=["of a running stack", "of a stopped stack"])
def test_after_backup_wipe_and_restore_every_dialect_answers_as_before(
    world: World, tmp_path: Path, running: bool
) -> None:
    all_comes_back(world, tmp_path, running)


@pytest.mark.parametrize("running", [True, False], ids=["of a running stack", "of a stopped stack"])
def test_after_the_bucket_is_lost_too_every_dialect_answers_as_before(
    world_in_s3: World, tmp_path: Path, running: bool
) -> None:
    all_comes_back(world_in_s3, tmp_path, running)
    assert not (world_in_s3.stack.state_dir / "blobs").exists()


def all_comes_back(world: World, tmp_path: Path, running: bool) -> None:
    stack, archive = world.stack, tmp_path / "all.tar.gz"
    world.use()
    before = world.settled()
    signed, uploaded = (
        world.caller.ok("GET", f"/api/media/{media}")["media"]["blob"]
        for media in (world.ids["day1/n2.png"]["mediaId"], world.uploads[0])
    )
    if running:
        told = command(stack, "backup", archive)
    assert stack.stop() == 0
    if not running:
        told = command(stack, "backup", archive)
    assert command(stack, "restore", archive, "--verify")["members"].keys() == told["members"].keys()
    shutil.rmtree(stack.state_dir)
    if "S3_BUCKET" in stack.environment:
        stack.environment["S3_BUCKET"] += "-2"  # where nothing is

    back = command(stack, "restore", archive)
    assert (back["previous"], back["uploadsWritten"], back["uploadsMissing"]) == (None, 1, 0)
    stack.start()

    after = world.settled()
    assert different(before, after) == []
    # Keys: the admin's, one that was made, one that is limited, one that was revoked.
    assert (stack.state_dir / "admin.key").read_text().strip() == world.admin
    statuses = {name: httpx.get(f"{stack.url}/v1/media", headers={"X-Api-Key": key["key"]}).status_code
                for name, key in world.keys.items()}  # fmt: skip
    assert statuses == {"reader": 200, "limited": 200, "gone": 401}
    # Addresses that were given before are still good.
    for address, file in ((signed, world.root / "day1/n2.png"), (uploaded, tmp_path / "print.jpg")):
        assert httpx.get(address).content == file.read_bytes()
    # The journal goes on: the latest step can be taken back.
    undone = world.api.ok(world.api.send("POST", "/api/undo", {"steps": 1}))["results"]
    assert [one["path"] for one in undone] == [str(world.root / "day2/burst/frame0001.jpg")]


def test_what_the_disk_became_since_the_backup_is_found_and_the_rest_keeps_its_ids(
    world: World, tmp_path: Path
) -> None:
    stack, archive = world.stack, tmp_path / "all.tar"
    world.use()
    told = command(stack, "backup", archive)
    assert told["blobs"]["count"] == 1
    assert told["blobs"]["bytes"] == (tmp_path / "print.jpg").stat().st_size
    assert stack.stop() == 0
    (world.root / "day1/n4.png").unlink()
    (world.root / "day1/n5.png").rename(world.root / "n5 moved.png")
    (world.root / "day1/n0.png.lock").unlink()
    picture(world.root / "new.jpg", colour="blue")
    assert "not empty" in command(stack, "restore", archive, status=1)
    previous = Path(command(stack, "restore", archive, "--replace")["previous"])
    assert (previous / "catalogue.db").exists()
    stack.start()

    def names() -> dict[str, tuple[str, str]]:
        cid = world.ids["day1/n0.png"]["collection"]["id"]
        listed = world.caller.ok("GET", f"/api/dataset/{cid}/media?recursive=true&type=image&limit=100")["media"]
        return {one["name"]: (one["id"], one["metadata"]["tags"]["Status"][0]) for one in listed}

    was = {name: one["mediaId"] for name, one in world.ids.items()}
    wait_until(lambda: "new.jpg" in names() and "n4.png" not in names(), 60, "the catalogue follows the disk")
    found = names()
    assert found["n5 moved.png"][0] == was["day1/n5.png"]
    assert found["n0.png"] == (was["day1/n0.png"], "seen")
    assert found["n2.png"][0] == was["day1/n2.png"]
    assert "frame0000.jpg" not in found


def test_a_backup_taken_in_the_middle_of_work_is_whole(world: World, tmp_path: Path) -> None:
    stack, stop, done = world.stack, threading.Event(), 0

    def work() -> None:
        nonlocal done
        with httpx.Client(base_url=stack.url, timeout=60, trust_env=False) as client:
            while not stop.is_set():
                for action in ("lock", "unlock", "trash", "untrash"):
                    body = {"path": str(world.root / "day1/n1.png"), "action": action}
                    assert client.post("/api/media-actions", json=body).status_code == 200
                    done += 1

    many(world.root / "more", 1500)
    world.api.stream(world.root, limit=1)
    worker = threading.Thread(target=work)
    worker.start()
    try:
        wait_until(lambda: done > 10, 30, "actions are under way")
        for number in range(3):
            command(stack, "backup", tmp_path / f"{number}.tar")
    finally:
        stop.set()
        worker.join()
    for number in range(3):
        command(stack, "restore", tmp_path / f"{number}.tar", "--verify")
    assert not [name for name in os.listdir(stack.state_dir) if ".copy" in name]
    assert "is running" in command(stack, "restore", tmp_path / "2.tar", "--replace", status=1)

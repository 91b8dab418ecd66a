"""kill -9 of every process in turn while a review is going on. CHAOS_ROUNDS says how often (12; `make chaos`: 50)."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from api import Api
from chaos import Actor, Camera, Emptier, Looker, Reviewer, Viewer, on_disk, state_of
from media import many, noise
from media_common import thumbnail_file
from PIL import Image
from stack import Stack, running_stack, wait_until

ROUNDS = int(os.environ.get("CHAOS_ROUNDS", "12"))
VICTIMS = ("gateway", "fs", "nats", "thumb-1", "metadata", "search")

pytestmark = [pytest.mark.e2e, pytest.mark.chaos, pytest.mark.timeout(300 + 20 * ROUNDS)]


@pytest.fixture
def chaotic(tmp_path: Path) -> Iterator[Stack]:
    with running_stack(tmp_path / "state", workers=2) as stack:
        yield stack


def test_no_killed_process_loses_an_action_a_file_or_a_thumbnail(chaotic: Stack, tmp_path: Path) -> None:
    root = tmp_path / "library"
    shares = [many(root / f"reviewer{number}", 150) for number in range(3)]
    for number in range(40):
        noise(root / f"big{number:02}.jpg", (2000, 1500), number)
    api = Api(chaotic.url)
    api.add_root(root)
    reviewers = [Reviewer(chaotic.url, number, share) for number, share in enumerate(shares)]
    emptier = Emptier(chaotic.url, 10, root)
    viewers = [Viewer(chaotic.url, 20 + number, root) for number in range(2)]
    others: list[Actor] = [emptier, *viewers, Looker(chaotic.url, 30, root), Camera(chaotic.url, 40, root)]
    actors: list[Actor] = [*reviewers, *others]
    for actor in actors:
        actor.start()
    chooser = random.Random(ROUNDS)

    for number in range(ROUNDS):
        name = VICTIMS[number % len(VICTIMS)]
        time.sleep(chooser.uniform(0.2, 1.2))
        old = chaotic.kill(name)
        chaotic.wait_restarted(name, old, 30.0)
        wait_until(api.is_ready, 30.0, f"ready again after round {number}, {name}")
        for actor in actors:
            assert actor.failure is None, f"round {number}, {name}: {actor.failure!r}"

    for actor in actors:
        actor.stop()
        print(f"{type(actor).__name__}: {actor.answered} answered, {actor.cut_off} cut off")
    for reviewer in reviewers:
        print(f"{len(reviewer.gone)} of {len(reviewer.may_be)} files deleted")
        reviewer.settle()
    assert all(reviewer.answered > 20 * ROUNDS for reviewer in reviewers), "hardly anything got through"
    assert emptier.deleted > 0
    listed_as_on_disk(api, root)
    every_thumbnail_is_made(api, root)
    api.close()
    assert chaotic.stop() == 0
    assert chaotic.left_running() == []


def listed_as_on_disk(api: Api, root: Path) -> None:
    """The index tells of every file what its companions say, and of no other file."""
    items = api.stream(root, limit=10_000).items
    on_the_disk = sorted(str(path) for path in root.rglob("*.jpg") if ".thumbnails" not in path.parts)
    assert sorted(item["path"] for item in items) == [
        path for path in on_the_disk if "/." not in path[len(str(root)) :]
    ]
    for item in items:
        assert state_of(item["status"]) == on_disk(Path(item["path"])), item
    for companion in root.rglob("*.jpg.*"):
        assert companion.with_suffix("").exists(), f"{companion.name} was left behind"


def every_thumbnail_is_made(api: Api, root: Path) -> None:
    api.wait_idle(150.0)
    for item in api.stream(root, limit=10_000).items:
        source = os.fsencode(item["path"])
        stored = root / ".thumbnails" / "large" / os.fsdecode(thumbnail_file.name_of(source))
        assert stored.stat().st_mtime_ns == os.stat(source).st_mtime_ns
    for path in (root / ".thumbnails").rglob("[!.]*.png"):
        with Image.open(path) as image:
            image.load()
            assert image.width == image.height
    assert api.jobs()["queues"]["thumbnail"]["dead"] == 0

"""The encoder is gone or off for a while: search says why, everything else works, and afterwards nothing is missing."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import httpx
import pytest
from api import Api, query
from media_proto import metadata_pb2, metadata_pb2_grpc
from stack import REPOSITORY, Stack, running_stack, wait_until

pytest.importorskip("torch", reason="the models are not installed")

from search_service.shapes import drawn  # only where the models are

TINY = REPOSITORY / "search-service" / "tests" / "tiny"
COLOURS = ("red", "blue", "green", "yellow")

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


@contextmanager
def people(stack: Stack) -> Iterator[tuple[Api, httpx.Client]]:
    """A review page, and a client of the search with its key."""
    key = {"X-Api-Key": (stack.state_dir / "admin.key").read_text().strip()}
    with httpx.Client(base_url=stack.url, headers=key, timeout=60, trust_env=False) as client:
        api = Api(stack.url)
        try:
            yield api, client
        finally:
            api.close()


def asked(client: httpx.Client, words: str) -> httpx.Response:
    return client.get(f"/api/search?{query(q=words, limit=1)}")


def best(client: httpx.Client, words: str) -> str:
    """The name of what is found first; empty while nothing is, or the model is not there yet."""
    answer = asked(client, words)
    if answer.status_code == 503:
        return ""
    assert answer.status_code == 200, answer.text
    return next((one["media"]["name"] for one in answer.json()["results"]), "")


def sizes_of(stack: Stack) -> list[int]:
    """Of the library's pictures, as the catalogue has them."""
    with grpc.insecure_channel(stack.facts()["sockets"]["metadata"]) as channel:
        images = metadata_pb2.ListMediaRequest(
            collection="library", recursive=True, kinds=[metadata_pb2.MEDIA_KIND_IMAGE], limit=100
        )
        told = metadata_pb2_grpc.MetadataServiceStub(channel).ListMedia(images, timeout=10)
    return [one.facts.size_bytes for one in told.media]


def shapes(root: Path) -> None:
    chance = random.Random(5)
    root.mkdir()
    for number, colour in enumerate(COLOURS):
        drawn(colour, "star", chance).save(root / f"{number}.png")


def test_with_a_damaged_model_search_says_why_and_all_else_works_until_it_is_mended(tmp_path: Path) -> None:
    root, weights = tmp_path / "library", tmp_path / "tiny-shapes.pt"
    shapes(root)
    shutil.copy(TINY / "tiny-shapes.json", tmp_path)
    weights.write_bytes(b"no weights at all")
    setting = f"open_clip:tiny-shapes/{weights}"
    with (
        running_stack(tmp_path / "state", environment={"FRAMEWELL_ENCODER": setting}) as stack,
        people(stack) as (api, client),
    ):
        began = stack.pids()
        api.add_root(root)

        def refused() -> bool:
            answer = asked(client, "a red star")
            assert answer.status_code == 503, answer.text
            return "cannot be loaded" in answer.text

        wait_until(refused, 60, "search says why")
        encoder = api.jobs()["encoder"]
        assert encoder["state"] == "unavailable"
        assert "cannot be loaded" in encoder["reason"]
        assert api.is_ready()
        assert [item["name"] for item in api.stream(root).items] == [f"{number}.png" for number in range(len(COLOURS))]
        assert api.thumbnail(root / "0.png").status_code == 200
        assert api.act(root / "1.png", "trash")["trashed"]
        assert not api.act(root / "1.png", "untrash", "lock")["trashed"]
        refused()

        shutil.copy(TINY / "tiny-shapes.pt", weights)
        wait_until(lambda: asked(client, "a red star").status_code == 200, 60, "search is back")
        wait_until(lambda: api.jobs()["idle"], 60, "all is embedded")
        for number, colour in enumerate(COLOURS):
            wait_until(lambda: best(client, f"a {colour} star") == f"{number}.png", 20, f"{colour} is found")  # noqa: B023
        assert api.jobs()["encoder"]["state"] == "ready"
        assert stack.pids() == began


def test_what_changed_while_search_was_off_is_found_for_what_it_is_now(tmp_path: Path) -> None:
    root = tmp_path / "library"
    shapes(root)
    tiny = f"open_clip:tiny-shapes/{TINY}/tiny-shapes.pt"
    with running_stack(tmp_path / "state", environment={"FRAMEWELL_ENCODER": tiny}) as stack:
        with people(stack) as (api, client):
            api.add_root(root)
            wait_until(lambda: best(client, "a red star") == "0.png", 120, "it is found for what it is")
            wait_until(lambda: api.jobs()["idle"], 60, "all is embedded")
        stack.stop()
        stack.environment["FRAMEWELL_ENCODER"] = "off"
        stack.start()
        with people(stack) as (api, client):
            drawn("purple", "circle", random.Random(1), 96).save(root / "0.png")
            size = (root / "0.png").stat().st_size
            wait_until(lambda: api.item(root, root / "0.png")["sizeBytes"] == size, 30, "the change is noticed")
            wait_until(lambda: size in sizes_of(stack), 30, "the catalogue has it")
            assert api.jobs()["encoder"]["state"] == "off"
        stack.stop()
        stack.environment["FRAMEWELL_ENCODER"] = tiny
        stack.start()
        with people(stack) as (_, client):
            wait_until(lambda: best(client, "a purple circle") == "0.png", 120, "it is found for what it is now")
            assert asked(client, "a red star").json()["results"] == []  # nothing else is like it

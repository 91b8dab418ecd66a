"""A model is switched while people search: every query is answered, by one model, and the old vectors go."""

from __future__ import annotations

import random
import shutil
import threading
import time
from contextlib import closing
from pathlib import Path

import grpc
import httpx
import pytest
from api import Api, query
from media_proto import metadata_pb2, metadata_pb2_grpc, search_pb2, search_pb2_grpc
from stack import REPOSITORY, Stack, running_stack, wait_until

torch = pytest.importorskip("torch", reason="the models are not installed")

from search_service.shapes import COLOURS, drawn  # noqa: E402  # only where the models are

TINY = REPOSITORY / "search-service" / "tests" / "tiny"
EACH = 12
TOP = 10

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def other(folder: Path) -> Path:
    """Weights that find the same by other vectors: both sides of the old ones, turned round."""
    weights = torch.load(TINY / "tiny-shapes.pt", weights_only=True)
    for key, value in weights.get("state_dict", weights).items():
        if key.endswith("text_projection") or key == "visual.proj":
            value.neg_()
    torch.save(weights, folder / "other.pt")
    return folder / "other.pt"


class Searching:
    """Asks over HTTP, again and again, until it is told to stop."""

    def __init__(self, stack: Stack) -> None:
        self._address = f"{stack.url}/api/search?"
        self._key = {"X-Api-Key": (stack.state_dir / "admin.key").read_text().strip()}
        self._stop = threading.Event()
        self.wrong: list[str] = []
        self.answers = 0
        self._threads = [threading.Thread(target=self._ask, args=(colour,)) for colour in ("red", "blue")]

    def __enter__(self) -> Searching:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def _ask(self, colour: str) -> None:
        with httpx.Client(headers=self._key, timeout=60, trust_env=False) as client:
            while not self._stop.is_set():
                # Never the same words twice: each query needs the model, not what it said before.
                words = f"a {colour} star" + " " * (self.answers % 7 + 1) + str(self.answers)
                answer = client.get(self._address + query(q=words, limit=TOP))
                self.answers += 1
                if answer.status_code != 200:
                    self.wrong.append(answer.text)
                    continue
                names = [one["media"]["name"] for one in answer.json()["results"]]
                # Vectors of the other model would give the opposite: what is least like it.
                if len(names) != TOP or sum(name.startswith(colour) for name in names) < TOP - 2:
                    self.wrong.append(f"{words}: {names}")


def test_no_query_fails_and_none_is_mixed_while_a_model_is_switched(tmp_path: Path) -> None:
    for name in ("tiny-shapes.json", "tiny-shapes.pt"):
        shutil.copy(TINY / name, tmp_path)
    root, chance = tmp_path / "library", random.Random(3)
    root.mkdir()
    for colour in COLOURS:
        for number in range(EACH):
            drawn(colour, "star", chance).save(root / f"{colour}-{number:02}.png")
    setting = f"open_clip:tiny-shapes/{tmp_path}/tiny-shapes.pt"
    with (
        running_stack(tmp_path / "state", environment={"FRAMEWELL_ENCODER": setting}) as stack,
        closing(Api(stack.url)) as api,
        grpc.insecure_channel(stack.facts()["sockets"]["search"]) as channel,
    ):
        search = search_pb2_grpc.SearchServiceStub(channel)

        def readiness() -> search_pb2.Readiness:
            return search.GetReadiness(search_pb2.GetReadinessRequest(), timeout=20)

        api.add_root(root)
        wait_until(lambda: readiness().progress.done >= EACH * len(COLOURS), 120, "all are embedded")
        wait_until(lambda: api.jobs()["idle"], 60, "idle")
        before = readiness().encoder.space
        with Searching(stack) as people:
            wait_until(lambda: people.answers > 10, 60, "people search")
            wanted = search_pb2.UseEncoderRequest(name=f"open_clip:tiny-shapes/{other(tmp_path)}")
            told = search.UseEncoder(wanted, timeout=120)
            assert told.encoder.space == before
            assert told.next.space != before
            drawn("red", "star", chance).save(root / "red-late.png")  # in the middle of it
            wait_until(lambda: readiness().encoder.space == told.next.space, 120, "the new model answers")
            seen = people.answers
            wait_until(lambda: people.answers > seen + 10, 60, "people go on")
        assert people.wrong == []
        assert not readiness().HasField("next")
        shards = stack.state_dir / "vectors" / "shards"
        wait_until(
            lambda: [path.name for path in shards.iterdir()] == [told.next.space], 60, "the old vectors are gone"
        )
        every = search_pb2.Scope(collection_id=1)

        def count() -> int:
            return search.CountItems(search_pb2.CountItemsRequest(scope=every), timeout=20).count

        wait_until(lambda: count() == EACH * len(COLOURS) + 1, 60, "each item has its vector")


def test_what_is_on_a_disk_that_is_away_stays_found_by_the_old_model_until_the_new_one_has_seen_it(
    tmp_path: Path,
) -> None:
    for name in ("tiny-shapes.json", "tiny-shapes.pt"):
        shutil.copy(TINY / name, tmp_path)
    here, disk, chance = tmp_path / "here", tmp_path / "disk", random.Random(4)
    for root, colour in ((here, "red"), (disk, "blue")):
        root.mkdir()
        for number in range(EACH):
            drawn(colour, "star", chance).save(root / f"{colour}-{number:02}.png")
    setting = f"open_clip:tiny-shapes/{tmp_path}/tiny-shapes.pt"
    with (
        running_stack(tmp_path / "state", environment={"FRAMEWELL_ENCODER": setting}) as stack,
        closing(Api(stack.url)) as api,
        grpc.insecure_channel(stack.facts()["sockets"]["search"]) as channel,
        grpc.insecure_channel(stack.facts()["sockets"]["metadata"]) as catalogue,
    ):
        search = search_pb2_grpc.SearchServiceStub(channel)
        known = metadata_pb2_grpc.MetadataServiceStub(catalogue)

        def readiness() -> search_pb2.Readiness:
            return search.GetReadiness(search_pb2.GetReadinessRequest(), timeout=20)

        def listed() -> metadata_pb2.ListCollectionsResponse:
            return known.ListCollections(metadata_pb2.ListCollectionsRequest(), timeout=20)

        def found() -> dict[bytes, int]:
            """How many have a vector that answers, by review path."""
            counted = {}
            for one in listed().collections:
                asked = search_pb2.CountItemsRequest(scope=search_pb2.Scope(collection_id=one.id))
                counted[one.root_path] = search.CountItems(asked, timeout=20).count
            return counted

        for root in (here, disk):
            api.add_root(root)
        both = {bytes(here): EACH, bytes(disk): EACH}
        wait_until(lambda: found() == both, 120, "all are embedded")
        wait_until(lambda: api.jobs()["idle"], 60, "idle")
        before, done = readiness().encoder.space, readiness().progress.done
        disk.rename(tmp_path / "unplugged")
        wait_until(lambda: len(listed().away_ids) == 1, 60, "the disk is known to be away")
        told = search.UseEncoder(
            search_pb2.UseEncoderRequest(name=f"open_clip:tiny-shapes/{other(tmp_path)}"), timeout=120
        )
        wait_until(lambda: readiness().progress.done >= done + EACH, 120, "the new model has seen what is here")
        time.sleep(5)  # long enough for a switch, if it came
        assert readiness().encoder.space == before
        assert readiness().next.space == told.next.space
        assert found() == both
        wait_until(lambda: api.jobs()["idle"], 90, "nothing is tried for ever")
        assert readiness().encoder.space == before
        assert found() == both
        (tmp_path / "unplugged").rename(disk)
        wait_until(lambda: readiness().encoder.space == told.next.space, 120, "the new model answers")
        assert found() == both

"""More workers for the same queue: the work spreads, and a worker that is lost in the middle of it loses nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from api import eventually
from deployed import Deployed
from media import noise
from PIL import Image
from stack import wait_until

pytestmark = [pytest.mark.compose, pytest.mark.timeout(1800, func_only=True)]

#: More than 500 wait when the others are started.
FILES = 700
WAITING = 500
WORKERS = 4
#: What a worker says of itself, asked in its own container.
FIGURES = """
import grpc
from media_proto import thumbnail_pb2 as pb
from media_proto.thumbnail_pb2_grpc import ThumbnailServiceStub
with grpc.insecure_channel("127.0.0.1:50054") as channel:
    told = ThumbnailServiceStub(channel).GetFigures(pb.GetFiguresRequest(), timeout=10)
print(told.rendered, told.cached)
"""


@pytest.fixture
def library(stack: Deployed) -> Path:
    """700 names of one picture that takes about a tenth of a second to draw."""
    folder = stack.library / "scaling"
    folder.mkdir()
    noise(folder / "0000.jpg", (6000, 4500))
    for number in range(1, FILES):
        os.link(folder / "0000.jpg", folder / f"{number:04}.jpg")
    stack.owned()
    return folder


def thumbnails(folder: Path) -> list[Path]:
    return list((folder / ".thumbnails").rglob("*.png"))


def rendered(stack: Deployed, container: str) -> int:
    return int(stack.run("docker", "exec", container, "python", "-c", FIGURES).split()[0])


def test_a_worker_killed_among_four_loses_no_thumbnail_and_none_is_made_twice(stack: Deployed, library: Path) -> None:
    api = stack.api
    dead_before = api.jobs()["queues"]["thumbnail"]["dead"]
    rendered_before = sum(rendered(stack, worker) for worker in stack.containers("thumbnail-service"))
    api.add_root(library)
    api.stream(library, limit=1)
    wait_until(lambda: len(thumbnails(library)) >= 5, 120, "the first thumbnails are made")
    assert FILES - len(thumbnails(library)) >= WAITING

    stack.run("make", "scale", f"N={WORKERS}", timeout_s=300)
    workers = stack.containers("thumbnail-service")
    assert len(workers) == WORKERS
    assert len(thumbnails(library)) < FILES, "the machine is too quick for this test: more files are needed"
    victim = workers[-1]
    wait_until(lambda: rendered(stack, victim) > 0, 60, "the new worker has its share")
    stack.tell(f"{stack.kind}: {WORKERS} workers at work: {stack.memory()}")
    pid = stack.state(victim)["Pid"]
    at_its_death = rendered(stack, victim)
    stack.kill(victim)
    stack.wait_restarted(victim, pid)

    eventually(api.jobs, lambda jobs: jobs["idle"], 600)
    made = thumbnails(library)
    assert len(made) == FILES
    for path in made:
        with Image.open(path) as picture:
            picture.verify()
    shares = {worker: rendered(stack, worker) for worker in workers}
    assert all(share > 0 for worker, share in shares.items() if worker != victim), shares
    # The killed one may have finished some unseen between the look and its end, and had one in hand that is made again.
    together = sum(shares.values()) + at_its_death - rendered_before
    assert abs(together - FILES) <= 2 * WORKERS, (together, shares)
    assert api.jobs()["queues"]["thumbnail"]["dead"] == dead_before

    stack.run("make", "scale", "N=1", timeout_s=300)
    assert len(stack.containers("thumbnail-service")) == 1
    stack.wait_well()


def test_a_worker_cut_off_the_network_takes_no_work_with_it_and_joins_again(stack: Deployed, library_two: Path) -> None:
    api = stack.api
    stack.run("make", "scale", "N=2", timeout_s=300)
    lost = stack.containers("thumbnail-service")[-1]
    api.add_root(library_two)
    api.stream(library_two, limit=1)
    wait_until(lambda: len(thumbnails(library_two)) >= 3, 120, "the first thumbnails are made")
    networks = stack.cut_off(lost)

    # Somebody waits for one: the server may still count the lost worker among those it asks.
    answer = api.thumbnail(library_two / "0119.jpg", 512)
    assert answer.status_code == 200, answer.text
    eventually(api.jobs, lambda jobs: jobs["idle"], 600)
    assert len({path.name for path in thumbnails(library_two)}) >= 120

    stack.join(lost, networks)
    wait_until(lambda: stack.is_well(lost), 120, "the worker is well again")
    stack.run("make", "scale", "N=1", timeout_s=300)


@pytest.fixture
def library_two(stack: Deployed) -> Path:
    folder = stack.library / "partition"
    folder.mkdir()
    noise(folder / "0000.jpg", (6000, 4500), seed=2)
    for number in range(1, 120):
        os.link(folder / "0000.jpg", folder / f"{number:04}.jpg")
    stack.owned()
    return folder

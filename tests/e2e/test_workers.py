"""Thumbnail workers started by hand beside a running stack: they share the queue, and one killed loses nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import grpc
import pytest
from api import Api, eventually
from media import noise
from media_proto import thumbnail_pb2, thumbnail_pb2_grpc
from PIL import Image
from stack import RUN_LOCAL, Stack, running_stack, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

FILES = 240


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Stack]:
    """A stack without a worker of its own."""
    with running_stack(tmp_path / "state", workers=0) as stack:
        yield stack


@pytest.fixture
def api(bare: Stack) -> Iterator[Api]:
    client = Api(bare.url)
    yield client
    client.close()


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """240 names of one picture that takes some tens of milliseconds to draw."""
    folder = tmp_path / "library"
    folder.mkdir()
    noise(folder / "0000.jpg", (2000, 1500))
    for number in range(1, FILES):
        os.link(folder / "0000.jpg", folder / f"{number:04}.jpg")
    return folder


class Worker:
    """`run_local.py --worker`, as a person types it."""

    def __init__(self, stack: Stack) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(RUN_LOCAL), "--worker"],
            env=stack.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._address = f"unix:{stack.facts()['runtime_dir']}/thumb-{self.process.pid}.sock"

    def figures(self) -> thumbnail_pb2.Figures:
        with grpc.insecure_channel(self._address) as channel:
            figures: thumbnail_pb2.Figures = thumbnail_pb2_grpc.ThumbnailServiceStub(channel).GetFigures(
                thumbnail_pb2.GetFiguresRequest(), timeout=5, wait_for_ready=True
            )
        return figures

    def is_up(self) -> bool:
        assert self.process.poll() is None
        try:
            self.figures()
        except grpc.RpcError:
            return False
        return True

    def kill(self) -> None:
        """With its render child, as the kernel's out-of-memory killer may."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def worker(stack: Stack) -> Iterator[Worker]:
    started = Worker(stack)
    try:
        wait_until(started.is_up, 30.0, "the worker answers")
        yield started
    finally:
        if started.process.poll() is None:
            started.process.terminate()
            started.process.wait(15)


def all_drawn(root: Path) -> bool:
    return len(list((root / ".thumbnails" / "large").glob("[!.]*.png"))) == FILES


def check_every_thumbnail(root: Path) -> None:
    for path in (root / ".thumbnails" / "large").iterdir():
        with Image.open(path) as image:
            image.load()
            assert image.size == (256, 256)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_workers_beside_a_running_stack_share_the_queue(bare: Stack, api: Api, library: Path, count: int) -> None:
    with ExitStack() as running:
        workers = [running.enter_context(worker(bare)) for _ in range(count)]

        api.add_root(library)
        api.wait_idle(150.0)

        assert all_drawn(library)
        shares = [one.figures().rendered for one in workers]
    assert all(share > 0 for share in shares), shares
    assert sum(shares) == FILES
    check_every_thumbnail(library)


def test_jobs_wait_for_a_worker(bare: Stack, api: Api, library: Path) -> None:
    api.add_root(library)
    waiting = eventually(api.jobs, lambda jobs: jobs["queues"]["thumbnail"]["pending"] >= FILES)
    assert not waiting["idle"]

    with worker(bare):
        api.wait_idle(150.0)

    assert all_drawn(library)


def test_a_worker_killed_in_the_middle_of_its_job_loses_nothing(bare: Stack, api: Api, library: Path) -> None:
    with worker(bare), worker(bare) as victim:
        api.add_root(library)
        eventually(victim.figures, lambda figures: figures.rendered >= 10)

        victim.kill()

        api.wait_idle(200.0)
    assert all_drawn(library)
    assert api.jobs()["queues"]["thumbnail"]["dead"] == 0
    check_every_thumbnail(library)

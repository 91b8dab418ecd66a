"""How fast items are embedded, from the queue to the vector store, beside a bare loop of the same model over the same
files: read one, decode it, thirty-two at a time through the model, nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import grpc
from media_proto import search_pb2, search_pb2_grpc
from PIL import Image

from bench import photographs
from bench.client import Connection
from bench.product import Product, wait_for
from bench.table import Row, ratio_at_least

#: Of each photograph, so many different ones.
_EACH: Final = 16
_SIZE_PX: Final = (1600, 1200)
_BATCH: Final = 32
_REACH: Final = 0.85
_WITHIN_S: Final = 600.0


def measure(work: Path) -> list[Row]:
    warm, library = work / "embedding-warm", work / "embedding"
    few, files = made(warm, 1), made(library, _EACH)
    bare = len(files) / bare_s(few, files)
    pipeline = len(files) / pipeline_s(work / "embedding-state", warm, len(few), library, len(files))
    beside = "bare batched loop"
    what = "embedding, items a second"
    note = f"offline encoder, {len(files)} photographs of {_SIZE_PX[0]} x {_SIZE_PX[1]}"
    return [ratio_at_least(what, pipeline, "1/s", _REACH, beside, bare, note)]


def made(folder: Path, each: int) -> list[Path]:
    """JPEG files: the sample photographs, each cut a little differently."""
    folder.mkdir(parents=True)
    files = []
    for name, picture in photographs.photographs().items():
        for number in range(each):
            right, below = picture.width - number % 4, picture.height - number // 4
            files.append(folder / f"{name}-{number}.jpg")
            picture.crop((0, 0, right, below)).resize(_SIZE_PX, Image.Resampling.BICUBIC).save(files[-1], quality=90)
    return files


def bare_s(few: Sequence[Path], files: Sequence[Path]) -> float:
    from search_service.encoders import offline  # the models may not be installed
    from search_service.encoders.pictures import read

    encoder = offline.load()

    def through(some: Sequence[Path]) -> None:
        for start in range(0, len(some), _BATCH):
            encoder.images([read(BytesIO(file.read_bytes())) for file in some[start : start + _BATCH]])

    through(few)
    began = perf_counter()
    through(files)
    return perf_counter() - began


def pipeline_s(state_dir: Path, warm: Path, few: int, library: Path, many: int) -> float:
    """From the moment that embedding is let go on, with all jobs in the queue, until each has its vector."""
    with (
        Product(state_dir, workers=0, FRAMEWELL_ENCODER="offline") as product,
        Connection(product.port) as gateway,
        grpc.insecure_channel(product.socket("search")) as channel,
    ):
        stub = search_pb2_grpc.SearchServiceStub(channel)

        def progress() -> search_pb2.Progress:
            return stub.GetReadiness(search_pb2.GetReadinessRequest(), timeout=10).progress

        def is_done(at_least: int) -> bool:
            now = progress()
            return now.done >= at_least and not now.pending + now.running

        gateway.post("/api/review-paths", {"path": str(warm)})
        wait_for(lambda: is_done(few), _WITHIN_S, "the first files are embedded")
        stub.PauseEmbedding(search_pb2.PauseEmbeddingRequest(paused=True), timeout=10)
        wait_for(lambda: not progress().running, _WITHIN_S, "embedding is held back")
        gateway.post("/api/review-paths", {"path": str(library)})
        # A fetch that had begun may have taken a few.
        wait_for(lambda: sum_of(progress()) >= few + many, _WITHIN_S, "all jobs wait")
        wait_for(lambda: not waiting(gateway.json("/api/jobs")), _WITHIN_S, "nothing else is going on")
        begun = progress().done - few
        stub.PauseEmbedding(search_pb2.PauseEmbeddingRequest(paused=False), timeout=10)
        began = perf_counter()
        wait_for(lambda: is_done(few + many), _WITHIN_S, "all files are embedded")
        return (perf_counter() - began) * many / (many - begun)


def waiting(jobs: Any) -> int:
    """What is still to be indexed."""
    return int(jobs["queues"]["index"]["pending"] + jobs["queues"]["index"]["running"])


def sum_of(told: search_pb2.Progress) -> int:
    return told.pending + told.running + told.done

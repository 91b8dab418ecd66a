"""How fast items are embedded, from the queue to the vector store, beside a bare loop of the same model over the same
files: read one, decode it, thirty-two at a time through the model, nothing else. The two take turns: a shared machine
is not as fast from one minute to the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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

#: Turns of each, and in a turn so many different ones of each photograph.
_TURNS: Final = 4
_EACH: Final = 5
_SIZE_PX: Final = (1600, 1200)
_BATCH: Final = 32
_REACH: Final = 0.85
_WITHIN_S: Final = 600.0


def measure(work: Path) -> list[Row]:
    warm = made(work / "embedding-warm", range(1))
    turns = [made(work / f"embedding-{turn}", range(turn * _EACH, (turn + 1) * _EACH)) for turn in range(1, _TURNS + 1)]
    loop = bare_loop(warm)
    bare_s, pipeline_s = times(work / "embedding-state", warm, turns, loop)
    many = sum(map(len, turns))
    beside = "bare batched loop"
    what = "embedding, items a second"
    note = f"offline encoder, {many} photographs of {_SIZE_PX[0]} x {_SIZE_PX[1]}, in {_TURNS} turns"
    return [ratio_at_least(what, many / pipeline_s, "1/s", _REACH, beside, many / bare_s, note)]


def made(folder: Path, cuts: range) -> list[Path]:
    """JPEG files: the sample photographs, each cut a little differently."""
    folder.mkdir(parents=True)
    files = []
    for name, picture in photographs.photographs().items():
        for number in cuts:
            right, below = picture.width - number % 4, picture.height - number // 4
            files.append(folder / f"{name}-{number}.jpg")
            picture.crop((0, 0, right, below)).resize(_SIZE_PX, Image.Resampling.BICUBIC).save(files[-1], quality=90)
    return files


def bare_loop(warm: Sequence[Path]) -> Callable[[Sequence[Path]], float]:
    """Takes files through the model; gives the seconds."""
    from search_service.encoders import offline  # the models may not be installed
    from search_service.encoders.pictures import read

    encoder = offline.load()

    def through(files: Sequence[Path]) -> float:
        began = perf_counter()
        for start in range(0, len(files), _BATCH):
            encoder.images([read(BytesIO(file.read_bytes())) for file in files[start : start + _BATCH]])
        return perf_counter() - began

    through(warm)
    return through


def times(
    state_dir: Path, warm: Sequence[Path], turns: Sequence[Sequence[Path]], loop: Callable[[Sequence[Path]], float]
) -> tuple[float, float]:
    """Seconds of the loop and of the pipeline over all turns. The pipeline's begin when embedding is let go on, with
    all jobs in the queue, and end when each has its vector."""
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

        def turn(files: Sequence[Path], before: int) -> tuple[float, float]:
            stub.PauseEmbedding(search_pb2.PauseEmbeddingRequest(paused=True), timeout=10)
            wait_for(lambda: not progress().running, _WITHIN_S, "embedding is held back")
            gateway.post("/api/review-paths", {"path": str(files[0].parent)})
            # A fetch that had begun may have taken a few.
            wait_for(lambda: sum_of(progress()) >= before + len(files), _WITHIN_S, "all jobs wait")
            wait_for(lambda: not waiting(gateway.json("/api/jobs")), _WITHIN_S, "nothing else is going on")
            loop_s = loop(files)
            begun = progress().done - before
            stub.PauseEmbedding(search_pb2.PauseEmbeddingRequest(paused=False), timeout=10)
            began = perf_counter()
            wait_for(lambda: is_done(before + len(files)), _WITHIN_S, "all files are embedded")
            return loop_s, (perf_counter() - began) * len(files) / (len(files) - begun)

        gateway.post("/api/review-paths", {"path": str(warm[0].parent)})
        wait_for(lambda: is_done(len(warm)), _WITHIN_S, "the first files are embedded")
        took, before = [], len(warm)
        for files in turns:
            took.append(turn(files, before))
            before += len(files)
    loop_s, pipeline_s = map(sum, zip(*took, strict=True))
    return loop_s, pipeline_s


def waiting(jobs: Any) -> int:
    """What is still to be indexed."""
    return int(jobs["queues"]["index"]["pending"] + jobs["queues"]["index"]["running"])


def sum_of(told: search_pb2.Progress) -> int:
    return told.pending + told.running + told.done

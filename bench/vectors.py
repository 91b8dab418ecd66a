"""The vector store at 100,000 x 512: what an approximate search finds beside an exact one, and how long a query takes.

`python -m bench.vectors [HOW_MANY]` alone. The vectors have what those of pictures have: most of what they say lies in
a few dozen directions, and there are crowds. (Numbers drawn evenly have neither; no two are near, no graph helps.)
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from time import perf_counter
from typing import Final

import grpc
import numpy as np
from media_proto import search_pb2 as pb
from media_proto import search_pb2_grpc
from PIL import Image
from search_service.domain import points
from search_service.domain.filters import EVERYTHING, Filter, Has
from search_service.domain.points import INDEXES, NEARLY_ALL, Facts
from search_service.domain.vectors import Point, Vector, unit
from search_service.vectors.edge import EdgeStore

from bench.process import rss_bytes
from bench.table import Row, as_text, at_least, at_most, only_said, percentile
from bench.vector_server import DIMENSIONS, SPACE

_MANY: Final = 100_000
_QUERIES: Final = 200
_TOP: Final = 20
#: One in a hundred carries this tag.
_RARE_TAG: Final = 7
_DIRECTIONS: Final = 48
_CROWDS: Final = 400


def made(many: int, seed: int = 1) -> tuple[Vector, Vector]:
    """Vectors, and queries that are near to some of them as words are to pictures: not very."""
    numbers = np.random.default_rng(seed)
    spread = numbers.standard_normal((_DIRECTIONS, DIMENSIONS), np.float32)
    crowds = numbers.standard_normal((_CROWDS, _DIRECTIONS), np.float32)

    def drawn(how_many: int, apart: float) -> Vector:
        inner = crowds[numbers.integers(0, _CROWDS, how_many)]
        inner = inner + apart * numbers.standard_normal((how_many, _DIRECTIONS), np.float32)
        noise = numbers.standard_normal((how_many, DIMENSIONS), np.float32)
        return unit(inner @ spread + noise)

    return drawn(many, 0.7), drawn(_QUERIES, 1.0)


def tags(number: int) -> list[int]:
    return [_RARE_TAG] if number % 100 == 0 else [100 + number % 13]


async def filled(folder: Path, vectors: Vector) -> tuple[float, float]:
    """Seconds of writing them all and of building the index."""
    store = EdgeStore(folder, INDEXES, NEARLY_ALL)
    await store.ensure(SPACE, DIMENSIONS)
    began = perf_counter()
    for start in range(0, len(vectors), 1000):
        batch = range(start, min(start + 1000, len(vectors)))
        facts = [Facts(key, 1, 4, True, key, key, key, tags(key)) for key in batch]
        made = [Point(key, vectors[key], points.payload(key, fact)) for key, fact in zip(batch, facts, strict=True)]
        await store.upsert(SPACE, made)
    written = perf_counter()
    await store.optimise(SPACE)
    built = perf_counter()
    await store.close()
    return written - began, built - written


async def recall(folder: Path, vectors: Vector, queries: Vector, rare: bool) -> float:
    """Of the exact nearest twenty, the share that the store finds, in percent."""
    store = EdgeStore(folder, INDEXES, NEARLY_ALL)
    filter: Filter = Has(points.TAGS, frozenset({_RARE_TAG})) if rare else EVERYTHING
    ids = np.arange(0, len(vectors), 100) if rare else np.arange(len(vectors))
    found = 0
    for query in queries:
        scores = vectors[ids] @ query
        exact = set(ids[np.argpartition(-scores, _TOP)[:_TOP]].tolist())
        found += len(exact.intersection(hit.point_id for hit in await store.search(SPACE, query, _TOP, filter)))
    await store.close()
    return 100 * found / (_TOP * len(queries))


def measure(work: Path, many: int = _MANY) -> list[Row]:
    vectors, queries = made(many)
    folder = work / "vectors"
    written_s, built_s = asyncio.run(filled(folder, vectors))
    beside = f"{many:,} x {DIMENSIONS}"
    rows = [
        only_said("vectors written", many / written_s, "/s", beside, None),
        only_said("index built", built_s, "s", beside, None),
        at_least("recall@20", asyncio.run(recall(folder, vectors, queries, False)), "%", 98, beside, None),
        at_least("recall@20, filter 1 %", asyncio.run(recall(folder, vectors, queries, True)), "%", 98, beside, None),
    ]
    with served(work, folder) as (stub, pid):
        rows += speeds(stub, queries, many)
        rows.append(only_said("resident memory, without a model", rss_bytes(pid) / 1e6, "MB", beside, None))
    if find_spec("torch") is not None:
        with served(work, folder, "offline") as (stub, pid):
            speeds(stub, queries, many)
            with_words_and_pictures(stub)
            rows.append(at_most("resident memory, offline encoder", rss_bytes(pid) / 1e6, "MB", 1500, beside, None))
    return rows


@contextmanager
def served(work: Path, *arguments: str | Path) -> Iterator[tuple[search_pb2_grpc.SearchServiceStub, int]]:
    """A service on those vectors, and its process."""
    address = f"unix:{work}/search.sock"
    server = subprocess.Popen([sys.executable, "-m", "bench.vector_server", address, *map(str, arguments)])
    try:
        with grpc.insecure_channel(address) as channel:
            grpc.channel_ready_future(channel).result(60)
            yield search_pb2_grpc.SearchServiceStub(channel), server.pid
    finally:
        server.kill()
        server.wait()


def with_words_and_pictures(stub: search_pb2_grpc.SearchServiceStub) -> None:
    """What a model's memory grows with: the largest batches there are."""
    numbers, file = np.random.default_rng(3), BytesIO()
    Image.fromarray(numbers.integers(0, 255, (75, 100, 3), np.uint8)).resize((1600, 1200)).save(file, "JPEG")
    for _ in range(3):
        stub.EmbedPictures(pb.EmbedPicturesRequest(pictures=[file.getvalue()] * 64))
        stub.EmbedTexts(pb.EmbedTextsRequest(texts=[f"a photo of {numbers.integers(10**9)}" for _ in range(1000)]))


def speeds(stub: search_pb2_grpc.SearchServiceStub, queries: Vector, many: int) -> list[Row]:
    """At the service's gRPC, warm."""
    rare = pb.Filter(has=pb.HasNumber(field=pb.FIELD_TAG, values=[_RARE_TAG]))

    def nearest(query: Vector, filter: pb.Filter | None) -> None:
        scope = pb.Scope(collection_id=1, filter=filter)
        target = pb.Vector(values=query.tolist())
        answer = stub.FindNearest(pb.FindNearestRequest(scope=scope, vector=target, limit=_TOP))
        assert len(answer.scored) == _TOP

    def judged(query: Vector) -> None:
        marks = np.random.default_rng(int(abs(query[0]) * 1e6)).integers(0, many, 50).tolist()
        request = pb.FindJudgedRequest(scope=pb.Scope(collection_id=1), right=marks[:20], wrong=marks[20:], limit=50)
        assert len(stub.FindJudged(request).scored) == 50

    beside = f"{many:,} x {DIMENSIONS}"
    rows = []
    asked: list[tuple[str, float, Callable[[Vector], None]]] = [
        ("vector query, top 20, gRPC, p50", 8, lambda query: nearest(query, None)),
        ("vector query, top 20, filter 1 %, gRPC, p50", 8, lambda query: nearest(query, rare)),
        ("relevance feedback round, 50 marks, p50", 120, judged),
    ]
    for what, limit, ask in asked:
        times = []
        for query in [*queries[:20], *queries]:
            began = perf_counter()
            ask(query)
            times.append((perf_counter() - began) * 1000)
        warm = times[20:]
        rows.append(at_most(what, percentile(warm, 50), "ms", limit, f"p95 of {beside}", percentile(warm, 95)))
    return rows


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="framewell-bench-") as work:
        print(as_text(measure(Path(work), int(sys.argv[1]) if len(sys.argv) > 1 else _MANY)))

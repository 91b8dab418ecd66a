"""CoreViz' scored mode over HTTP on 100,000 items: the whole way of a question whose words were asked before."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, sleep
from typing import Any, Final
from urllib.parse import quote

import grpc
import numpy as np
from media_proto import metadata_pb2, metadata_pb2_grpc, search_pb2, search_pb2_grpc

from bench.library import make
from bench.product import Product, wait_for
from bench.table import Row, at_most, only_said, percentile

ITEMS: Final = int(os.environ.get("BENCH_SEARCH_ITEMS", "100000"))
_ENCODER: Final = "offline"
_LOAD_S: Final = 300.0
_BATCH: Final = 1000
_WORDS: Final = ("a cat", "red shoes on white background", "mountains in the evening", "two people at a table", "IMG")
_TIMES: Final = 40
#: Longer than it takes to bring over what was written during a build, after which the next may begin.
_AT_REST_S: Final = 30.0


def measure(work: Path) -> list[Row]:
    """On a stack of its own, its catalogue made beforehand and its vectors drawn at random."""
    state = work / "state-search"
    state.mkdir(mode=0o700)
    library = make(state / "catalogue.db", ITEMS, in_place=False)
    dataset = library.collection.uuid.hex
    library.database.close()
    with Product(state, workers=1, FRAMEWELL_ENCODER=_ENCODER) as product:
        run = json.loads((state / "run.json").read_text(encoding="utf-8"))
        written = _fill(run["sockets"]["metadata"], run["sockets"]["search"])
        _wait_for_the_index(product)
        key = (state / "admin.key").read_text(encoding="utf-8").strip()
        with _asking(product.port, key, dataset) as ask:
            note = f"{written:,} vectors, minScore=-1, limit 20"
            return [
                _row(ask, "GET ...?q=, words asked before, a write before each", "", note, 40, before=ask.change),
                _row(ask, "the same when nothing was written since, as for a next page", "", note),
                _row(ask, "the same when somebody's words were changed before each", "", note, before=ask.reword),
                _row(ask, "the same with a tag filter", f"&tagFilters={quote(json.dumps({'color': ['red']}))}", note),
                _row(ask, "the same page in browse mode", None, note),
            ]


def _fill(metadata: str, search: str) -> int:
    """A random vector for every item that can have one; how many there are."""
    numbers = np.random.default_rng(4)
    written = 0
    with grpc.insecure_channel(metadata) as catalogue, grpc.insecure_channel(search) as vectors:
        known = metadata_pb2_grpc.MetadataServiceStub(catalogue)
        stub = search_pb2_grpc.SearchServiceStub(vectors)
        stub.PauseEmbedding(search_pb2.PauseEmbeddingRequest(paused=True), timeout=30)
        wait_for(
            lambda: bool(stub.GetReadiness(search_pb2.GetReadinessRequest()).ready), _LOAD_S, "the model is loaded"
        )
        dimensions = stub.GetReadiness(search_pb2.GetReadinessRequest()).encoder.dimensions
        after = 0
        while True:
            page = known.ListSearchable(metadata_pb2.ListSearchableRequest(after_id=after, limit=_BATCH), timeout=60)
            if not page.ids:
                return written
            drawn = numbers.standard_normal((len(page.ids), dimensions), np.float32)
            drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
            given = [search_pb2.Vector(values=row.tolist()) for row in drawn]
            asked = search_pb2.PutVectorsRequest(item_ids=page.ids, vectors=given)
            written += stub.PutVectors(asked, timeout=300).written
            after = page.ids[-1]


def _wait_for_the_index(product: Product) -> None:
    """Until its process has been there and gone, and no other follows."""
    wait_for(lambda: _builds(product), 60, "the index of vectors is being built")
    ended = perf_counter()
    while perf_counter() - ended < _AT_REST_S:
        sleep(0.5)
        if _builds(product):
            ended = perf_counter()


def _builds(product: Product) -> bool:
    children = product.processes()["search"].children(recursive=True)
    return any("search_service.vectors.building" in child.cmdline() for child in children)


class _Asked:
    """One connection that is kept."""

    def __init__(self, connection: http.client.HTTPConnection, key: str, dataset: str) -> None:
        self._connection = connection
        self._headers = {"x-api-key": key, "content-type": "application/json"}
        self._address = f"/api/dataset/{dataset}/media?limit=20&recursive=true&minScore=-1"
        self._changes = 0
        self._item = f"/api/media/{self.page('')['media'][0]['id']}"

    def change(self) -> None:
        """Something of the catalogue, so that nothing that its readers keep of listings holds any more; no search is
        told of it."""
        self._changes += 1
        self._ask("PATCH", self._item, json.dumps({"metadata": {"bench": self._changes}}))

    def reword(self) -> None:
        """What an item is found by, so that the finds of words that are kept hold no more."""
        self._changes += 1
        self._ask("PATCH", self._item, json.dumps({"metadata": {"description": f"number {self._changes}"}}))

    def page(self, more: str) -> dict[str, Any]:
        return self._ask("GET", self._address + more)

    def _ask(self, method: str, address: str, text: str | None = None) -> dict[str, Any]:
        self._connection.request(method, address, text, self._headers)
        answer = self._connection.getresponse()
        body: dict[str, Any] = json.loads(answer.read())
        assert answer.status == http.client.OK, body
        return body


@contextmanager
def _asking(port: int, key: str, dataset: str) -> Iterator[_Asked]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        yield _Asked(connection, key, dataset)
    finally:
        connection.close()


def _row(
    ask: _Asked,
    what: str,
    more: str | None,
    note: str,
    limit_ms: float | None = None,
    before: Callable[[], None] = lambda: None,
) -> Row:
    """Median and the slow end; without `more`, no words are asked.

    Args:
        before: done before every question, not timed.
    """
    addresses = [""] if more is None else [f"&q={quote(words)}{more}" for words in _WORDS]
    for address in addresses:
        assert len(ask.page(address)["media"]) == 20
    taken_ms = []
    for _ in range(_TIMES):
        for address in addresses:
            before()
            began = perf_counter()
            ask.page(address)
            taken_ms.append(1000 * (perf_counter() - began))
    middle, slow = percentile(taken_ms, 50), percentile(taken_ms, 95)
    if limit_ms is None:
        return only_said(what, middle, "ms", "p95", slow, note)
    return at_most(what, middle, "ms", limit_ms, "p95", slow, note)

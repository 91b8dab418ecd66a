"""The search service over vectors that are there: `python -m bench.vector_server SOCKET FOLDER [offline]`.

Without a model, queries come as vectors, and nothing is measured but the service and the engine below it. `offline`:
with the offline encoder loaded, for the memory that both take together.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from media_common.blobs.folder import FolderStore
from media_common.grpc_server import serving
from media_proto import search_pb2_grpc
from PIL.Image import Image
from search_service.config import decoding_environment
from search_service.domain.objects import Giving, NoCatalogue
from search_service.domain.points import INDEXES, NEARLY_ALL
from search_service.domain.vectors import Vector, VectorStore
from search_service.encoders.choosing import Choosing
from search_service.encoders.object_models import ObjectModels
from search_service.engine import Engine
from search_service.frames import Frames
from search_service.loading.given import GivenPictures
from search_service.loading.pool import Pool
from search_service.loading.process import DecodingProcess
from search_service.objects import Objects
from search_service.servicer import SearchServicer
from search_service.vectors.edge import EdgeStore

SPACE = "bench"
DIMENSIONS = 512


class NoModel:
    """Implements `Encoder`, of the space that was filled."""

    name, model, space, dimensions = "offline", "none", SPACE, DIMENSIONS

    def images(self, batch: Sequence[Image]) -> Vector:
        return np.zeros((len(batch), DIMENSIONS), np.float32)

    def texts(self, batch: Sequence[str]) -> Vector:
        return np.zeros((len(batch), DIMENSIONS), np.float32)


class Offline:
    """The offline encoder, its vectors made as long as those that were filled. Implements `Encoder`."""

    name, model, space, dimensions = "offline", "offline", SPACE, DIMENSIONS

    def __init__(self) -> None:
        from search_service.encoders import offline

        self._encoder = offline.load()

    def images(self, batch: Sequence[Image]) -> Vector:
        return _lengthened(self._encoder.images(batch))

    def texts(self, batch: Sequence[str]) -> Vector:
        return _lengthened(self._encoder.texts(batch))


def _lengthened(rows: Vector) -> Vector:
    return np.pad(rows, ((0, 0), (0, DIMENSIONS - rows.shape[1])))


async def main() -> None:
    model = Offline if sys.argv[3:] == ["offline"] else NoModel

    async def opened() -> VectorStore:
        return EdgeStore(Path(sys.argv[2]), INDEXES, NEARLY_ALL)

    given = GivenPictures(Pool([DecodingProcess(decoding_environment(), 2048)]))
    engine = Engine(Choosing("offline", lambda _: [(model.name, model)]), opened, given.decoded)
    objects = Objects(engine, ObjectModels({}), Giving(NoCatalogue(), asyncio.Lock()), NoCatalogue())
    frames = Frames(FolderStore(Path(sys.argv[2]) / "none"), NoCatalogue())
    servicer = SearchServicer(engine, objects, frames, NoCatalogue())
    register = partial(search_pb2_grpc.add_SearchServiceServicer_to_server, servicer)
    async with serving(sys.argv[1], register, [], 1):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())

"""Object models: what, beside the encoder, can say what a detected object looks like. Each is a plug-in of its own.

A package registers one by an entry point of the group below; docs/object-models.md has a worked example. It is loaded
when it is first needed. A plug-in may be wrong in any way: what it raises or returns becomes a sentence with its name.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from search_service.domain.errors import EncoderUnavailable
from search_service.domain.objects import ModelNotInstalled
from search_service.domain.searching import OBJECTS
from search_service.domain.vectors import Vector, unit
from search_service.encoders.kept import RETRY_S

logger = logging.getLogger(__name__)

#: Entry points: the model's name = a callable without arguments that gives an `ObjectModel`.
GROUP: Final = "framewell.object_models"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}")


class ObjectModel(Protocol):
    """What a plug-in gives."""

    @property
    def name(self) -> str: ...

    @property
    def dimensions(self) -> int: ...

    def embed(self, pictures: Sequence[Image]) -> NDArray[np.floating]:
        """Shape (len(pictures), dimensions), in the order given. The pictures are RGB, one cut-out object each."""


Make: TypeAlias = Callable[[], ObjectModel]


@dataclass(slots=True)
class _Kept:
    make: Make
    model: ObjectModel | None = None
    reason: str = ""
    failed_at: float = float("-inf")
    loading: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(frozen=True, slots=True)
class ModelStatus:
    name: str
    dimensions: int  # 0: not known before it is loaded
    reason: str = ""  # why it cannot be used


class ObjectModels:
    def __init__(self, makers: Mapping[str, Make], clock: Callable[[], float] = time.monotonic) -> None:
        self._kept = {name: _Kept(make) for name, make in sorted(makers.items())}
        self._clock = clock
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="object-models")

    @property
    def statuses(self) -> list[ModelStatus]:
        return [
            ModelStatus(name, kept.model.dimensions if kept.model is not None else 0, kept.reason)
            for name, kept in self._kept.items()
        ]

    def require(self, name: str) -> None:
        """
        Raises:
            ModelNotInstalled: nobody registered it.
        """
        if name not in self._kept:
            raise ModelNotInstalled(name)

    async def dimensions(self, name: str) -> int:
        """
        Raises:
            ModelNotInstalled, EncoderUnavailable: see `embed`.
        """
        return (await self._loaded(name)).dimensions

    async def embed(self, name: str, pictures: Sequence[Image]) -> Vector:
        """Unit vectors of cut-out objects, one row each.

        Raises:
            ModelNotInstalled: nobody registered it.
            EncoderUnavailable: it cannot be loaded, or it failed, with the reason.
        """
        model = await self._loaded(name)
        try:
            rows = await asyncio.get_running_loop().run_in_executor(self._threads, lambda: model.embed(pictures))
            made = np.asarray(rows, np.float32)
        except Exception as error:
            raise EncoderUnavailable(f"The model '{name}' failed: {_said(error)}.") from error
        if made.shape != (len(pictures), model.dimensions) or not np.isfinite(made).all():
            raise EncoderUnavailable(
                f"The model '{name}' gave something else than vectors of {model.dimensions} numbers."
            )
        return unit(made)

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _loaded(self, name: str) -> ObjectModel:
        self.require(name)
        kept = self._kept[name]
        async with kept.loading:
            if kept.model is None and self._clock() - kept.failed_at >= RETRY_S:
                try:
                    kept.model = await asyncio.get_running_loop().run_in_executor(self._threads, _made, kept.make)
                    kept.reason = ""
                except EncoderUnavailable as error:
                    kept.reason, kept.failed_at = f"The model '{name}' cannot be loaded: {error.message}", self._clock()
                    logger.warning(kept.reason)
            if kept.model is None:
                raise EncoderUnavailable(kept.reason)
            return kept.model


def installed() -> dict[str, Make]:
    """What packages of this environment register. Nothing of them is imported yet."""
    found: dict[str, Make] = {}
    for entry in entry_points(group=GROUP):
        if not _NAME.fullmatch(entry.name) or entry.name == OBJECTS:
            logger.warning("no object model can be called %r (%s)", entry.name, entry.value)
        elif entry.name in found:
            logger.warning("there are two object models %r; %s is left out", entry.name, entry.value)
        else:
            found[entry.name] = lambda entry=entry: entry.load()()  # type: ignore[misc]
    return found


def _made(make: Make) -> ObjectModel:
    try:
        model = make()
        if int(model.dimensions) < 1 or not callable(model.embed):
            raise TypeError("it has no dimensions")
        return model
    except Exception as error:
        raise EncoderUnavailable(f"{_said(error)}.") from error


def _said(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")[:300]

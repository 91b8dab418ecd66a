"""The one encoder of the process: loaded when it is first needed, once, and kept; its state for people; texts cached.

Models block, so each way has a thread of its own: a query's words never wait behind a batch of pictures.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

import numpy as np
from PIL.Image import Image

from search_service.domain.errors import EncoderUnavailable
from search_service.domain.vectors import Vector
from search_service.encoders.port import Encoder, Load

logger = logging.getLogger(__name__)
T = TypeVar("T")

#: Behind the thumbnails, which have 5.
_NICE: Final = 10
#: A failed load is tried again after this long, when somebody asks: what was mended is found without a restart.
RETRY_S: Final = 5.0
#: Vectors of texts kept; at 512 numbers each some 20 MB.
_TEXTS: Final = 10_000


_NUMBER: Final = re.compile(r"0x[0-9a-fA-F]+|\d+")


class State(StrEnum):
    OFF = "off"
    LOADING = "loading"
    READY = "ready"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Status:
    """What `/api/jobs` says. `name`, `model`, `space`, `dimensions` are empty until a model was loaded."""

    state: State
    name: str = ""
    model: str = ""
    space: str = ""
    dimensions: int = 0
    reason: str = ""  # why it is unavailable, or why it is not the first choice


class KeptEncoder:
    """Candidates in order of preference; the first that loads is the encoder, and stays it: one that fails later is
    loaded again and never replaced by the next, whose vectors could not be compared with its own."""

    def __init__(self, candidates: Sequence[tuple[str, Load]], clock: Callable[[], float] = time.monotonic) -> None:
        """
        Args:
            candidates: what each is called in a sentence, and how it is loaded. None at all: switched off.
        """
        self._candidates = candidates
        self._clock = clock
        self._encoder: Encoder | None = None
        self._loading = asyncio.Lock()
        self._is_loading = False
        self._failed_at = float("-inf")
        self._reason = ""
        self._said: dict[str, str] = {}  # in the log, of each candidate
        self._passed_over: list[str] = []  # what those said that were preferred to the encoder
        self._texts: OrderedDict[str, Vector] = OrderedDict()
        self._for_images = ThreadPoolExecutor(1, thread_name_prefix="encode-images", initializer=_step_back)
        self._for_texts = ThreadPoolExecutor(1, thread_name_prefix="encode-texts")

    @property
    def status(self) -> Status:
        if not self._candidates:
            return Status(State.OFF, reason="Search is switched off (FRAMEWELL_ENCODER=off).")
        if (encoder := self._encoder) is not None:
            facts = encoder.name, encoder.model, encoder.space, encoder.dimensions
            return Status(State.READY, *facts, reason=self._reason)
        if self._is_loading or not self._reason:
            return Status(State.LOADING)
        return Status(State.UNAVAILABLE, reason=self._reason)

    @property
    def is_first_choice(self) -> bool:
        """Whether it stands in for no better one."""
        return not self._passed_over

    async def ready(self) -> Encoder:
        """The encoder, loaded if need be.

        Raises:
            EncoderUnavailable: no candidate can be loaded; the message says why.
        """
        if not self._candidates:
            raise EncoderUnavailable(self.status.reason)
        if self._encoder is not None:
            return self._encoder
        async with self._loading:
            if self._encoder is None and self._clock() - self._failed_at >= RETRY_S:
                self._encoder = await self._loaded()
            if self._encoder is None:
                raise EncoderUnavailable(self._reason)
            return self._encoder

    async def images(self, batch: Sequence[Image], space: str = "") -> Vector:
        """Vectors of pictures.

        Args:
            space: the vectors' own, where others would be mistaken for them.

        Raises:
            EncoderUnavailable: no model, or no memory for it; the next call tries again. Or the model that was loaded
                again is another one.
        """
        encoder = await self._ready(space)
        return await self._run(self._for_images, lambda: encoder.images(batch))

    async def texts(self, batch: Sequence[str], space: str = "") -> Vector:
        """Vectors of texts, those asked for lately from memory.

        Raises:
            EncoderUnavailable: see `images`.
        """
        encoder = await self._ready(space)
        known = {text: self._texts[text] for text in batch if text in self._texts}
        if missing := [text for text in dict.fromkeys(batch) if text not in known]:
            rows = await self._run(self._for_texts, lambda: encoder.texts(missing))
            known |= dict(zip(missing, rows, strict=True))
        if encoder is self._encoder:
            for text in batch:
                self._texts[text] = known[text]
                self._texts.move_to_end(text)
        found = [known[text] for text in batch]
        while len(self._texts) > _TEXTS:
            self._texts.popitem(last=False)
        return np.stack(found) if found else np.zeros((0, encoder.dimensions), np.float32)

    async def _ready(self, space: str) -> Encoder:
        encoder = await self.ready()
        if space not in ("", encoder.space):
            raise EncoderUnavailable("The model was changed while it was asked; ask again.")
        return encoder

    async def close(self) -> None:
        """What was asked before is still answered: a cancelled future would look as if its asker was cancelled."""
        for threads in (self._for_images, self._for_texts):
            threads.shutdown(wait=False)

    async def _loaded(self) -> Encoder | None:
        """The first candidate that loads; what the others said is the reason."""
        self._is_loading = True
        reasons = list(self._passed_over)
        try:
            for called, load in self._candidates:
                try:
                    encoder = await asyncio.get_running_loop().run_in_executor(self._for_texts, load)
                except (EncoderUnavailable, ImportError, MemoryError) as error:
                    reasons.append(str(error) or "There is not enough memory.")
                    self._say(called, reasons[-1])
                    continue
                except Exception as error:  # noqa: BLE001 - an installation that does not fit together has many words
                    reasons.append(f"{called} cannot be loaded: {_first_line(error)}.")
                    self._say(called, reasons[-1], error)
                    continue
                logger.info("encoder: %s, %d dimensions", encoder.model, encoder.dimensions)
                self._candidates, self._passed_over = [(called, load)], reasons
                self._said.clear()
                return encoder
            self._failed_at = self._clock()
            return None
        finally:
            self._reason = " ".join(reasons)
            self._is_loading = False

    def _say(self, called: str, reason: str, error: Exception | None = None) -> None:
        """Once: it is tried again every few seconds. Addresses and sizes are other ones each time."""
        alike = _NUMBER.sub("#", reason)
        level = logging.DEBUG if self._said.get(called) == alike else logging.WARNING
        logger.log(level, "%s is not available: %s", called, reason, exc_info=error)
        self._said[called] = alike

    async def _run(self, threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, work)
        except (MemoryError, RuntimeError) as error:
            # torch has many names for "no memory" and a lost device; all are RuntimeError.
            self._encoder = None
            self._texts.clear()
            self._failed_at = self._clock()
            self._reason = f"The model failed: {(str(error) or 'not enough memory').splitlines()[0]}"
            logger.exception("the encoder failed and will be loaded again")
            raise EncoderUnavailable(self._reason) from error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def _step_back() -> None:
    """Pictures come by the thousand: behind thumbnails and everything else that somebody waits for. The threads that a
    model starts from this one take it over."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)

"""One render process as its parent sees it: started when needed, killed when it hangs, let go when idle."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from media_common import framed

from thumbnail_service.domain.jobs import Job, Outcome, Result
from thumbnail_service.domain.limits import Limits
from thumbnail_service.render_child import DESCRIBE, LOOK, MAKE, READY, STAND_IN

logger = logging.getLogger(__name__)

#: The largest thumbnail (1024 x 1024 RGBA, incompressible) is half of it; more is a broken stream.
_MOST_BYTES: Final = 16 * 1024 * 1024
#: Loading the libraries takes 0.2 s; a busy machine may take long.
_START_LIMIT_S: Final = 30.0
_STAND_IN_LIMIT_S: Final = 10.0
#: After so many jobs a fresh process gives back whatever the libraries have leaked or fragmented.
_JOBS_A_LIFE: Final = 2000


class RenderDied(Exception):
    """The render process ended or hung; it is gone, the next job gets a new one. The text is a sentence."""


class RenderProcess:
    """Not for two jobs at a time: who calls holds the only slot."""

    def __init__(
        self, environment: Mapping[str, str], memory_mb: int, limits: Limits, image_limit_s: float, video_limit_s: float
    ) -> None:
        self._environment = dict(environment)
        self._arguments = [str(memory_mb), str(limits.streamed_mpx), str(limits.decoded_mpx)]
        self._image_limit_s = image_limit_s
        self._video_limit_s = video_limit_s
        self._process: asyncio.subprocess.Process | None = None
        self._jobs = 0

    @property
    def pid(self) -> int | None:
        """Of the running process; None between two."""
        return self._process.pid if self._process is not None else None

    async def make(self, job: Job) -> Outcome:
        """Render and store.

        Raises:
            RenderDied: crashed, killed for its memory, or over its time.
        """
        result, reason, png = await self._asked(MAKE, job, self._limit_s(job))
        return Outcome(Result(int(result)), png, reason.decode())

    async def describe(self, job: Job) -> bytes:
        """What is inside the file, as `making.describe` writes it.

        Raises:
            RenderDied: as for `make`.
        """
        return (await self._asked(DESCRIBE, job, self._limit_s(job)))[2]

    async def look(self, job: Job) -> Outcome:
        """The figures of a picture, as `making.look_at` finds them, where a thumbnail would be.

        Raises:
            RenderDied: as for `make`.
        """
        result, reason, figures = await self._asked(LOOK, job, self._limit_s(job))
        return Outcome(Result(int(result)), figures, reason.decode())

    def _limit_s(self, job: Job) -> float:
        return self._video_limit_s if job.is_video else self._image_limit_s

    async def stand_in(self, job: Job) -> bytes:
        """The placeholder for a job that killed its process."""
        _, _, png = await self._asked(STAND_IN, job, _STAND_IN_LIMIT_S)
        return png

    async def _asked(self, what: bytes, job: Job, limit_s: float) -> list[bytes]:
        if self._jobs >= _JOBS_A_LIFE:
            await self.stop()
        process = self._process or await self._started()
        self._jobs += 1
        try:
            size = b"%d" % job.size_px
            fields = [what, job.root, job.relative, size, job.state_cache, job.sha256, job.told_extension]
            return await self._exchange(process, fields, limit_s)
        except BaseException:  # a cancelled exchange leaves an answer in the pipe that is nobody's
            await self._kill()
            raise

    async def _started(self) -> asyncio.subprocess.Process:
        self._jobs = 0
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "thumbnail_service.render_child",
            *self._arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=self._environment,
            # A thumbnail passes in a few reads instead of many.
            limit=1024 * 1024,
        )
        try:
            (ready,) = await self._exchange(process, None, _START_LIMIT_S)
            if ready != READY:
                raise RenderDied("The render process did not start.")
        except BaseException:
            await self._kill()
            raise
        logger.debug("render process %d started", process.pid)
        return process

    async def _exchange(
        self, process: asyncio.subprocess.Process, fields: Sequence[bytes] | None, limit_s: float
    ) -> list[bytes]:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            async with asyncio.timeout(limit_s):
                if fields is not None:
                    process.stdin.write(framed.pack(fields))
                    await process.stdin.drain()
                (length,) = framed.LENGTH.unpack(await process.stdout.readexactly(framed.LENGTH.size))
                if length > _MOST_BYTES:
                    raise RenderDied("The render process answered nonsense.")
                return framed.unpack(await process.stdout.readexactly(length))
        except TimeoutError as error:
            raise RenderDied(f"Rendering took more than {limit_s:g} s.") from error
        except (asyncio.IncompleteReadError, ConnectionError, ValueError) as error:
            code = await process.wait()
            logger.warning("render process %d ended with %d", process.pid, code)
            raise RenderDied("The render process died on the file.") from error

    async def _kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def stop(self) -> None:
        """Let it go; it ends when its input does. The next job starts another."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(2):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

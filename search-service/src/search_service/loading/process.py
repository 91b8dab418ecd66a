"""One decoding process as its parent sees it: started when needed, killed when it hangs, let go when idle."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from media_common import framed

from search_service.domain.errors import OutOfReach
from search_service.loading.child import NICE, READY

logger = logging.getLogger(__name__)

#: Loading the libraries takes 0.3 s; a busy machine may take long.
_START_LIMIT_S: Final = 30.0
#: 32 frames, or a picture; more is a broken stream.
_MOST_BYTES: Final = 64 * 1024 * 1024
#: After so many files a fresh process gives back whatever the libraries have leaked or fragmented.
_FILES_A_LIFE: Final = 2000


class DecodingProcess:
    """Not for two files at a time: who calls holds it."""

    def __init__(self, environment: Mapping[str, str], memory_mb: int, nice: int = NICE) -> None:
        self._environment = dict(environment)
        self._memory_mb = memory_mb
        self._nice = nice
        self._process: asyncio.subprocess.Process | None = None
        self._files = 0

    @property
    def pid(self) -> int | None:
        """Of the running process; None between two."""
        return self._process.pid if self._process is not None else None

    async def asked(self, fields: Sequence[bytes], limit_s: float) -> list[bytes]:
        """The answer of `child.answer`.

        Raises:
            OutOfReach: crashed, killed for its memory, or over its time; it is gone, the next file gets a new one.
        """
        if self._files >= _FILES_A_LIFE:
            await self.stop()
        process = self._process or await self._started()
        self._files += 1
        try:
            return await _exchange(process, fields, limit_s)
        except BaseException:  # a cancelled exchange leaves an answer in the pipe that is nobody's
            await self._kill()
            raise

    async def _started(self) -> asyncio.subprocess.Process:
        self._files = 0
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "search_service.loading.child",
            str(self._memory_mb),
            str(self._nice),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=self._environment,
            # A picture passes in a few reads instead of many.
            limit=4 * 1024 * 1024,
        )
        try:
            [ready] = await _exchange(process, None, _START_LIMIT_S)
            if ready != READY:
                raise OutOfReach("The decoding process did not start.")
        except BaseException:
            await self._kill()
            raise
        logger.debug("decoding process %d started", process.pid)
        return process

    async def _kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def stop(self) -> None:
        """Let it go; it ends when its input does. The next file starts another."""
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


async def _exchange(process: asyncio.subprocess.Process, fields: Sequence[bytes] | None, limit_s: float) -> list[bytes]:
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(limit_s):
            if fields is not None:
                process.stdin.write(framed.pack(fields))
                await process.stdin.drain()
            [length] = framed.LENGTH.unpack(await process.stdout.readexactly(framed.LENGTH.size))
            if length > _MOST_BYTES:
                raise OutOfReach("The decoding process answered nonsense.")
            return framed.unpack(await process.stdout.readexactly(length))
    except TimeoutError as error:
        raise OutOfReach(f"Decoding took more than {limit_s:g} s.") from error
    except (asyncio.IncompleteReadError, ConnectionError, ValueError) as error:
        code = await process.wait()
        logger.warning("decoding process %d ended with %d", process.pid, code)
        raise OutOfReach("The decoding process died on the file.") from error

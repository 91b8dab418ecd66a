"""The render process: what it survives, what kills it, and that it takes nobody with it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import zlib
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from media_common import framed
from thumbnail_service.config import render_environment
from thumbnail_service.domain.jobs import Job, Result
from thumbnail_service.render_process import RenderDied, RenderProcess
from thumbnail_service.testing import opened, png_header, save_photo

MakeProcess = Callable[..., RenderProcess]


def job(path: Path) -> Job:
    return Job(os.fsencode(path.parent), os.fsencode(path.name), 128)


async def test_one_process_makes_many_thumbnails(make_process: MakeProcess, tmp_path: Path) -> None:
    process = make_process()
    pids = set()
    for number in range(3):
        outcome = await process.make(job(save_photo(tmp_path / f"{number}.jpg")))
        assert outcome.result is Result.MADE
        assert opened(outcome.png).size == (128, 128)
        pids.add(process.pid)
    assert len(pids) == 1


async def test_a_killed_process_fails_its_job_and_the_next_gets_a_new_one(
    make_process: MakeProcess, tmp_path: Path
) -> None:
    process = make_process()
    photo = save_photo(tmp_path / "a.jpg")
    await process.make(job(photo))
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(RenderDied, match="died"):
        await process.make(job(photo))
    assert (await process.make(job(photo))).result is Result.FRESH


async def test_a_process_that_hangs_is_killed_when_its_time_is_over(make_process: MakeProcess, tmp_path: Path) -> None:
    process = make_process(limit_s=0.5)
    photo = save_photo(tmp_path / "a.jpg")
    await process.make(job(photo))
    hung = process.pid
    assert hung is not None
    os.kill(hung, signal.SIGSTOP)
    with pytest.raises(RenderDied, match=r"more than 0\.5 s"):
        await process.make(job(photo))
    assert not psutil.pid_exists(hung)
    assert opened(await process.stand_in(job(photo))).size == (128, 128)


async def test_a_picture_that_needs_more_memory_than_there_is_fails_alone(
    make_process: MakeProcess, tmp_path: Path
) -> None:
    # Interlaced, so that it has to be held as a whole: 400 megapixels are 1.2 GB.
    header = png_header(20_000, 20_000)
    body = bytearray(header[12:29])
    body[-1] = 1
    header = header[:12] + bytes(body) + zlib.crc32(body).to_bytes(4, "big")
    packer = zlib.compressobj(1)
    data = b"".join([packer.compress(b"\0" * 1_000_001) for _ in range(300)] + [packer.flush()])
    chunk = b"IDAT" + data
    path = tmp_path / "a.png"
    path.write_bytes(header + len(data).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big"))
    process = make_process(memory_mb=700)
    with contextlib.suppress(RenderDied):  # as good: a library that gives up when memory ends
        assert (await process.make(job(path))).result is Result.UNREADABLE
    assert (await process.make(job(save_photo(tmp_path / "b.jpg")))).result is Result.MADE


async def test_a_cancelled_job_leaves_no_answer_for_the_next(make_process: MakeProcess, tmp_path: Path) -> None:
    process = make_process()
    await process.make(job(save_photo(tmp_path / "a.jpg", 90, 90)))
    cancelled = asyncio.create_task(process.make(job(save_photo(tmp_path / "b.jpg", 50, 50))))
    await asyncio.sleep(0)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    picture = opened((await process.make(job(save_photo(tmp_path / "c.jpg", 20, 10)))).png)
    assert picture.getbbox() == (54, 59, 74, 69)


async def test_a_process_that_was_let_go_has_ended(make_process: MakeProcess, tmp_path: Path) -> None:
    process = make_process()
    await process.make(job(save_photo(tmp_path / "a.jpg")))
    pid = process.pid
    assert pid is not None
    await process.stop()
    assert not psutil.pid_exists(pid)


def test_it_does_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    script = """
        import os, subprocess, sys, time
        child = subprocess.Popen([sys.executable, "-m", "thumbnail_service.render_child", "2048", "500", "100"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        child.stdout.read(13)
        print(child.pid, flush=True)
        time.sleep(60)
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, env=render_environment()
    )
    assert parent.stdout is not None
    with parent.stdout:
        child = psutil.Process(int(parent.stdout.readline()))
    os.kill(child.pid, signal.SIGSTOP)  # it could not see its input end
    parent.kill()
    parent.wait()
    psutil.wait_procs([child], timeout=10)
    assert not child.is_running()


def test_the_environment_of_a_render_process_holds_no_address_and_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NATS_URL", "nats://secret@127.0.0.1:1")
    monkeypatch.setenv("FRAMEWELL_ADMIN_KEY", "secret")
    assert "secret" not in str(render_environment())


@pytest.mark.parametrize("fields", [[], [b""], [b"a", b"", b"\0" * 1000]])
def test_a_message_is_what_was_packed(fields: list[bytes]) -> None:
    packed = framed.pack(fields)
    assert framed.LENGTH.unpack(packed[:4])[0] == len(packed) - 4
    assert framed.unpack(packed[4:]) == fields


@pytest.mark.parametrize("body", [b"\1", b"\5\0\0\0abc", b"\0\0\0\0\1\0"])
def test_a_message_cut_short_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="cut short"):
        framed.unpack(body)

"""What a picture is compared by: asked of the render process, and put into a message."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from thumbnail_service.domain.comparing import PROFILE
from thumbnail_service.domain.jobs import Job, Outcome, Result
from thumbnail_service.messages import look_reply_of
from thumbnail_service.render_process import RenderDied, RenderProcess
from thumbnail_service.testing import save_photo

MakeProcess = Callable[..., RenderProcess]


def job(path: Path) -> Job:
    return Job(os.fsencode(path.parent), os.fsencode(path.name), 1)


def gradient(path: Path, size: tuple[int, int] = (640, 400), orientation: int = 1, level: float = 1.0) -> Path:
    """Dark on the left, bright on the right."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.linear_gradient("L").rotate(90).resize(size).point(lambda value: value * level).save(path, exif=exif)
    return path


async def figures(process: RenderProcess, path: Path) -> dict[str, object]:
    outcome = await process.look(job(path))
    assert outcome.result is Result.UNSTORED
    return dict(json.loads(outcome.png))


async def test_a_look_measures_and_stores_nothing(make_process: MakeProcess, tmp_path: Path) -> None:
    process = make_process()
    photo = save_photo(tmp_path / "a.jpg")
    first = await figures(process, photo)
    assert await figures(process, photo) == first
    assert os.listdir(tmp_path) == ["a.jpg"]
    reply = look_reply_of(await process.look(job(photo)))
    assert (len(reply.figures.columns), len(reply.figures.rows)) == (PROFILE, PROFILE)
    assert reply.figures.hash == first["hash"]
    assert not reply.working
    assert not reply.again


async def test_profiles_are_of_the_upright_picture(make_process: MakeProcess, tmp_path: Path) -> None:
    process = make_process()
    for orientation, name in ((1, "columns"), (6, "rows")):
        told = await figures(process, gradient(tmp_path / f"{orientation}.jpg", orientation=orientation))
        profile = told[name]
        assert isinstance(profile, list)
        assert profile == sorted(profile)
        assert profile[0] < 20
        assert profile[-1] > 235


async def test_half_the_light_is_a_stop_less(make_process: MakeProcess, tmp_path: Path) -> None:
    process = make_process()
    stops = []
    for level in (1.0, 0.73):  # 0.5 to the power of 1 / 2.2
        told = await figures(process, gradient(tmp_path / "a.png", level=level))
        stops.append(told["exposure_ev"])
        assert isinstance(stops[-1], float)
    assert stops[0] - stops[1] == pytest.approx(1, abs=0.1)


async def test_what_has_no_picture_says_why(make_process: MakeProcess, tmp_path: Path) -> None:
    process = make_process()
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff\xe0 this was a picture once" * 20)
    reply = look_reply_of(await process.look(job(tmp_path / "a.jpg")))
    assert (reply.HasField("figures"), bool(reply.reason), reply.gone, reply.again) == (False, True, False, False)
    assert look_reply_of(await process.look(job(tmp_path / "no.jpg"))).gone
    unreachable = Job(os.fsencode(tmp_path / "away"), b"a.jpg", 1)
    assert look_reply_of(await process.look(unreachable)).again


async def test_a_killed_process_is_told(make_process: MakeProcess, tmp_path: Path) -> None:
    process = make_process()
    photo = save_photo(tmp_path / "a.jpg")
    await process.look(job(photo))
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(RenderDied):
        await process.look(job(photo))
    assert await figures(process, photo)


def test_what_another_worker_may_answer_is_to_be_asked_again() -> None:
    assert look_reply_of(Outcome(Result.FAILED, reason="Busy.")).again
    assert not look_reply_of(Outcome(Result.UNREADABLE, reason="Broken.")).again

"""What the file service tells Prometheus, from the real parts to the text of a scrape."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from fs_service.__main__ import core, running
from fs_service.config import FsSettings
from fs_service.domain.items import Action
from media_common.config import PublicSettings
from media_common.testing import free_port, scraped
from media_common.watching import watched

#: Nobody is there, so that events stay in the outbox.
NOWHERE = "nats://127.0.0.1:1"


async def until(listen: str, true: Callable[[dict[str, float]], bool]) -> dict[str, float]:
    """The first scrape of which it holds."""
    async with asyncio.timeout(20):
        while not true(samples := await scraped(listen)):  # noqa: ASYNC110 - it is another thread's news
            await asyncio.sleep(0.05)
    return samples


async def test_the_outbox_the_roots_and_the_deletions_are_told(tmp_path: Path) -> None:
    for name in ("here/a.jpg", "here/b.jpg", "here/c.jpg", "away/d.jpg"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"12345")
    (tmp_path / "state").mkdir()
    listen, settings = f"127.0.0.1:{free_port()}", FsSettings()
    with core(tmp_path / "state", settings) as parts:
        async with (
            watched("test", PublicSettings(METRICS_LISTEN=listen)) as watching,
            running(parts, tmp_path, NOWHERE, settings, watching),
        ):
            before = await scraped(listen)
            assert {name: value for name, value in before.items() if name.startswith("framewell_")} == {
                "framewell_outbox_events": 0,
                "framewell_root_scans_pending": 0,
                "framewell_roots{status=online}": 0,
                "framewell_roots{status=read-only}": 0,
                "framewell_roots{status=offline}": 0,
                "framewell_roots{status=swapped}": 0,
                "framewell_deletions_total{result=deleted}": 0,
                "framewell_deletions_total{result=kept}": 0,
                "framewell_deletions_total{result=failed}": 0,
                "framewell_deleted_bytes_total": 0,
                "framewell_deletions_in_progress": 0,
            }
            for folder in ("here", "away"):
                await asyncio.to_thread(parts.library.add_root, os.fsencode(tmp_path / folder))
            # An event and a job a file.
            await until(listen, lambda told: told["framewell_outbox_events"] == 8)
            await asyncio.to_thread(shutil.rmtree, tmp_path / "away")
            await until(listen, lambda told: told["framewell_roots{status=offline}"] == 1)

            for name in ("a.jpg", "b.jpg", "c.jpg"):
                await asyncio.to_thread(parts.deeds.act, os.fsencode(tmp_path / "here" / name), Action.TRASH)
            (tmp_path / "here/c.jpg").write_bytes(b"changed since")
            await asyncio.to_thread(lambda: list(parts.trash.empty(os.fsencode(tmp_path / "here"), None)))
            after = await scraped(listen)
    assert after["framewell_roots{status=online}"] == 1
    assert after["framewell_root_scans_pending"] == 0
    assert after["framewell_deletions_total{result=deleted}"] == 2
    assert after["framewell_deletions_total{result=kept}"] == 1
    assert after["framewell_deleted_bytes_total"] == 10


async def test_nothing_listens_without_an_address(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    settings = FsSettings()
    with core(tmp_path / "state", settings) as parts:
        async with watched("test", PublicSettings()) as watching, running(parts, tmp_path, "", settings, watching):
            assert watching.figures is None

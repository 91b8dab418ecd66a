"""The Python client's `review` against the running stack, blocking and awaited."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from api import visible
from both import listed, told
from framewell_client import BadRequest, Conflict, Dialect, Forbidden, PreconditionFailed
from media import many, picture

ODD = os.fsdecode(b"odd\xff name.jpg")


async def test_roots_come_and_go(client: Any, tmp_path: Path) -> None:
    (tmp_path / "new" / "below").mkdir(parents=True)
    path = str(tmp_path / "new")

    added = await told(client.review.add_path(path))
    known = await told(client.review.review_paths())
    folders = await told(client.review.folders(path))
    removed = await told(client.review.remove_path(tmp_path / "new"))

    assert added.added_path == removed.removed_path == path
    assert path in known.known_paths
    assert "/proc" in known.hidden_picker_paths
    assert path not in removed.known_paths
    assert [(one.name, one.has_children) for one in folders.folders] == [("below", False)]


async def test_a_root_is_listed_whole_whatever_the_names(client: Any, root: Path) -> None:
    paths = many(root / "sub", 7)
    picture(os.fsencode(root / ODD))

    items = await listed(client.review.items(root, page_size=3))
    behind = await listed(client.review.items(root, after=items[2].path, page_size=100))

    assert sorted(item.path for item in items) == sorted([*map(str, paths), str(root / ODD)])
    assert [item.path for item in behind] == [item.path for item in items[3:]]
    assert (items[-1].metadata.width, items[-1].metadata.height) == (64, 48)
    assert items[0].modified_at.tzinfo is not None
    assert await listed(client.review.items(root, status="locked")) == []
    files = await listed(client.review.files(root / "sub", page_size=2))
    page = await told(client.review.files_page(root / "sub", offset=1, limit=2))
    assert [item.path for item in files] == list(map(str, paths))
    assert (page.items, page.total, page.count) == (files[1:3], 7, 2)


async def test_marks_are_set_counted_and_refused(client: Any, root: Path) -> None:
    paths = many(root, 3)

    locked = await told(client.review.act(paths[0], "lock"))
    outcomes = await told(client.review.act_on_all([*paths[:2], root / "none.jpg"], "trash"))
    with pytest.raises(Conflict) as caught:
        await told(client.review.act(paths[0], "trash"))
    summary = await told(client.review.summary(root))

    assert locked.status.locked
    assert [outcome.error is None for outcome in outcomes] == [False, True, False]
    assert outcomes[1].status.trashed
    assert (caught.value.status, caught.value.dialect) == (409, Dialect.MEDIAREVIEWER)
    assert "locked" in caught.value.message
    assert len(caught.value.request_id) == 16
    assert (summary.counts.all, summary.counts.locked, summary.counts.trashed) == (3, 1, 1)


async def test_the_trash_is_emptied_by_a_plan(client: Any, root: Path) -> None:
    paths = many(root, 3)
    await told(client.review.act(paths[0], "trash"))
    plan = await told(client.platform.trash_plan(root))
    await told(client.review.act(paths[1], "trash"))

    with pytest.raises(PreconditionFailed):
        await listed(client.review.empty_trash(root, plan=plan.hash))
    plan = await told(client.platform.trash_plan(root))
    assert (plan.count, plan.roots[0].state) == (2, "online")
    events = await listed(client.review.empty_trash(root, plan=plan.hash))

    assert [event.path for event in events if event.type == "deleted"] == list(map(str, paths[:2]))
    assert (events[-1].type, events[-1].deleted, events[-1].errors) == ("done", 2, 0)
    assert visible(root) == [paths[2].name]


async def test_files_and_thumbnails_are_read(client: Any, root: Path) -> None:
    path = root / ODD
    picture(os.fsencode(path))
    whole = path.read_bytes()

    assert b"".join(await listed(client.review.file(path))) == whole
    assert b"".join(await listed(client.review.file(path, first=3, last=9))) == whole[3:10]
    assert b"".join(await listed(client.review.file(path, last=5))) == whole[-5:]
    assert (await told(client.review.thumbnail(path, 64))).startswith(b"\x89PNG")
    with pytest.raises(Forbidden, match="not under a configured review path"):
        await listed(client.review.file("/etc/passwd"))
    with pytest.raises(BadRequest):
        await told(client.review.thumbnail(path, 5000))


async def test_health_settings_and_log_are_told(client: Any) -> None:
    health = await told(client.review.health())
    changed = await told(client.review.change_settings(video_preload_mb=60))
    logs = await told(client.review.logs(5))

    assert (health.status, health.service) == ("ok", "mediareviewer-api")
    assert health.deletion_queue.max_workers >= 1
    assert changed.video_preload_mb == (await told(client.review.settings())).video_preload_mb == 60
    assert await told(client.review.change_settings(video_preload_mb=50))
    assert logs.available
    assert len(logs.lines) <= 5

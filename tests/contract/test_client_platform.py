"""The Python client's `platform` against the running stack, blocking and awaited."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from both import found, listed, told
from framewell_client import AsyncFramewell, Dialect, Framewell, NotFound, Unauthorized
from media import many


async def test_how_it_is_can_be_asked(client: Any) -> None:
    readiness = await told(client.platform.readiness())
    jobs = await told(client.platform.jobs())

    assert await told(client.platform.is_live())
    assert readiness.is_ready
    assert readiness.dependencies
    assert {"index", "thumbnail", "embed"} <= set(jobs.queues)
    assert jobs.encoder.state in ("off", "loading", "ready", "unavailable")
    assert await told(client.platform.retry_dead_jobs()) >= 0
    paused = await told(client.platform.pause_embedding())
    assert (await told(client.platform.jobs())).queues["embed"].paused is paused
    assert await told(client.platform.pause_embedding(False)) is False
    assert (await told(client.platform.jobs())).queues["embed"].paused is False
    assert "# TYPE" in await told(client.platform.metrics())
    assert "/v1/media" in (await told(client.platform.openapi()))["paths"]


async def test_every_face_of_an_item_leads_to_the_others(client: Any, root: Path) -> None:
    (path,) = many(root, 1)

    faces = await found(lambda: client.platform.resolve_path(path))

    assert faces.path == str(path)
    for face in (faces.item_id, faces.media_id, faces.wickson_id):
        assert await told(client.platform.resolve_id(face)) == faces
    assert await told(client.platform.resolve_id(faces.item_id, faces.collection.slug)) == faces
    assert (await told(client.platform.resolve_path(root))).collection == faces.collection
    with pytest.raises(NotFound) as caught:
        await told(client.platform.resolve_id("0" * 32))
    assert caught.value.dialect is Dialect.PLATFORM


async def test_a_key_works_until_it_is_revoked(client: Any, stack: Any) -> None:
    made = await told(client.platform.create_key("for a test", ["read"], expires_in_days=1))
    reader = type(client)(stack.url, made.key)

    assert made.key not in repr(made)
    assert (await told(reader.coreviz.me())).name == "for a test"
    listed_keys = {key.id: key for key in await told(client.platform.keys())}
    assert (listed_keys[made.id].key, listed_keys[made.id].expires_at) == (None, made.expires_at)
    assert await told(client.platform.revoke_key(made.id)) is None
    with pytest.raises(Unauthorized) as caught:
        await told(reader.coreviz.me())
    assert (caught.value.code, caught.value.dialect) == ("UNAUTHORIZED", Dialect.COREVIZ)
    await told(reader.aclose() if isinstance(reader, AsyncFramewell) else reader.close())


async def test_marks_are_taken_back(client: Any, root: Path) -> None:
    (path,) = many(root, 1)
    await told(client.review.act(path, "lock"))

    (outcome,) = await told(client.platform.undo(1))

    assert (outcome.path, outcome.error) == (str(path), None)
    assert not outcome.status.locked


async def test_events_are_followed_and_resumed(client: Any, root: Path) -> None:
    paths = many(root, 3)
    await told(client.review.act(paths[0], "seen"))
    begun = await next_state(client.platform.events("0"), paths[0])
    for path in paths[1:]:
        await told(client.review.act(path, "lock"))

    event = await next_state(client.platform.events(begun.id), paths[2])

    assert event.data["status"] == {"locked": True, "trashed": False, "seen": True}
    assert int(event.id) > int(begun.id)


async def next_state(stream: Any, path: Path) -> Any:
    """The next `state` of the path; the stream is left open to be collected, as a `break` leaves it."""
    if hasattr(stream, "__aiter__"):
        async with stream:
            async for event in stream:
                if event.kind == "state" and event.data["path"] == str(path):
                    return event
    with stream:
        return next(event for event in stream if event.kind == "state" and event.data["path"] == str(path))


async def test_signed_bytes_need_no_key(client: Any, root: Path) -> None:
    (path,) = many(root, 1)
    faces = await found(lambda: client.platform.resolve_path(path))
    media = await told(client.coreviz.get_media(faces.media_id))

    assert b"".join(await listed(client.platform.blob(media.blob))) == path.read_bytes()
    with pytest.raises(ValueError, match="no absolute"):
        client.platform.blob("/blob/x")


@pytest.mark.parametrize("leave", ["close", "drop"])
def test_a_stream_that_is_left_lets_its_connection_go(stack: Any, leave: str) -> None:
    transport = httpx.HTTPTransport()
    client = Framewell(stack.url, transport=transport)
    stream: Any = client.platform.events("0")
    next(stream)
    assert len(transport._pool.connections) == 1

    if leave == "close":
        stream.close()
    del stream

    assert transport._pool.connections == []
    client.close()

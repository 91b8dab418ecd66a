"""Uploads by the Python client to the running stack, blocking and awaited."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from both import listed, told
from framewell_client import UnsupportedMedia
from media import picture


async def test_a_file_is_uploaded_and_given_a_second_version(client: Any, tmp_path: Path) -> None:
    core = client.coreviz
    (organization,) = await told(core.organizations())
    dataset = await told(core.create_dataset(organization.id, "Uploads of the client"))
    picture(tmp_path / "a.png", colour="red")
    picture(tmp_path / "b.png", colour="blue")

    with (tmp_path / "a.png").open("rb") as file:
        first = await told(core.upload(dataset.id, file, "shoe.png"))
    second_bytes = (tmp_path / "b.png").read_bytes()
    second = await told(core.upload(dataset.id, BytesIO(second_bytes), "shoe.png", source_media_id=first.media_id))

    shown = await told(core.get_media(second.media_id))
    assert (shown.name, shown.type, shown.size_bytes) == ("shoe.png", "image", len(second_bytes))
    assert b"".join(await listed(client.platform.blob(shown.blob))) == second_bytes
    assert {one.id for one in await told(core.versions(first.media_id))} == {first.media_id, second.media_id}
    gone = await told(core.delete_version(first.media_id, second.media_id))
    assert (gone.deleted_id, gone.promoted_id) == (second.media_id, first.media_id)


async def test_a_file_that_is_no_media_is_refused(client: Any) -> None:
    (organization,) = await told(client.coreviz.organizations())
    dataset = await told(client.coreviz.create_dataset(organization.id, "Refused uploads of the client"))

    with pytest.raises(UnsupportedMedia) as caught:
        await told(client.coreviz.upload(dataset.id, BytesIO(b"MZ" + bytes(3_000_000)), "setup.exe"))

    assert caught.value.status == 415
    assert await listed(client.coreviz.media(dataset.id)) == []

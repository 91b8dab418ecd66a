"""`framewell purge` before a catalogue that remembers uploads, or none."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from fake_metadata import FakeMetadata, serve_metadata
from gateway.catalogue import CatalogueClient
from gateway.clients import FsClient
from gateway.command import state_dir
from gateway.command.purging import purged
from gateway.command.stack import Refused, Stack
from gateway.config import GatewaySettings
from gateway.dependencies import Dependencies
from gateway.search import SearchClient
from media_common.blobs.folder import FolderStore
from media_common.config import PublicSettings
from media_proto import metadata_pb2 as pb


def old_blob(store: FolderStore, content: bytes) -> bytes:
    """Its name; it was uploaded long ago."""
    writer = store.writer()
    writer.write(content)
    sha256 = writer.commit().sha256
    os.utime(store.place(sha256), (0, 0))
    return sha256


async def purge(tmp_path: Path, known: Sequence[bytes], yes: bool) -> list[bool]:
    """Whether a person was asked in spite of what was agreed to, question by question."""
    asked: list[bool] = []

    def confirm(question: str, in_person: bool) -> bool:
        asked.append(in_person)
        return yes and not in_person

    target = f"unix:{tmp_path}/metadata.sock"
    answers = {
        "PurgeUploads": pb.PurgeUploadsResponse(),
        "FindBlobs": lambda request: pb.FindBlobsResponse(sha256=[one for one in request.sha256 if one in known]),
    }
    settings = GatewaySettings(fs_target=f"unix:{tmp_path}/fs.sock", metadata_target=target)
    public = PublicSettings(state_dir=tmp_path)
    async with serve_metadata(FakeMetadata(answers), target):
        fs, catalogue, search = FsClient.open(settings), CatalogueClient.open(settings), SearchClient.open(settings)
        dependencies = Dependencies(fs, settings)
        try:
            await purged(Stack(tmp_path, "", fs, catalogue, search, dependencies), public, None, confirm)
        finally:
            await dependencies.close()
            await search.close()
            await catalogue.close()
            await fs.close()
    return asked


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FolderStore:
    monkeypatch.delenv("S3_ENDPOINT", raising=False)
    return FolderStore(tmp_path / "blobs")


async def test_what_nothing_refers_to_goes_as_agreed_and_the_rest_stays(store: FolderStore, tmp_path: Path) -> None:
    kept, lost = old_blob(store, b"kept"), old_blob(store, b"lost")
    assert await purge(tmp_path, [kept], yes=True) == [False, False]
    assert store.place(kept).exists()
    assert not store.place(lost).exists()


async def test_nothing_is_removed_while_a_backup_is_made(store: FolderStore, tmp_path: Path) -> None:
    lost = old_blob(store, b"lost")
    with state_dir.uploads_stay(tmp_path), pytest.raises(Refused, match="A backup is being made"):
        await purge(tmp_path, [old_blob(store, b"kept")], yes=True)
    assert store.place(lost).exists()


async def test_a_catalogue_that_knows_no_upload_takes_none_away_unasked(store: FolderStore, tmp_path: Path) -> None:
    blobs = [old_blob(store, b"one"), old_blob(store, b"two")]
    assert await purge(tmp_path, [], yes=True) == [False, True]
    assert all(store.place(sha256).exists() for sha256 in blobs)

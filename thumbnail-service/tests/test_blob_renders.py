"""Uploads at a worker: from the blob store, back into it, and what is inside them to the catalogue."""

from __future__ import annotations

import json
import os
import wave
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from media_common import subjects
from media_common.blobs.folder import FolderStore
from media_common.blobs.s3 import S3Store
from media_common.testing import free_port
from media_proto import thumbnail_pb2
from nats.aio.client import Client
from nats.aio.msg import Msg
from PIL import Image
from pypdf import PdfWriter
from thumbnail_service.blob_renders import BlobRenders, description_of
from thumbnail_service.domain.jobs import Ack, BadJob, Job, Result, verdict
from thumbnail_service.render_process import RenderProcess
from thumbnail_service.renders import Renders
from thumbnail_service.testing import opened, save_photo, save_video

MakeProcess = Callable[..., RenderProcess]
_MAKE, _MODEL, _ORIENTATION = 0x010F, 0x0110, 0x0112


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "blobs")


@pytest.fixture
async def blobs(store: FolderStore, make_process: MakeProcess) -> AsyncIterator[BlobRenders]:
    renders = Renders([make_process()], idle_s=60)
    yield BlobRenders(store, renders)
    await renders.close()


@pytest.fixture
async def told(client: Client) -> list[thumbnail_pb2.BlobDescription]:
    """A catalogue that writes everything down, and what it has written."""
    written: list[thumbnail_pb2.BlobDescription] = []

    async def on_description(message: Msg) -> None:
        written.append(thumbnail_pb2.BlobDescription.FromString(message.data))
        await message.respond(b"")

    await client.subscribe(subjects.DESCRIBE, cb=on_description)
    await client.flush()
    return written


def put(store: FolderStore, path: Path) -> bytes:
    writer = store.writer()
    writer.write(path.read_bytes())
    return writer.commit().sha256


def job(sha256: bytes, extension: bytes = b"jpg", size_px: int = 128) -> Job:
    return Job(b"", b"", size_px, sha256=sha256, told_extension=extension)


def photo(tmp_path: Path) -> Path:
    exif = Image.Exif()
    exif[_MAKE], exif[_MODEL], exif[_ORIENTATION] = "NIKON CORPORATION", "NIKON D90", 6
    return save_photo(tmp_path / "a.jpg", 400, 300, exif=exif)


async def test_a_blobs_thumbnail_is_kept_in_the_store_and_nowhere_else(
    blobs: BlobRenders, store: FolderStore, tmp_path: Path
) -> None:
    sha256 = put(store, photo(tmp_path))
    made = await blobs.asked(job(sha256))
    assert made.result is Result.MADE
    assert opened(made.png).size == (128, 128)
    assert store.thumbnail(sha256, 128) == made.png
    assert str(tmp_path).encode() not in made.png
    assert not any(".thumbnails" in folders for _, folders, _ in os.walk(tmp_path))
    again = await blobs.asked(job(sha256))
    assert (again.result, again.png) == (Result.FRESH, made.png)


async def test_what_is_inside_is_told_when_the_thumbnail_is_made(
    blobs: BlobRenders, store: FolderStore, tmp_path: Path, client: Client, told: list[thumbnail_pb2.BlobDescription]
) -> None:
    sha256 = put(store, photo(tmp_path))
    for result in (Result.MADE, Result.FRESH):  # a job that comes again tells it again
        assert (await blobs.looked_into(job(sha256), client)).result is result
        found = told.pop()
        assert (found.sha256, found.width_px, found.height_px) == (sha256, 300, 400)
        assert (found.make, found.model, found.orientation) == ("NIKON CORPORATION", "NIKON D90", 6)
        assert not found.HasField("duration_s")


async def test_a_video_has_a_duration(
    blobs: BlobRenders, store: FolderStore, tmp_path: Path, client: Client, told: list[thumbnail_pb2.BlobDescription]
) -> None:
    sha256 = put(store, save_video(tmp_path / "v.mp4", 3))
    assert (await blobs.looked_into(job(sha256, b"mp4"), client)).result is Result.MADE
    assert (told[0].width_px, told[0].height_px) == (160, 120)
    assert told[0].duration_s == pytest.approx(3, abs=0.2)


async def test_audio_has_a_duration_and_no_thumbnail(
    blobs: BlobRenders, store: FolderStore, tmp_path: Path, client: Client, told: list[thumbnail_pb2.BlobDescription]
) -> None:
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(2 * 8000 * 5))
    sha256 = put(store, tmp_path / "a.wav")
    outcome = await blobs.looked_into(job(sha256, b"wav"), client)
    assert (outcome.result, verdict(outcome, 1)) == (Result.PICTURELESS, Ack())
    assert told == [thumbnail_pb2.BlobDescription(sha256=sha256, duration_s=5)]
    assert store.thumbnail(sha256, 128) is None


async def test_a_document_has_pages_and_no_thumbnail(
    blobs: BlobRenders, store: FolderStore, tmp_path: Path, client: Client, told: list[thumbnail_pb2.BlobDescription]
) -> None:
    writer = PdfWriter()
    for _ in range(23):
        writer.add_blank_page(100, 100)
    writer.write(tmp_path / "a.pdf")
    sha256 = put(store, tmp_path / "a.pdf")
    assert (await blobs.looked_into(job(sha256, b"pdf"), client)).result is Result.PICTURELESS
    assert told == [thumbnail_pb2.BlobDescription(sha256=sha256, page_count=23)]
    assert store.thumbnail(sha256, 128) is None


_LOOP = b"1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[2 0 R 2 0 R]/Count 2>>endobj "


@pytest.mark.parametrize(
    ("extension", "content"),
    [
        (b"pdf", b"%PDF-1.7 broken"),
        (b"pdf", b"%PDF-1.7 " + _LOOP + b"trailer<</Root 1 0 R>>startxref 0 %%EOF"),
        (b"mp3", b"ID3 broken"),
        (b"wav", b"#EXTM3U\nfile:///etc/passwd\n"),
    ],
)
async def test_of_a_hostile_file_nothing_is_told_and_the_job_ends(
    blobs: BlobRenders, store: FolderStore, tmp_path: Path, client: Client, told: list[thumbnail_pb2.BlobDescription],
    extension: bytes, content: bytes,
) -> None:  # fmt: skip
    (tmp_path / "hostile").write_bytes(content)
    sha256 = put(store, tmp_path / "hostile")
    assert (await blobs.looked_into(job(sha256, extension), client)).result is Result.PICTURELESS
    assert told == [thumbnail_pb2.BlobDescription(sha256=sha256)]


async def test_a_job_is_not_done_before_the_catalogue_has_it(
    blobs: BlobRenders, store: FolderStore, tmp_path: Path, client: Client
) -> None:
    outcome = await blobs.looked_into(job(put(store, photo(tmp_path))), client)
    assert (outcome.result, outcome.reason) == (Result.UNSTORED, "The catalogue does not answer.")


async def test_a_broken_blob_is_told_about_as_far_as_it_goes(
    blobs: BlobRenders, store: FolderStore, tmp_path: Path, client: Client, told: list[thumbnail_pb2.BlobDescription]
) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    sha256 = put(store, tmp_path / "broken.jpg")
    outcome = await blobs.looked_into(job(sha256), client)
    assert outcome.result is Result.UNREADABLE
    assert store.thumbnail(sha256, 128) is None
    assert told == [thumbnail_pb2.BlobDescription(sha256=sha256)]


async def test_a_blob_that_is_gone_has_nothing_to_be_done(blobs: BlobRenders, client: Client) -> None:
    assert (await blobs.asked(job(bytes(32)))).result is Result.GONE
    assert (await blobs.looked_into(job(bytes(32)), client)).result is Result.GONE


async def test_a_store_that_does_not_answer_is_waited_for(make_process: MakeProcess, client: Client) -> None:
    renders = Renders([make_process()], idle_s=60)
    blobs = BlobRenders(S3Store(f"http://127.0.0.1:{free_port()}", "a", "b", "bucket"), renders)
    outcome = await blobs.looked_into(job(bytes(32)), client)
    assert outcome.result is Result.UNREACHABLE
    assert outcome.reason
    await renders.close()


@pytest.mark.parametrize(("sha256", "size_px"), [(b"short", 128), (bytes(32), 0), (bytes(32), 1025)])
def test_what_is_no_blob_or_no_size_is_no_job(sha256: bytes, size_px: int) -> None:
    with pytest.raises(BadJob):
        job(sha256, size_px=size_px)


def test_only_what_the_catalogue_knows_is_told() -> None:
    written = json.dumps({"width_px": 4, "height_px": None, "nonsense": 1, "lens": "50mm"}).encode()
    assert description_of(bytes(32), written) == thumbnail_pb2.BlobDescription(
        sha256=bytes(32), width_px=4, lens="50mm"
    )

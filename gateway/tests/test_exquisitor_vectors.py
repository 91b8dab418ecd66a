"""Vectors of a collection of Exquisitor: whose they are, what is refused before anything is imported, what search
gets."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import exquisitor_db as made
import numpy as np
import pytest
import zarr
from exquisitor_db import Media, Rows
from fake_fs import Refused as ServiceRefused
from fake_metadata import FakeMetadata, serve_metadata
from fake_search import FakeSearch, serve_search
from gateway.catalogue import CatalogueClient
from gateway.clients import FsClient
from gateway.command import importing
from gateway.command.exquisitor_file import Collection, Unreadable, examined, opened
from gateway.command.exquisitor_parts import Addresses
from gateway.command.exquisitor_vectors import INDEX_TAGSET, Vectors, vectors_of
from gateway.command.stack import Refused, Stack
from gateway.config import GatewaySettings
from gateway.dependencies import Dependencies
from gateway.errors import Failure
from gateway.search import SearchClient
from media_common.errors import ErrorCode
from media_proto import metadata_pb2, search_pb2

BASE = 2**40
DIMENSIONS = 6
Table = np.ndarray[Any, np.dtype[Any]]


def rows_with(indices: dict[int, int | str], called: str = INDEX_TAGSET, tagtype: int = 5) -> Rows:
    """Ten items and a group, of which some have a row number."""
    rows = Rows(tagsets={1: (called, tagtype), 2: ("Label", 1)})
    rows.medias = {number: Media(number, f"{number}.jpg", group=50) for number in range(1, 11)}
    rows.medias[50] = Media(50, "group")
    for tag_id, (item_id, index) in enumerate(indices.items(), start=100):
        rows.tags[tag_id] = (1, index)
        rows.medias[item_id].tags.add(tag_id)
    return rows


def table(rows: int = 20, dimensions: int = DIMENSIONS) -> Table:
    return np.random.default_rng(3).standard_normal((rows, dimensions)).astype(np.float32)


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[Callable[..., Collection]]:
    connections: list[sqlite3.Connection] = []

    def read(rows: Rows) -> Collection:
        file = made.write(rows, tmp_path / f"{len(connections)}.db")
        connections.append(sqlite3.connect(file))
        return examined(connections[-1])

    yield read
    for connection in connections:
        connection.close()


def saved(file: Path, vectors: Table) -> Path:
    if file.suffix == ".npy":
        np.save(file, vectors)
    elif "group" in file.name:
        group = zarr.open_group(file, mode="w")
        group.create_array("embeddings", data=vectors)
        group.create_array("ids", data=np.arange(len(vectors)))
    else:
        zarr.create_array(file, data=vectors, chunks=(3, vectors.shape[1]), zarr_format=2 if "old" in file.name else 3)
    return file


def unit(vectors: Table) -> Table:
    return vectors / np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)


def told(vectors: Vectors) -> dict[int, Table]:
    return {item: row for ids, some in vectors.batches() for item, row in zip(ids, some, strict=True)}


# --- whose they are ---
@pytest.mark.parametrize("name", ["v.npy", "v.zarr", "old.zarr", "group.zarr", "plain_folder"])
@pytest.mark.parametrize("kind", ["<f4", ">f8", "<f2"])
def test_each_item_gets_the_row_that_its_tag_names(
    collection: Callable[..., Collection], tmp_path: Path, name: str, kind: str
) -> None:
    vectors = table().astype(kind)
    indices: dict[int, int | str] = {1: 19, 2: 0, 3: 7, 9: 7}
    found = vectors_of(collection(rows_with(indices)), saved(tmp_path / name, vectors))

    assert found.dimensions == DIMENSIONS
    rows = told(found)
    assert rows.keys() == indices.keys()
    for item, index in indices.items():
        assert np.allclose(rows[item], unit(vectors)[int(index)], atol=1e-6)


def test_numbers_that_are_written_as_texts_and_a_name_in_other_letters_will_do(
    collection: Callable[..., Collection], tmp_path: Path
) -> None:
    found = vectors_of(collection(rows_with({1: "4"}, "clip index id", 1)), saved(tmp_path / "v.npy", table()))

    assert list(found.rows) == [(1, 4)]


def test_many_rows_near_and_far_come_in_batches(collection: Callable[..., Collection], tmp_path: Path) -> None:
    rows = Rows(tagsets={1: (INDEX_TAGSET, 5)})
    for number in range(1, 1001):
        rows.medias[number] = Media(number, f"{number}.jpg", tags={number})
        rows.tags[number] = (1, 3 * number if number % 100 else 40_000 - number)
    vectors = table(40_001)
    found = vectors_of(collection(rows), saved(tmp_path / "v.npy", vectors))

    assert max(len(ids) for ids, _ in found.batches()) <= 256
    expected = unit(vectors)
    assert all(np.allclose(row, expected[int(rows.tags[item][1])], atol=1e-6) for item, row in told(found).items())
    assert len(told(found)) == 1000


def test_very_large_and_very_small_numbers_are_vectors_too(
    collection: Callable[..., Collection], tmp_path: Path
) -> None:
    vectors = np.array([[1e300, 1e300], [1e-300, 0.0]])
    rows = told(vectors_of(collection(rows_with({1: 0, 2: 1})), saved(tmp_path / "v.npy", vectors)))

    assert np.allclose(rows[1], [0.5**0.5, 0.5**0.5])
    assert np.allclose(rows[2], [1, 0])


# --- what is refused ---
def broken(file: Path) -> Path:
    file.write_bytes(b"\x93NUMPY no more")
    return file


def pickled(file: Path) -> Path:
    np.save(file, np.array([{}, {}]), allow_pickle=True)
    return file


def two_tables(file: Path) -> Path:
    group = zarr.open_group(file, mode="w")
    for name in ("a", "b"):
        group.create_array(name, data=table())
    return file


@pytest.mark.parametrize(
    ("name", "make", "sentence"),
    [
        ("none.npy", lambda file: file, "There is no file"),
        ("v.txt", lambda file: (file.write_text("x"), file)[1], "neither .npy nor a folder of zarr"),
        ("v.npy", broken, "cannot be read"),
        ("v.npy", pickled, "cannot be read"),
        ("v.zarr", lambda file: (file.mkdir(), file)[1], "cannot be read"),
        ("v.zarr", two_tables, "holds 2 tables"),
        ("v.npy", lambda file: saved(file, np.zeros(5, np.float32)), "holds no vectors"),
        ("v.npy", lambda file: saved(file, np.zeros((5, 0), np.float32)), "holds no vectors"),
        ("v.npy", lambda file: saved(file, np.zeros((5, 4), np.int64)), "holds no vectors"),
        ("v.npy", lambda file: saved(file, table(3)), "The media 1 has the CLIP Index ID 3"),
        ("v.npy", lambda file: saved(file, np.zeros((5, 4), np.float32)), "The row 3 of"),
        ("v.npy", lambda file: saved(file, np.full((5, 4), np.nan, np.float32)), "The row 3 of"),
        ("v.npy", lambda file: saved(file, np.full((5, 4), np.inf, np.float32)), "The row 3 of"),
    ],
)
def test_a_file_without_fitting_vectors_is_refused_in_a_sentence(
    collection: Callable[..., Collection], tmp_path: Path, name: str, make: Callable[[Path], Path], sentence: str
) -> None:
    with pytest.raises(Unreadable) as caught:
        vectors_of(collection(rows_with({1: 3})), make(tmp_path / name))
    assert sentence in str(caught.value)


def test_a_piece_that_is_broken_is_refused(collection: Callable[..., Collection], tmp_path: Path) -> None:
    file = tmp_path / "v.zarr"
    zarr.create_array(file, data=table(), chunks=(20, DIMENSIONS))
    for chunk in (file / "c").rglob("*"):
        if chunk.is_file():
            chunk.write_bytes(chunk.read_bytes()[:3])

    with pytest.raises(Unreadable, match="cannot be read"):
        vectors_of(collection(rows_with({1: 3})), file)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (rows_with({1: 3}, "Index"), "There is no tagset 'CLIP Index ID'"),
        (rows_with({}), "No media has a CLIP Index ID"),
        (rows_with({50: 3}), "No media has a CLIP Index ID"),
        (rows_with({1: -1}), "is no row number"),
        (rows_with({1: "x"}, tagtype=1), "is no row number"),
        (rows_with({1: "9" * 30}, tagtype=1), "is no row number"),
        (rows_with({1: 2.5}, tagtype=6), "is no row number"),  # type: ignore[dict-item]
    ],
)
def test_tags_that_name_no_rows_are_refused(
    collection: Callable[..., Collection], tmp_path: Path, rows: Rows, sentence: str
) -> None:
    with pytest.raises(Unreadable) as caught:
        vectors_of(collection(rows), saved(tmp_path / "v.npy", table()))
    assert sentence in str(caught.value)


def test_an_item_with_two_row_numbers_is_refused(collection: Callable[..., Collection], tmp_path: Path) -> None:
    rows = rows_with({1: 3, 2: 4})
    rows.medias[1].tags |= rows.medias[2].tags

    with pytest.raises(Unreadable, match="The media 1 has more than one"):
        vectors_of(collection(rows), saved(tmp_path / "v.npy", table()))


# --- the import ---
class Taking(FakeMetadata):
    """Takes a collection, and keeps how many items it was told of."""

    parts = 0

    async def ImportCollection(self, requests: Any, context: Any) -> AsyncIterator[metadata_pb2.ImportStep]:
        async for part in requests:
            self.parts += 1
            if part.WhichOneof("part") == "end":
                made_of = metadata_pb2.Collection(id=3, uuid=bytes(16), slug="theirs", id_base=BASE)
                yield metadata_pb2.ImportStep(collection=made_of)
            else:
                yield metadata_pb2.ImportStep()


@pytest.fixture
async def metadata(tmp_path: Path) -> AsyncIterator[Taking]:
    fake = Taking()
    async with serve_metadata(fake, f"unix:{tmp_path}/metadata.sock"):
        yield fake


@pytest.fixture
async def search(tmp_path: Path) -> AsyncIterator[FakeSearch]:
    encoder = search_pb2.Encoder(name="open_clip", model="ViT", dimensions=DIMENSIONS, space="vit-6")
    fake = FakeSearch(
        {
            "EmbedTexts": search_pb2.Vectors(),
            "ListModels": search_pb2.Models(encoder=encoder),
            "PutVectors": lambda request: search_pb2.PutVectorsResponse(written=len(request.item_ids)),
        }
    )
    async with serve_search(fake, f"unix:{tmp_path}/search.sock"):
        yield fake


@pytest.fixture
async def stack(metadata: Taking, search: FakeSearch, tmp_path: Path) -> AsyncIterator[Stack]:
    targets = {f"{name}_target": f"unix:{tmp_path}/{name}.sock" for name in ("fs", "metadata", "search")}
    settings = GatewaySettings(**targets)
    fs, catalogue, client = FsClient.open(settings), CatalogueClient.open(settings), SearchClient.open(settings)
    dependencies = Dependencies(fs, settings)
    yield Stack(tmp_path, "", fs, catalogue, client, dependencies)
    await dependencies.close()
    for one in (fs, catalogue, client):
        await one.close()


async def imported(stack: Stack, folder: Path, vectors: Table | None) -> dict[str, Any]:
    file = made.write(rows_with({1: 5, 2: 6, 4: 7}), folder / "theirs.db")
    vector_file = None if vectors is None else saved(folder / "v.npy", vectors)
    with importing.bar_for(people=False) as bar:
        return await importing.imported(stack, file, "theirs", Addresses("", ""), vector_file, bar)


async def test_vectors_go_into_search_by_the_ids_of_the_new_collection(
    stack: Stack, search: FakeSearch, tmp_path: Path
) -> None:
    vectors = table()
    answer = await imported(stack, tmp_path, vectors)

    assert (answer["items"], answer["vectors"]) == (10, 3)
    put = search.last("PutVectors")
    assert (put.space, list(put.item_ids)) == ("vit-6", [BASE + 1, BASE + 2, BASE + 4])
    assert np.allclose([one.values for one in put.vectors], unit(vectors)[[5, 6, 7]], atol=1e-6)


async def test_without_vectors_search_is_not_asked(stack: Stack, search: FakeSearch, tmp_path: Path) -> None:
    assert "vectors" not in await imported(stack, tmp_path, None)
    assert not search.asked


async def test_other_dimensions_than_the_encoders_are_refused_before_anything_is_imported(
    stack: Stack, metadata: Taking, tmp_path: Path
) -> None:
    with pytest.raises(Refused) as caught:
        await imported(stack, tmp_path, table(dimensions=7))

    assert "The vectors have 7 numbers, those of the encoder in use (open_clip ViT) 6" in str(caught.value)
    assert metadata.parts == 0


async def test_without_an_encoder_nothing_is_imported(
    stack: Stack, metadata: Taking, search: FakeSearch, tmp_path: Path
) -> None:
    search.answers["EmbedTexts"] = ServiceRefused(ErrorCode.SERVICE_UNAVAILABLE, "Search is switched off.")

    with pytest.raises(Failure) as caught:
        await imported(stack, tmp_path, table())
    assert caught.value.message == "semantic search is not available: Search is switched off."
    assert metadata.parts == 0


async def test_search_that_is_away_for_a_moment_goes_unnoticed(
    stack: Stack, search: FakeSearch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "_PAUSE_S", 0.01)
    answers: list[Any] = [ServiceRefused(ErrorCode.SERVICE_UNAVAILABLE, "The store is away.")] * 3

    def put(request: search_pb2.PutVectorsRequest) -> Any:
        return answers.pop() if answers else search_pb2.PutVectorsResponse(written=len(request.item_ids))

    search.answers["PutVectors"] = put
    assert (await imported(stack, tmp_path, table()))["vectors"] == 3


async def test_vectors_that_search_will_not_take_are_told_of(
    stack: Stack, search: FakeSearch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "_PAUSE_S", 0.01)
    for code, words in (
        (ErrorCode.SERVICE_UNAVAILABLE, "The store is away."),
        (ErrorCode.INVALID_ARGUMENT, "It has 5 dimensions."),
    ):
        search.answers["PutVectors"] = ServiceRefused(code, words)
        folder = tmp_path / code
        folder.mkdir()
        with pytest.raises(Refused) as caught:
            await imported(stack, folder, table())
        assert "The collection theirs is imported, but only 0 of its 3 vectors: " in str(caught.value)
        assert words in str(caught.value)


def test_the_reader_leaves_the_files_as_they_are(tmp_path: Path) -> None:
    file = made.write(rows_with({1: 5}), tmp_path / "theirs.db")
    vectors = saved(tmp_path / "v.zarr", table())
    shutil.copytree(vectors, tmp_path / "copy")
    with opened(file) as connection:
        told(vectors_of(examined(connection), vectors))

    for one in vectors.rglob("*"):
        if one.is_file():
            assert one.read_bytes() == (tmp_path / "copy" / one.relative_to(vectors)).read_bytes()

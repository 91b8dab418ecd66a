"""The process from outside: it lives, answers honestly, and stops when it is asked to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from media_common import kept
from media_proto import metadata_pb2 as pb
from media_proto import metadata_pb2_grpc
from metadata_service.domain.filters import Sort
from metadata_service.domain.media import Kind, Source
from metadata_service.domain.tags import TagType
from metadata_service.store import indexing
from metadata_service.store.sqlite import Database

NAME = "framewell.metadata.v1.MetadataService"


@contextmanager
def process(folder: Path, **environment: str) -> Iterator[tuple[grpc.Channel, subprocess.Popen[bytes]]]:
    """The service on a socket of its own, and a channel that is ready."""
    address = f"unix:{folder}/metadata.sock"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FRAMEWELL_")}
    running = subprocess.Popen(
        [sys.executable, "-m", "metadata_service"],
        env={**clean, "METADATA_LISTEN": address, "FRAMEWELL_STATE_DIR": str(folder / "state"), **environment},
    )
    try:
        with grpc.insecure_channel(address, [("grpc.max_reconnect_backoff_ms", 100)]) as channel:
            grpc.channel_ready_future(channel).result(timeout=20)
            yield channel, running
    finally:
        running.kill()
        running.wait()


def stub(channel: grpc.Channel) -> metadata_pb2_grpc.MetadataServiceStub:
    return metadata_pb2_grpc.MetadataServiceStub(channel)


def test_it_serves_and_stops_when_asked(tmp_path: Path) -> None:
    with process(tmp_path) as (channel, running):
        health = health_pb2_grpc.HealthStub(channel)
        serving = health.Check(health_pb2.HealthCheckRequest(service=NAME), timeout=5)
        assert serving.status == health_pb2.HealthCheckResponse.SERVING
        assert stub(channel).GetReadiness(pb.GetReadinessRequest(), timeout=5) == pb.Readiness(ready=True)
        asked = [reflection_pb2.ServerReflectionRequest(list_services="")]
        answers = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter(asked), timeout=5)
        assert NAME in {service.name for service in next(answers).list_services_response.service}
        running.send_signal(signal.SIGTERM)
        assert running.wait(5) == 0


def test_the_catalogue_over_a_real_socket(tmp_path: Path) -> None:
    with process(tmp_path) as (channel, _):
        service = stub(channel)
        collection = service.CreateCollection(pb.CreateCollectionRequest(name="Mine", icon="x"), timeout=5)
        folder = service.CreateFolder(pb.CreateFolderRequest(collection="mine", name="Süd"), timeout=5)
        assert [bytes(label) for label in folder.path] == [collection.uuid, folder.uuid]
        upload = pb.AddUploadRequest(
            collection=collection.uuid.hex(),
            path=folder.path,
            name="a.jpg",
            kind=pb.MEDIA_KIND_IMAGE,
            sha256=b"1" * 32,
            content_type="image/jpeg",
            facts=pb.Facts(size_bytes=5, width_px=3, taken_us=0),
        )
        added = service.AddUpload(upload, timeout=5)
        assert (added.facts.width_px, added.facts.HasField("height_px"), added.tags["Year"].values[0].whole) == (
            3, False, 1970,
        )  # fmt: skip
        service.AddTag(pb.TagRequest(uuid=added.uuid, label="color", value="red"), timeout=5)
        asked = pb.ListMediaRequest(
            collection="mine",
            recursive=True,
            kinds=[pb.MEDIA_KIND_IMAGE],
            limit=10,
            tag_filters=[pb.TagFilter(tagset="color", values=["red", "blue"])],
        )
        page = service.ListMedia(asked, timeout=5)
        assert (page.total, page.media[0].uuid, page.media[0].metadata_json) == (1, added.uuid, "{}")
        edited = service.EditMedia(
            pb.EditMediaRequest(uuid=added.uuid, metadata_json='{"description": "a cat"}'), timeout=5
        )
        assert edited.description == "a cat"
        hits = service.FindText(pb.FindTextRequest(collection="mine", text="cats cat", limit=5), timeout=5)
        assert [hit.item_id for hit in hits.hits] == [added.item_id]
        asked_of = pb.FindTextRequest(collection="mine", text="cats cat", limit=5, as_columns=True)
        columns = service.FindText(asked_of, timeout=5)
        assert (columns.item_ids, columns.bm25, columns.hits) == ([added.item_id], [hits.hits[0].bm25], [])
        moved = service.MoveMedia(pb.MoveMediaRequest(uuid=added.uuid, path=[collection.uuid]), timeout=5)
        assert moved.relative_path == b"a.jpg"
        newest = service.ListNewest(pb.ListNewestRequest(all_collections=True, limit=5), timeout=5)
        assert [item.item_id for item in newest.media] == [added.item_id]
        for face in (
            pb.ResolveRequest(uuid=added.uuid), pb.ResolveRequest(item_id=added.item_id),
        ):  # fmt: skip
            assert service.Resolve(face, timeout=5).media.item_id == added.item_id
        found = service.GetItems(
            pb.GetItemsRequest(collection="mine", relative_ids=[added.item_id, 999], tagset_ids=range(1, 20)), timeout=5
        )
        assert [(item.uri, item.kind) for item in found.items] == [(b"a.jpg", pb.MEDIA_KIND_IMAGE)]
        asked_for = [pb.GetItemsRequest(collection=name, relative_ids=[added.item_id]) for name in ("mine", "none")]
        each = service.GetItemsOfEach(pb.GetItemsOfEachRequest(requests=asked_for), timeout=5)
        assert [list(answer.items.uris) for answer in each.answers] == [[b"a.jpg"], []]
        assert [answer.HasField("items") for answer in each.answers] == [True, False]
        others = service.GetRelatedOfEach(pb.GetItemsOfEachRequest(requests=asked_for), timeout=5)
        assert [list(answer.items.related) for answer in others.answers] == [[added.item_id], []]
        assert [answer.HasField("items") for answer in others.answers] == [True, False]
        assert service.GetIndexing(pb.GetIndexingRequest(), timeout=5) == pb.Indexing()


def test_search_asks_and_tells_over_a_real_socket(tmp_path: Path) -> None:
    with process(tmp_path) as (channel, _):
        service = stub(channel)
        collection = service.CreateCollection(pb.CreateCollectionRequest(name="Mine"), timeout=5)
        facts = pb.Facts(size_bytes=5)
        upload = pb.AddUploadRequest(
            collection="mine", name="a.jpg", kind=pb.MEDIA_KIND_IMAGE, sha256=b"1" * 32, facts=facts
        )
        added = service.AddUpload(upload, timeout=5)
        service.AddTag(pb.TagRequest(uuid=added.uuid, label="color", value="red"), timeout=5)
        listed = service.ListSearchable(pb.ListSearchableRequest(limit=10), timeout=5)
        assert list(listed.ids) == [added.item_id]
        service.SetEmbedded(pb.SetEmbeddedRequest(media_ids=[added.item_id, 99], embedded=True), timeout=5)
        assert service.CountItems(pb.CountItemsRequest(collection="mine"), timeout=5).count == 1
        (found,) = service.GetFacts(pb.GetFactsRequest(media_ids=[99, added.item_id]), timeout=5).facts
        assert (found.media_id, found.kind, found.blob, found.listed, found.embedded) == (
            added.item_id, pb.MEDIA_KIND_IMAGE, (b"1" * 32).hex(), True, True,
        )  # fmt: skip
        assert (found.collection_id, found.WhichOneof("pixels"), found.HasField("duration_s")) == (
            collection.id, "blob", False,
        )  # fmt: skip
        sets = service.ListTagsets(pb.ListTagsetsRequest(collection="mine"), timeout=5)
        (color,) = (one.relative_id for one in sets.tagsets if one.name == "color")
        between = pb.TagChoice(tagset_id=color, is_range=True, lower=pb.Value(text="r"), upper=pb.Value(text="s"))
        beyond = pb.TagChoice(tagset_id=color, is_range=True, lower=pb.Value(whole=1))
        named = pb.TagChoice(tagset_id=color, tag_ids=found.tag_ids)
        choices = pb.FindTagsRequest(collection="mine", choices=[between, beyond, named])
        red, none, same = (list(one.ids) for one in service.FindTags(choices, timeout=5).by_choice)
        assert red == same
        assert set(red) <= set(found.tag_ids)
        assert (len(red), none) == (1, [])
        alone = pb.FindGroupsRequest(collection="mine", relative_ids=[added.item_id - collection.id_base, 7])
        assert list(service.FindGroups(alone, timeout=5).ids) == []
        both = pb.FindUnlistedRequest(collection="mine", item_ids=[added.item_id, 99])
        assert list(service.FindUnlisted(both, timeout=5).ids) == [99]
        service.SetTrashed(pb.SetTrashedRequest(uuids=[added.uuid], trashed=True), timeout=5)
        assert set(service.FindUnlisted(both, timeout=5).ids) == {added.item_id, 99}


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("GetFacts", pb.GetFactsRequest(media_ids=range(1001))),
        ("SetEmbedded", pb.SetEmbeddedRequest(media_ids=range(1001))),
        ("ListSearchable", pb.ListSearchableRequest(limit=0)),
        ("ListSearchable", pb.ListSearchableRequest(limit=10_001)),
        ("ListDetections", pb.ListDetectionsRequest(limit=0)),
        ("ListDetections", pb.ListDetectionsRequest(limit=1001)),
        ("FindUnlisted", pb.FindUnlistedRequest(collection="mine", item_ids=range(10_001))),
        ("FindTags", pb.FindTagsRequest(collection="mine", choices=[pb.TagChoice(is_range=True, lower=pb.Value())])),
    ],
)
def test_search_is_told_what_it_asks_wrongly(tmp_path: Path, method: str, request_: Any) -> None:
    with process(tmp_path) as (channel, _):
        stub(channel).CreateCollection(pb.CreateCollectionRequest(name="Mine"), timeout=5)
        with pytest.raises(grpc.RpcError) as refused:
            getattr(stub(channel), method)(request_, timeout=5)
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_key_is_shown_once_and_known_until_revoked(tmp_path: Path) -> None:
    with process(tmp_path) as (channel, _):
        service = stub(channel)
        made = service.CreateKey(
            pb.CreateKeyRequest(name="me", scopes=["write", "read"], all_collections=True), timeout=5
        )
        assert list(made.scopes) == ["read", "write"]
        assert service.CheckKey(pb.CheckKeyRequest(secret=made.secret), timeout=5).uuid == made.uuid
        assert [key.secret for key in service.ListKeys(pb.ListKeysRequest(), timeout=5).keys] == [""]
        service.RevokeKey(pb.RevokeKeyRequest(uuid=made.uuid), timeout=5)
        with pytest.raises(grpc.RpcError) as refused:
            service.CheckKey(pb.CheckKeyRequest(secret=made.secret), timeout=5)
        assert refused.value.code() is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize(
    ("call", "request_message", "status", "name"),
    [
        ("GetCollection", pb.GetCollectionRequest(collection="none"), "NOT_FOUND", "collection_not_found"),
        ("GetMedia", pb.GetMediaRequest(uuid=b"1" * 16), "NOT_FOUND", "item_not_found"),
        ("GetMedia", pb.GetMediaRequest(uuid=b"1"), "INVALID_ARGUMENT", "invalid_argument"),
        ("ListMedia", pb.ListMediaRequest(collection="none", limit=5), "NOT_FOUND", "collection_not_found"),
        ("ListMedia", pb.ListMediaRequest(collection="none"), "INVALID_ARGUMENT", "invalid_argument"),
        ("ListMedia", pb.ListMediaRequest(limit=5, sort=99), "INVALID_ARGUMENT", "invalid_argument"),
        ("GetItems", pb.GetItemsRequest(relative_ids=range(1001)), "INVALID_ARGUMENT", "invalid_argument"),
        ("CreateKey", pb.CreateKeyRequest(scopes=["all"]), "INVALID_ARGUMENT", "invalid_argument"),
        ("Resolve", pb.ResolveRequest(), "INVALID_ARGUMENT", "invalid_argument"),
    ],
)
def test_a_refusal_reaches_the_caller_by_name(
    served: grpc.Channel, call: str, request_message: Any, status: str, name: str
) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        getattr(stub(served), call)(request_message, timeout=5)
    assert refused.value.code().name == status
    assert dict(refused.value.trailing_metadata())["error-code"] == name


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[grpc.Channel]:
    with process(tmp_path_factory.mktemp("served")) as (channel, _):
        yield channel


def test_the_numbers_of_the_contract_are_those_of_the_domain() -> None:
    for ours, theirs, prefix in (
        (Kind, pb.MediaKind, "MEDIA_KIND_"), (Source, pb.MediaSource, "MEDIA_SOURCE_"),
        (Sort, pb.SortBy, "SORT_BY_"), (TagType, pb.TagType, "TAG_TYPE_"),
    ):  # fmt: skip
        named = {name.removeprefix(prefix): number for name, number in theirs.items() if number}
        assert {member.name: member.value for member in ours} == named


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("METADATA_LISTEN", "", "metadata-service: METADATA_LISTEN='' is not valid"),
        ("FRAMEWELL_PRT", "1", "metadata-service: Unknown setting FRAMEWELL_PRT."),
    ],
)
def test_a_wrong_setting_ends_it_with_a_sentence_and_exit_code_2(name: str, value: str, sentence: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "metadata_service"],
        env={**os.environ, "METADATA_LISTEN": "unix:unused.sock", name: value},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert ended.returncode == 2
    assert sentence in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_backup_is_the_catalogue_of_now(tmp_path: Path) -> None:
    upload = pb.AddUploadRequest(
        collection="mine", name="a.jpg", kind=pb.MEDIA_KIND_IMAGE, sha256=b"\xaa" * 32, content_type="image/jpeg"
    )
    with process(tmp_path) as (channel, _):
        stub(channel).CreateCollection(pb.CreateCollectionRequest(name="Mine"), timeout=5)
        item = stub(channel).AddUpload(upload, timeout=5)
        made = stub(channel).GetCollection(pb.GetCollectionRequest(collection="mine"), timeout=5)
        first, *rest = stub(channel).Backup(pb.BackupRequest(), timeout=20)
    assert [(one.uuid, one.sha256) for part in rest for one in part.uploads.uploads] == [(item.uuid, b"\xaa" * 32)]
    content = b"".join(part.data for part in rest)
    assert (first.file.name, first.file.size_bytes) == ("catalogue.db", len(content))
    (tmp_path / "other/state").mkdir(parents=True)
    (tmp_path / "other/state/catalogue.db").write_bytes(content)
    with process(tmp_path / "other") as (channel, _):
        assert stub(channel).GetCollection(pb.GetCollectionRequest(collection="mine"), timeout=5) == made


def test_after_a_restore_every_review_path_is_due_once(tmp_path: Path) -> None:
    file = tmp_path / "state/catalogue.db"
    file.parent.mkdir()
    mark = kept.restored_mark(file)
    for restored in (True, False):
        database = Database(file)
        database.write(indexing.collection_for, b"/photos")
        database.write(indexing.set_reconciled, b"/photos", True)
        database.close()
        if restored:
            mark.touch()
        with process(tmp_path) as (channel, _):
            stub(channel).ListCollections(pb.ListCollectionsRequest(), timeout=5)
        assert not mark.exists()
        database = Database(file)
        assert database.read(indexing.due) == {b"/photos": restored}
        database.close()

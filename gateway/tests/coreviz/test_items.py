"""Single items: shown, changed, tagged, moved, deleted; and folders."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from fake_fs import FakeFs, Refused
from library_world import CID, COLLECTION, FOLDER_ID, OTHER, PHOTO_ID, World, failed, folder, photo
from media_common.errors import ErrorCode
from media_proto import fs_pb2
from media_proto import metadata_pb2 as pb

PHOTO = f"/api/media/{PHOTO_ID.hex()}"
FOLDER = f"/api/folder/{FOLDER_ID.hex()}"
ON_DISK = b"/r/day1/hero-shot.jpg"
#: Deeper than what writes the answers would go.
DEEP = b'{"metadata":{"x":' + b"[" * 300 + b"]" * 300 + b"}}"


async def test_an_item_is_shown(client: httpx.AsyncClient) -> None:
    assert (await client.get(PHOTO)).json()["media"]["id"] == PHOTO_ID.hex()


@pytest.mark.parametrize("name", ["nonsense", "0" * 32, "%00"])
@pytest.mark.parametrize("address", ["/api/media/{}", "/api/media/{}/versions"])
async def test_an_unknown_item_is_404(client: httpx.AsyncClient, address: str, name: str) -> None:
    answer = await client.get(address.format(name))

    assert failed(answer, 404) == "Media not found"
    assert answer.json()["code"] == "ITEM_NOT_FOUND"


class TestAChange:
    async def test_replaces_the_metadata_but_the_tags_only_where_they_are_given(
        self, client: httpx.AsyncClient, world: World
    ) -> None:
        assert (await client.patch(PHOTO, json={"name": " new ", "metadata": {"a": 1}})).status_code == 200
        assert world.fake.last("EditMedia") == pb.EditMediaRequest(uuid=PHOTO_ID, name="new", metadata_json='{"a": 1}')

        await client.patch(PHOTO, json={"metadata": {"tags": {"color": ["red"], "gone": []}}})
        assert world.fake.last("EditMedia") == pb.EditMediaRequest(
            uuid=PHOTO_ID,
            metadata_json="{}",
            tags=pb.TagGroups(groups=[pb.TagFilter(tagset="color", values=["red"]), pb.TagFilter(tagset="gone")]),
        )

    @pytest.mark.parametrize(
        ("body", "parameter"),
        [
            ({}, "name"),
            ({"name": None}, "name"),
            ({"name": " "}, "name"),
            ({"name": "x" * 256}, "name"),
            ({"name": "a\0b"}, "name"),
            ({"name": 1}, "name"),
            ({"metadata": []}, "metadata"),
            ({"metadata": {"x": "\u00e9" * 8192}}, "metadata"),
            ({"metadata": {"tags": []}}, "metadata.tags"),
            ({"metadata": {"tags": {"a": "b"}}}, "metadata.tags"),
            ({"metadata": {"tags": {"a": [1]}}}, "metadata.tags"),
            ({"metadata": {"tags": {"": ["x"]}}}, "label"),
            ({"metadata": {"tags": {"a": [" "]}}}, "value"),
        ],
    )
    async def test_that_is_not_valid_is_refused(
        self, client: httpx.AsyncClient, body: dict[str, Any], parameter: str
    ) -> None:
        failed(await client.patch(PHOTO, json=body), 400, parameter)

    @pytest.mark.parametrize(
        "body", [b"", b"[]", b"x", b'{"a":1,"a":2}', b'{"metadata":NaN}', b"\xff", b"{" * 5000, DEEP]
    )
    async def test_that_is_no_object_is_refused(self, client: httpx.AsyncClient, body: bytes) -> None:
        answer = await client.patch(PHOTO, content=body, headers={"Content-Type": "application/json"})

        failed(answer, 400)

    @pytest.mark.parametrize("body", [b'{"metadata":{"x":1e999}}', b'{"metadata":{"x":"\\ud800"}}'])
    async def test_that_nobody_could_keep_is_refused(self, client: httpx.AsyncClient, body: bytes) -> None:
        answer = await client.patch(PHOTO, content=body, headers={"Content-Type": "application/json"})

        failed(answer, 400, "metadata")

    async def test_larger_than_a_body_may_be_is_413(self, client: httpx.AsyncClient) -> None:
        failed(await client.patch(PHOTO, json={"name": "x" * 2_000_000}), 413)


class TestTags:
    async def test_are_added_removed_and_renamed(self, client: httpx.AsyncClient, world: World) -> None:
        assert (await client.post(f"{PHOTO}/tags", json={"label": "color", "value": " red "})).status_code == 200
        assert world.fake.last("AddTag") == pb.TagRequest(uuid=PHOTO_ID, label="color", value="red")
        answer = await client.request("DELETE", f"{PHOTO}/tags", json={"label": "color"})
        assert answer.json()["media"]["id"] == PHOTO_ID.hex()
        assert world.fake.last("RemoveTag") == pb.RemoveTagRequest(uuid=PHOTO_ID, label="color")
        await client.request("DELETE", f"{PHOTO}/tags", json={"label": "color", "value": "red"})
        assert world.fake.last("RemoveTag").value == "red"
        await client.patch(f"{PHOTO}/tags", json={"oldLabel": "color", "newLabel": "colour"})
        assert world.fake.last("RelabelTags") == pb.RelabelTagsRequest(
            uuid=PHOTO_ID, old_label="color", new_label="colour"
        )

    async def test_that_are_there_are_409_and_that_are_not_404(self, client: httpx.AsyncClient, world: World) -> None:
        world.fake.answers["AddTag"] = Refused(ErrorCode.ALREADY_EXISTS, "The item has this tag already.")
        world.fake.answers["RemoveTag"] = Refused(ErrorCode.TAG_NOT_FOUND, "The item has no such tag.")

        failed(await client.post(f"{PHOTO}/tags", json={"label": "color", "value": "red"}), 409)
        failed(await client.request("DELETE", f"{PHOTO}/tags", json={"label": "color"}), 404)

    @pytest.mark.parametrize("body", [{}, {"label": "a"}, {"value": "a"}, {"label": 1, "value": "a"}])
    async def test_need_a_label_and_a_value(self, client: httpx.AsyncClient, body: dict[str, Any]) -> None:
        failed(await client.post(f"{PHOTO}/tags", json=body), 400)


class TestAMove:
    async def test_names_the_new_path(self, client: httpx.AsyncClient, world: World) -> None:
        world.fake.answers["MoveMedia"] = photo(path=[COLLECTION.uuid, PHOTO_ID])

        answer = await client.patch(f"{PHOTO}/move", json={"destinationPath": CID})

        assert answer.json() == {"id": PHOTO_ID.hex(), "newPath": f"{CID}.{PHOTO_ID.hex()}", "success": True}
        assert world.fake.last("MoveMedia") == pb.MoveMediaRequest(uuid=PHOTO_ID, path=[COLLECTION.uuid])

    async def test_to_where_it_is_changes_nothing(self, client: httpx.AsyncClient, world: World) -> None:
        answer = await client.patch(f"{PHOTO}/move", json={"destinationPath": f"{CID}.{FOLDER_ID.hex()}"})

        assert answer.json()["success"] is True
        assert not world.fake.count("MoveMedia")

    @pytest.mark.parametrize("path", [OTHER.uuid.hex(), "nonsense", "", None, 1])
    async def test_elsewhere_is_refused(self, client: httpx.AsyncClient, path: Any) -> None:
        failed(await client.patch(f"{PHOTO}/move", json={"destinationPath": path}), 400, "destinationPath")

    async def test_to_no_folder_is_404(self, client: httpx.AsyncClient, world: World) -> None:
        world.fake.answers["MoveMedia"] = Refused(ErrorCode.FOLDER_NOT_FOUND, "Folder not found")

        failed(await client.patch(f"{PHOTO}/move", json={"destinationPath": f"{CID}.{'0' * 32}"}), 404)


class TestADeletion:
    async def test_of_a_file_in_place_is_its_trash_mark(
        self, client: httpx.AsyncClient, world: World, fake: FakeFs
    ) -> None:
        fake.answers["Act"] = fs_pb2.ActResponse(path=ON_DISK)

        answer = await client.delete(PHOTO)

        assert answer.json() == {"id": PHOTO_ID.hex(), "deletedCount": 1}
        assert fake.last("Act") == fs_pb2.ActRequest(path=ON_DISK, action=fs_pb2.ACTION_TRASH)
        assert not world.fake.count("DeleteVersion")

    async def test_of_a_locked_item_is_409_and_asks_nothing(
        self, client: httpx.AsyncClient, world: World, fake: FakeFs
    ) -> None:
        world.items[PHOTO_ID] = photo(status="locked", locked=True)

        failed(await client.delete(PHOTO), 409)
        assert not fake.count("Act")

    async def test_of_an_item_that_is_locked_just_now_is_409(self, client: httpx.AsyncClient, fake: FakeFs) -> None:
        fake.answers["Act"] = Refused(ErrorCode.ITEM_LOCKED, "The file is locked.")

        failed(await client.delete(PHOTO), 409)

    async def test_of_a_file_that_is_gone_is_404(self, client: httpx.AsyncClient, fake: FakeFs) -> None:
        fake.answers["Act"] = Refused(ErrorCode.PATH_MISSING, "No such file.")

        failed(await client.delete(PHOTO), 404)

    async def test_again_deletes_nothing_more(self, client: httpx.AsyncClient, world: World) -> None:
        world.items[PHOTO_ID] = photo(status="trashed")

        assert (await client.delete(PHOTO)).json()["deletedCount"] == 0

    async def test_of_an_upload_takes_all_its_versions(self, client: httpx.AsyncClient, world: World) -> None:
        first = photo(source=pb.MEDIA_SOURCE_UPLOAD, total_versions=2)
        second = photo(source=pb.MEDIA_SOURCE_UPLOAD, total_versions=2, uuid=b"2" * 16)
        world.items[PHOTO_ID] = first
        world.fake.answers["ListVersions"] = pb.MediaList(media=[first, second])
        world.fake.answers["SetTrashed"] = pb.SetTrashedResponse(count=2)

        assert (await client.delete(PHOTO)).json()["deletedCount"] == 2
        assert world.fake.last("SetTrashed") == pb.SetTrashedRequest(uuids=[PHOTO_ID, b"2" * 16], trashed=True)

    async def test_of_a_folder_takes_every_file_below(
        self, client: httpx.AsyncClient, world: World, fake: FakeFs
    ) -> None:
        fake.answers["ActBatch"] = lambda request: fs_pb2.ActBatchResponse(
            outcomes=[fs_pb2.ActOutcome(path=path, status=fs_pb2.Status(trashed=True)) for path in request.paths]
        )
        world.page = pb.MediaPage(
            media=[photo(), photo(relative_path=b"day1/\xff.jpg"), photo(status="trashed")], total=3
        )

        answer = await client.delete(FOLDER)

        assert answer.json()["deletedCount"] == 2
        assert list(fake.last("ActBatch").paths) == [ON_DISK, b"/r/day1/\xff.jpg"]
        assert world.fake.last("ListMedia").recursive

    async def test_of_a_folder_with_a_locked_item_changes_nothing(
        self, client: httpx.AsyncClient, world: World, fake: FakeFs
    ) -> None:
        world.page = pb.MediaPage(media=[photo(), photo(locked=True, status="locked")], total=2)

        failed(await client.delete(FOLDER), 409)
        failed(await client.delete(f"/api/media/{FOLDER_ID.hex()}"), 409)
        assert not fake.count("ActBatch")

    async def test_that_meets_a_lock_puts_back_what_it_did_and_nothing_else(
        self, client: httpx.AsyncClient, world: World, fake: FakeFs
    ) -> None:
        paths = [ON_DISK, b"/r/seen", b"/r/trashed", b"/r/both"]
        before = [fs_pb2.Status(seen=bool(n & 1), trashed=bool(n & 2)) for n in range(4)]
        locked = fs_pb2.ActOutcome(path=b"/r/b", error="locked", error_code=ErrorCode.ITEM_LOCKED.value)
        done = [
            fs_pb2.ActOutcome(path=path, status=fs_pb2.Status(trashed=True, seen=True), before=was)
            for path, was in zip(paths, before, strict=True)
        ]
        fake.answers["ActBatch"] = fs_pb2.ActBatchResponse(outcomes=[*done, locked])
        world.page = pb.MediaPage(media=[photo(), photo(relative_path=b"b")], total=2)

        failed(await client.delete(FOLDER), 409)
        assert [request for name, request in fake.asked if name == "ActBatch"][1:] == [
            fs_pb2.ActBatchRequest(paths=[ON_DISK, b"/r/seen"], action=fs_pb2.ACTION_UNTRASH),
            fs_pb2.ActBatchRequest(paths=[ON_DISK, b"/r/trashed"], action=fs_pb2.ACTION_UNSEEN),
        ]

    async def test_that_meets_a_locked_upload_takes_the_files_back_out_of_the_trash(
        self, client: httpx.AsyncClient, world: World, fake: FakeFs
    ) -> None:
        done = fs_pb2.ActOutcome(path=ON_DISK, status=fs_pb2.Status(trashed=True, seen=True), before=fs_pb2.Status())
        fake.answers["ActBatch"] = fs_pb2.ActBatchResponse(outcomes=[done])
        world.fake.answers["SetTrashed"] = Refused(ErrorCode.ITEM_LOCKED, "The item is locked.")
        world.page = pb.MediaPage(media=[photo(), photo(source=pb.MEDIA_SOURCE_UPLOAD, uuid=b"2" * 16)], total=2)

        assert "nothing was deleted" in failed(await client.delete(FOLDER), 409)
        assert [request for name, request in fake.asked if name == "ActBatch"] == [
            fs_pb2.ActBatchRequest(paths=[ON_DISK], action=action)
            for action in (fs_pb2.ACTION_TRASH, fs_pb2.ACTION_UNTRASH, fs_pb2.ACTION_UNSEEN)
        ]


class TestVersions:
    async def test_are_listed_selected_and_deleted(self, client: httpx.AsyncClient, world: World) -> None:
        first = photo(source=pb.MEDIA_SOURCE_UPLOAD, total_versions=2)
        second = photo(source=pb.MEDIA_SOURCE_UPLOAD, total_versions=2, uuid=b"2" * 16)
        world.items = {PHOTO_ID: first, second.uuid: second}
        world.fake.answers["ListVersions"] = pb.MediaList(media=[first, second])
        world.fake.answers["DeleteVersion"] = pb.DeleteVersionResponse(promoted_uuid=PHOTO_ID)

        listed = (await client.get(f"{PHOTO}/versions")).json()["versions"]
        assert [one["id"] for one in listed] == [PHOTO_ID.hex(), second.uuid.hex()]
        selected = await client.patch(f"{PHOTO}/select-version", headers={"Content-Type": "application/json"})
        assert selected.json()["media"]["id"] == PHOTO_ID.hex()
        deleted = await client.delete(f"{PHOTO}/versions?versionId={second.uuid.hex()}")
        assert deleted.json() == {"deletedId": second.uuid.hex(), "promotedId": PHOTO_ID.hex()}

    async def test_need_an_id_that_is_one_of_them(self, client: httpx.AsyncClient) -> None:
        failed(await client.delete(f"{PHOTO}/versions"), 400, "versionId")
        failed(await client.delete(f"{PHOTO}/versions?versionId=x"), 404)
        failed(await client.delete(f"{PHOTO}/versions?versionId={FOLDER_ID.hex()}"), 404)

    async def test_say_of_a_locked_item_that_is_none_of_them_no_more_than_that(
        self, client: httpx.AsyncClient, world: World
    ) -> None:
        stranger = photo(uuid=b"3" * 16, locked=True)
        world.items[stranger.uuid] = stranger
        failed(await client.delete(f"{PHOTO}/versions?versionId={stranger.uuid.hex()}"), 404)


class TestFolders:
    async def test_are_made(self, client: httpx.AsyncClient, world: World) -> None:
        body = {"datasetId": CID, "name": " day1 ", "path": f"{CID}.{FOLDER_ID.hex()}", "reuse": True}

        made = (await client.post("/api/folder", json=body)).json()["folder"]

        assert world.fake.last("CreateFolder") == pb.CreateFolderRequest(
            collection=CID, path=[COLLECTION.uuid, FOLDER_ID], name="day1", reuse=True
        )
        assert {"id", "name", "path", "collectionId", "datasetId", "type", "blob", "status", "createdAt"} <= set(made)
        assert (made["collectionId"], made["type"], made["blob"], made["status"]) == (CID, "folder", "folder", "active")

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({"name": "x"}, 400),
            ({"datasetId": "nonsense", "name": "x"}, 404),
            ({"datasetId": CID}, 400),
            ({"datasetId": CID, "name": "x", "path": "y"}, 400),
            ({"datasetId": CID, "name": "x", "reuse": 1}, 400),
            ({"datasetId": CID, "name": "x", "path": 1}, 400),
        ],
    )
    async def test_need_a_place_and_a_name(self, client: httpx.AsyncClient, body: dict[str, Any], status: int) -> None:
        failed(await client.post("/api/folder", json=body), status)

    async def test_are_shown_and_renamed(self, client: httpx.AsyncClient) -> None:
        assert (await client.get(FOLDER)).json()["folder"]["name"] == "day1"
        assert (await client.patch(FOLDER, json={"name": "x"})).json()["folder"]["id"] == FOLDER_ID.hex()

    async def test_are_no_items(self, client: httpx.AsyncClient) -> None:
        assert failed(await client.get(f"/api/folder/{PHOTO_ID.hex()}"), 404) == "Folder not found"
        for name in ("nonsense", "0" * 32):
            assert failed(await client.get(f"/api/folder/{name}"), 404) == "Folder not found"

    async def test_on_no_disk_go_as_a_whole_or_not_at_all(self, client: httpx.AsyncClient, world: World) -> None:
        world.items[FOLDER_ID] = folder(source=pb.MEDIA_SOURCE_UPLOAD)
        world.fake.answers["TrashFolder"] = pb.SetTrashedResponse(count=3)

        for address in (FOLDER, f"/api/media/{FOLDER_ID.hex()}"):
            assert (await client.delete(address)).json()["deletedCount"] == 3
        assert world.fake.last("TrashFolder").uuid == FOLDER_ID
        world.fake.answers["TrashFolder"] = Refused(ErrorCode.ITEM_LOCKED, "A locked item is in the folder.")
        failed(await client.delete(FOLDER), 409)


class TestObjects:
    ADDRESS = f"/api/dataset/{CID}/media/{PHOTO_ID.hex()}/objects"
    SHOE = {"type": "object", "label": "shoe", "model": "objects", "bbox": [1, 2, 3, 4]}  # noqa: RUF012

    async def test_are_imported(self, client: httpx.AsyncClient, world: World) -> None:
        answer = await client.post(self.ADDRESS, json=[self.SHOE])

        assert answer.status_code == 201
        assert answer.json() == {
            "objects": [{"id": (b"\x05" * 16).hex(), "type": "object", "label": "shoe", "model": "objects"}]
        }
        (given,) = world.fake.last("AddObjects").objects
        assert (given.kind, given.frame, given.shape_json) == ("object", 0, '{"bbox": [1, 2, 3, 4]}')

    @pytest.mark.parametrize(
        "changes",
        [
            {"bbox": [1, 2, 3]},
            {"bbox": [1, 2, 0, 4]},
            {"bbox": [1, 2, True, 4]},
            {"bbox": [1, 2, 3, 10**400]},
            {"vector": [10**400]},
            {"polygon": [[0, 0], [1, 1], [0, 1]]},
            {"bbox": None, "polygon": [[0, 0]]},
            {"bbox": None},
            {"model": "cats"},
            {"model": []},
            {"frame": -1},
            {"frame": 2**31},
            {"label": ""},
        ],
    )
    async def test_that_are_not_valid_are_refused(self, client: httpx.AsyncClient, changes: dict[str, Any]) -> None:
        failed(await client.post(self.ADDRESS, json=[{**self.SHOE, **changes}]), 400)

    @pytest.mark.parametrize("body", [{}, [], [1], "x"])
    async def test_come_as_a_list(self, client: httpx.AsyncClient, body: Any) -> None:
        failed(await client.post(self.ADDRESS, json=body), 400)

    async def test_with_a_vector_need_search(self, client: httpx.AsyncClient) -> None:
        failed(await client.post(self.ADDRESS, json=[{**self.SHOE, "vector": [0.1]}]), 503)


async def test_who_and_where(client: httpx.AsyncClient) -> None:
    me = (await client.get("/api/me")).json()
    (organization,) = (await client.get("/api/auth/organization/list")).json()
    assert (me["userId"], me["name"]) == ((b"w" * 16).hex(), "writer")
    assert me["organizationId"] == organization["id"]
    address = f"/api/organization/{organization['id']}/datasets"
    listed = (await client.get(address)).json()
    assert [(one["id"], one["name"], one["organizationId"]) for one in listed] == [
        (CID, "Research", organization["id"]), (OTHER.uuid.hex(), "Other", organization["id"])
    ]  # fmt: skip
    assert (await client.post(address, json={"name": "Other"})).json()["id"] == OTHER.uuid.hex()
    failed(await client.post(address, json={}), 400, "name")
    failed(await client.get("/api/organization/nonsense/datasets"), 404)


async def test_a_collection_is_shown_and_renamed(client: httpx.AsyncClient, world: World) -> None:
    assert (await client.get(f"/api/dataset/{CID}")).json()["dataset"]["id"] == CID
    assert (await client.patch(f"/api/dataset/{CID}", json={"icon": ""})).status_code == 200
    assert world.fake.last("UpdateCollection") == pb.UpdateCollectionRequest(collection=CID, icon="")
    failed(await client.patch(f"/api/dataset/{CID}", json={}), 400, "name")
    failed(await client.patch(f"/api/dataset/{CID}", json={"icon": 1}), 400, "icon")
    tags = (await client.get(f"/api/dataset/{CID}/tags")).json()
    assert tags == {"tags": {"Year": ["999", "2025"], "color": ["blue", "red"]}}


async def test_clusters_are_listed(client: httpx.AsyncClient) -> None:
    cluster = {"id": (b"c" * 16).hex(), "label": "shoe", "size": 3, "objectId": (b"d" * 16).hex()}
    assert (await client.get(f"/api/dataset/{CID}/clusters?model=objects")).json() == {"clusters": [cluster]}
    assert len((await client.get(f"/api/dataset/{CID}/clusters")).json()["clusters"]) == 3
    failed(await client.get(f"/api/dataset/{CID}/clusters?model=x"), 400, "model")


@pytest.mark.parametrize(
    ("method", "address", "body", "status"),
    [
        ("GET", "/api/search?q=x", None, 503),
        ("GET", "/api/search", None, 400),
        ("POST", f"/api/dataset/{CID}/clusters", {"model": "objects"}, 503),
        ("POST", f"/api/dataset/{CID}/clusters", {"model": "objects", "minSize": 0}, 400),
        ("POST", f"/api/dataset/{CID}/clusters", {}, 400),
        ("POST", "/api/ai/embed", {"text": "x"}, 503),
        ("POST", "/api/ai/embeddings", {"input": "x", "type": "text"}, 503),
        ("POST", "/api/ai/tag", {"image": "data:image/png;base64,AAAA", "options": ["a"]}, 503),
        ("POST", "/api/ai/tag", {"image": "x"}, 501),
        ("POST", "/api/ai/describe", {}, 501),
        ("POST", "/api/ai/edit", {}, 501),
        ("POST", "/api/ai/generate", {}, 501),
        ("POST", "/api/ai/dance", {}, 404),
        ("GET", "/api/media", None, 404),
        ("PUT", PHOTO, None, 405),
    ],
)
async def test_what_there_is_not_says_so_in_the_dialects_form(
    client: httpx.AsyncClient, method: str, address: str, body: Any, status: int
) -> None:
    failed(await client.request(method, address, json=body), status)


async def test_a_catalogue_that_is_down_is_503(client: httpx.AsyncClient, world: World) -> None:
    world.fake.answers["GetMedia"] = Refused(ErrorCode.SERVICE_UNAVAILABLE, "Restarting.")

    failed(await client.get(PHOTO), 503)


async def test_a_fault_of_the_catalogue_says_nothing(client: httpx.AsyncClient, world: World) -> None:
    world.fake.answers["GetMedia"] = ValueError("SELECT secret")

    assert failed(await client.get(PHOTO), 500) == "Internal server error."

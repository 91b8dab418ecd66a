"""Every endpoint of the dialect: what is asked of the service, what is answered, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from fake_fs import FakeFs, Refused, item, settings
from gateway.bodies import SMALL_BYTES, WRONG_TYPE
from gateway.dialects.mediareviewer import docs
from gateway_rig import error_of
from media_common.errors import ErrorCode
from media_proto import fs_pb2

OBJECT = "Expected JSON object body."
BAD_INTEGERS = ["abc", "", "1.0", "1_0", "%D9%A1", "+1", "%201", "1%00"]


async def test_health_is_the_sample_of_the_seed(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/health")

    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == docs.HEALTH.answer
    assert list(answer.json()) == ["status", "service", "settings", "deletionQueue"]


async def test_health_has_the_live_counters(client: httpx.AsyncClient, fake: FakeFs) -> None:
    queue = {"max_workers": 2, "active_jobs": 1, "submitted_jobs": 9, "completed_jobs": 7, "failed_jobs": 1}
    fake.answers["GetSettings"] = settings(deletion_queue=fs_pb2.DeletionQueue(**queue))

    assert (await client.get("/api/health")).json()["deletionQueue"] == queue


async def test_review_paths_are_the_sample_of_the_seed(client: httpx.AsyncClient, fake: FakeFs) -> None:
    fake.answers["ListRoots"] = fs_pb2.ListRootsResponse(roots=[fs_pb2.Root(path=b"/home/example/trailcam")])

    assert (await client.get("/api/review-paths")).json() == docs.REVIEW_PATHS.answer


async def test_a_review_path_is_added_and_removed_as_in_the_seed(client: httpx.AsyncClient, fake: FakeFs) -> None:
    path = b"/home/example/trailcam"
    fake.answers["AddRoot"] = fs_pb2.AddRootResponse(path=path, known_paths=[path])
    fake.answers["RemoveRoot"] = fs_pb2.RemoveRootResponse(path=path)

    added = await client.post("/api/review-paths", json={"path": "~/trailcam/"})
    removed = await client.request("DELETE", "/api/review-paths", json={"path": path.decode()})

    assert (added.status_code, added.json()) == (201, docs.ADD_PATH.answer)
    assert fake.last("AddRoot").path == b"~/trailcam/"
    assert (removed.status_code, removed.json()) == (200, docs.REMOVE_PATH.answer)


async def test_folders_are_the_sample_of_the_seed(client: httpx.AsyncClient, fake: FakeFs) -> None:
    base = b"/home/example/reviews"
    folders = [
        fs_pb2.Folder(path=base + b"/trip-2025", has_children=True),
        fs_pb2.Folder(path=base + b"/archive-2024"),
    ]
    fake.answers["ListFolders"] = fs_pb2.ListFoldersResponse(path=base, folders=folders)

    answer = await client.get("/api/folders", params={"path": base.decode()})

    assert answer.json() == docs.FOLDERS.answer
    assert fake.last("ListFolders").path == base


async def test_folder_files_are_asked_for_a_page_at_a_time(client: httpx.AsyncClient, fake: FakeFs) -> None:
    fake.answers["ListFolderFiles"] = fs_pb2.FolderPage(path=b"/r", total=15, ignored=3)

    body = (await client.get("/api/folders/files?path=/r")).json()
    await client.get("/api/folders/files?path=/r&offset=99999999999999999999999&limit=1000")

    assert {key: body[key] for key in ("offset", "limit", "count", "ignoredCount", "total")} == {
        "offset": 0, "limit": 100, "count": 0, "ignoredCount": 3, "total": 15
    }  # fmt: skip
    assert fake.last("ListFolderFiles") == fs_pb2.ListFolderFilesRequest(path=b"/r", offset=10**18, limit=1000)


@pytest.mark.parametrize("bad", BAD_INTEGERS)
@pytest.mark.parametrize(
    "address",
    [
        "/api/folders/files?limit={}",
        "/api/folders/files?offset={}",
        "/api/media-items/stream?limit={}",
        "/api/media-items/stream?offset={}",
        "/api/media-thumbnail?size={}",
        "/api/logs?lines={}",
    ],
)
async def test_a_malformed_integer_is_400_before_the_path_is_looked_at(
    client: httpx.AsyncClient, fake: FakeFs, address: str, bad: str
) -> None:
    name = address.partition("?")[2].partition("=")[0]

    for tail in ("", "&path=/outside"):
        assert name in error_of(await client.get(address.format(bad) + tail), 400)
    assert fake.asked == []


@pytest.mark.parametrize(
    "address",
    [
        "/api/folders/files?path=/r&limit=0",
        "/api/folders/files?path=/r&limit=1001",
        "/api/folders/files?path=/r&offset=-1",
        "/api/media-items/stream?path=/r&limit=10001",
        "/api/media-items/stream?path=/r&limit=-5",
        "/api/media-items/stream?path=/r&offset=-1",
        "/api/media-items/stream?path=/r&statusFilter=",
        "/api/media-items/stream?path=/r&statusFilter=Seen",
        "/api/media-items/stream?path=/r&after=",
        "/api/media-items/stream?path=/r&path=/r",
        "/api/media-thumbnail?path=/r&size=0",
        "/api/media-thumbnail?path=/r&size=1025",
        "/api/trash/plan?path=",
        "/api/folders",
        "/api/folders?path=",
        "/api/folders/files",
        "/api/media-items/stream",
        "/api/media-items/summary",
        "/api/media-file",
        "/api/media-thumbnail",
    ],
)
async def test_a_parameter_out_of_bounds_or_missing_is_400(
    client: httpx.AsyncClient, fake: FakeFs, address: str
) -> None:
    error_of(await client.get(address), 400)
    assert fake.asked == []


async def test_the_stream_hands_its_parameters_on(client: httpx.AsyncClient, fake: FakeFs) -> None:
    fake.answers["StreamItems"] = [fs_pb2.ItemBatch(last=True)]

    answer = await client.get(
        "/api/media-items/stream?path=/r%FF&offset=7&limit=10&statusFilter=locked&after=/r%FF/a+b%2B.jpg"
    )

    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.text == '{"type":"done","count":0,"lastPath":null}\n'
    assert fake.last("StreamItems") == fs_pb2.StreamItemsRequest(
        path=b"/r\xff", offset=7, limit=10, status=fs_pb2.STATUS_FILTER_LOCKED, after=b"/r\xff/a b+.jpg"
    )


async def test_the_stream_of_nothing_said_is_the_first_fifty(client: httpx.AsyncClient, fake: FakeFs) -> None:
    fake.answers["StreamItems"] = [fs_pb2.ItemBatch(items=[item(b"/r/a.jpg")]), fs_pb2.ItemBatch(last=True)]

    answer = await client.get("/api/media-items/stream?path=/r")

    first, done = answer.text.splitlines()
    assert "type" not in json.loads(first)
    assert json.loads(done) == {"type": "done", "count": 1, "lastPath": "/r/a.jpg"}
    request = fake.last("StreamItems")
    assert (request.offset, request.limit, request.status) == (0, 50, fs_pb2.STATUS_FILTER_ALL)
    assert not request.HasField("after")


async def test_a_stream_that_fails_at_once_is_an_ordinary_error(client: httpx.AsyncClient, fake: FakeFs) -> None:
    fake.answers["StreamItems"] = [Refused(ErrorCode.UNKNOWN_ROOT, "Path is not configured as a known review path.")]

    answer = await client.get("/api/media-items/stream?path=/r")

    assert error_of(answer, 403) == "Path is not configured as a known review path."


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (Refused(ErrorCode.ROOT_OFFLINE, "The review path is offline."), "The review path is offline."),
        (ValueError("a secret"), "Internal server error."),
    ],
)
async def test_a_stream_that_fails_later_ends_with_an_error_line_and_no_done(
    client: httpx.AsyncClient, fake: FakeFs, failure: Exception, message: str
) -> None:
    fake.answers["StreamItems"] = [fs_pb2.ItemBatch(items=[item(b"/r/a.jpg")]), failure]

    answer = await client.get("/api/media-items/stream?path=/r")

    assert answer.status_code == 200
    first, last = answer.text.splitlines()
    assert json.loads(first)["path"] == "/r/a.jpg"
    assert json.loads(last) == {"type": "error", "message": message}


async def test_the_summary_counts(client: httpx.AsyncClient, fake: FakeFs) -> None:
    fake.answers["GetSummary"] = fs_pb2.Summary(path=b"/r", all=5, unseen=2, seen=3, locked=1, trashed=1)

    body = (await client.get("/api/media-items/summary?path=/r/")).json()

    assert body == {"path": "/r", "counts": {"all": 5, "unseen": 2, "seen": 3, "locked": 1, "trashed": 1}}


class TestAnAction:
    async def test_answers_the_sample_of_the_seed(self, client: httpx.AsyncClient, fake: FakeFs) -> None:
        path = str(docs.ACTION.body["path"])
        status = fs_pb2.Status(trashed=True, seen=True)
        fake.answers["Act"] = fs_pb2.ActResponse(path=path.encode(), status=status)

        answer = await client.post("/api/media-actions", json=docs.ACTION.body)

        assert answer.json() == docs.ACTION.answer
        assert list(answer.json()) == ["path", "action", "status"]
        assert fake.last("Act") == fs_pb2.ActRequest(path=path.encode(), action=fs_pb2.ACTION_TRASH)

    async def test_of_a_locked_file_is_409(self, client: httpx.AsyncClient, fake: FakeFs) -> None:
        fake.answers["Act"] = Refused(ErrorCode.ITEM_LOCKED, "The file is locked; unlock it first.")

        answer = await client.post("/api/media-actions", json={"path": "/r/a.jpg", "action": "trash"})

        assert "locked" in error_of(answer, 409)

    async def test_takes_a_path_that_is_not_text(self, client: httpx.AsyncClient, fake: FakeFs) -> None:
        fake.answers["Act"] = lambda request: fs_pb2.ActResponse(path=request.path)

        answer = await client.post(
            "/api/media-actions",
            content=b'{"path": "/r/\\udcff.jpg", "action": "seen"}',
            headers={"Content-Type": "application/json; charset=utf-8"},
        )

        assert fake.last("Act").path == b"/r/\xff.jpg"
        assert answer.json()["path"] == "/r/\udcff.jpg"

    @pytest.mark.parametrize("action", ["", "TRASH", "delete", None, 3, ["trash"], {"a": 1}])
    async def test_that_is_none_is_400(self, client: httpx.AsyncClient, fake: FakeFs, action: Any) -> None:
        error_of(await client.post("/api/media-actions", json={"path": "/r/a.jpg", "action": action}), 400)
        assert fake.asked == []

    @pytest.mark.parametrize("path", ["", None, 3, ["/a"], True])
    async def test_without_a_path_is_400(self, client: httpx.AsyncClient, fake: FakeFs, path: Any) -> None:
        error_of(await client.post("/api/media-actions", json={"path": path, "action": "seen"}), 400)
        assert fake.asked == []

    @pytest.mark.parametrize("path", ["\\ud800", "\\udc00", "/a\\udfff"])
    async def test_on_a_path_that_no_bytes_make_is_400(self, client: httpx.AsyncClient, path: str) -> None:
        body = f'{{"path": "{path}", "action": "seen"}}'.encode()

        answer = await client.post("/api/media-actions", content=body, headers={"Content-Type": "application/json"})

        assert error_of(answer, 400) == "Path is malformed."


BODIES = [
    (b"", "application/json"),
    (b"[]", "application/json"),
    (b'"x"', "application/json"),
    (b"null", "application/json"),
    (b"{", "application/json"),
    (b'{"path": NaN}', "application/json"),
    (b'{"path": "/a", "path": "/b"}', "application/json"),
    (b'{"a": "\xff"}', "application/json"),
    (b"[" * 100_000, "application/json"),
    (b'{"a": ' + b"1" * 5000 + b"}", "application/json"),
    (b'{"path": "/r"}', "text/plain"),
    (b'{"path": "/r"}', "application/x-www-form-urlencoded"),
    (b'{"path": "/r"}', ""),
]


@pytest.mark.parametrize(("body", "content_type"), BODIES)
@pytest.mark.parametrize(
    ("method", "address"),
    [
        ("POST", "/api/review-paths"),
        ("DELETE", "/api/review-paths"),
        ("POST", "/api/media-actions"),
        ("POST", "/api/media-items/batch"),
        ("PATCH", "/api/settings"),
    ],
)
async def test_a_body_that_is_no_object_sent_as_json_is_400(
    client: httpx.AsyncClient, fake: FakeFs, method: str, address: str, body: bytes, content_type: str
) -> None:
    headers = {"Content-Type": content_type} if content_type else {}

    assert error_of(await client.request(method, address, content=body, headers=headers), 400) == OBJECT
    assert fake.asked == []


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "text/plain"}])
async def test_a_body_of_another_type_is_told_which_header_it_needs(
    client: httpx.AsyncClient, fake: FakeFs, headers: dict[str, str]
) -> None:
    for address in ("/api/undo", "/api/keys"):
        answer = await client.post(address, content=b"{}", headers=headers)
        assert error_of(answer, 400) == WRONG_TYPE
    answer = await client.post("/exq/item/base", content=b"{}", headers=headers)
    assert (answer.status_code, answer.json()["detail"]) == (422, WRONG_TYPE)
    assert error_of(await client.post("/api/undo", json=[]), 400) == OBJECT
    assert fake.asked == []


async def test_a_body_beyond_its_size_is_413(client: httpx.AsyncClient) -> None:
    body = b'{"path": "' + b"a" * SMALL_BYTES + b'"}'

    async def pieces() -> Any:
        for at in range(0, len(body), 65536):
            yield body[at : at + 65536]

    for content in (body, pieces()):
        answer = await client.post("/api/media-actions", content=content, headers={"Content-Type": "application/json"})
        error_of(answer, 413)


async def test_a_length_of_thousands_of_digits_is_no_failure(client: httpx.AsyncClient) -> None:
    for length in ("0" * 5000, "0" * 5000 + "2"):
        headers = {"Content-Type": "application/json", "Content-Length": length}
        assert error_of(await client.post("/api/media-actions", content=b"[]", headers=headers), 400) == OBJECT


class TestABatch:
    async def test_answers_each_in_order_as_it_was_sent(self, client: httpx.AsyncClient, fake: FakeFs) -> None:
        def act(request: fs_pb2.ActBatchRequest) -> fs_pb2.ActBatchResponse:
            outcomes = [
                fs_pb2.ActOutcome(path=path, error="It is locked.", error_code="item_locked")
                if b"locked" in path
                else fs_pb2.ActOutcome(path=path, status=fs_pb2.Status(seen=True))
                for path in request.paths
            ]
            return fs_pb2.ActBatchResponse(outcomes=outcomes)

        fake.answers["ActBatch"] = act
        paths = ["/r/a.jpg", "/r/locked.jpg", "/r/\udcff.jpg", "/r/\ud800.jpg", "", "/r/a.jpg"]
        body = json.dumps({"paths": paths, "action": "seen"}).encode()

        answer = await client.post("/api/media-items/batch", content=body, headers={"Content-Type": "application/json"})

        assert answer.status_code == 207
        results = answer.json()["results"]
        assert [result["path"] for result in results] == paths
        assert results[0] == {
            "path": "/r/a.jpg", "status": {"locked": False, "trashed": False, "seen": True}, "error": None
        }  # fmt: skip
        assert results[1] == {"path": "/r/locked.jpg", "status": None, "error": "It is locked."}
        assert results[3] == {"path": "/r/\ud800.jpg", "status": None, "error": "Path is malformed."}
        assert list(fake.last("ActBatch").paths) == [b"/r/a.jpg", b"/r/locked.jpg", b"/r/\xff.jpg", b"", b"/r/a.jpg"]

    async def test_of_nothing_but_malformed_paths_asks_nobody(self, client: httpx.AsyncClient, fake: FakeFs) -> None:
        body = b'{"paths": ["\\ud800"], "action": "seen"}'

        answer = await client.post("/api/media-items/batch", content=body, headers={"Content-Type": "application/json"})

        assert answer.status_code == 207
        assert fake.asked == []

    @pytest.mark.parametrize(
        "paths", [[], None, "x", {"a": 1}, [3], ["/a", None], ["/a"] * 501], ids=lambda paths: str(paths)[:20]
    )
    async def test_needs_one_to_500_strings(self, client: httpx.AsyncClient, fake: FakeFs, paths: Any) -> None:
        sentence = error_of(await client.post("/api/media-items/batch", json={"paths": paths, "action": "seen"}), 400)

        if isinstance(paths, list) and len(paths) != 1 and paths != ["/a", None]:
            assert "500" in sentence
        assert fake.asked == []

    async def test_of_500_long_odd_paths_fits(self, client: httpx.AsyncClient, fake: FakeFs) -> None:
        fake.answers["ActBatch"] = lambda request: fs_pb2.ActBatchResponse(
            outcomes=[fs_pb2.ActOutcome(path=path) for path in request.paths]
        )
        body = json.dumps({"paths": ["/" + "\udcff" * 4000] * 500, "action": "seen"}).encode()

        answer = await client.post("/api/media-items/batch", content=body, headers={"Content-Type": "application/json"})

        assert len(answer.json()["results"]) == 500


class TestAnEmptyTrash:
    EVENTS = (
        fs_pb2.TrashEvent(deleting=fs_pb2.TrashPath(path=b"/r/clip001.mp4")),
        fs_pb2.TrashEvent(deleted=fs_pb2.TrashPath(path=b"/r/clip001.mp4")),
        fs_pb2.TrashEvent(deleting=fs_pb2.TrashPath(path=b"/r/\xff.mp4")),
        fs_pb2.TrashEvent(skipped=fs_pb2.TrashSkipped(path=b"/r/\xff.mp4", reason="locked")),
        fs_pb2.TrashEvent(error=fs_pb2.TrashError(path=b"/r/x.mp4", message="Permission denied.")),
        fs_pb2.TrashEvent(folder_done=fs_pb2.TrashPath(path=b"/r")),
        fs_pb2.TrashEvent(done=fs_pb2.TrashDone(deleted=1, errors=1, skipped=1, bytes=99, receipt_id="r1")),
    )

    async def test_tells_of_every_file_of_a_run(self, client: httpx.AsyncClient, fake: FakeFs) -> None:
        run = fs_pb2.TrashEvent(run=fs_pb2.TrashRun(paths=[b'/r/a"b.jpg', b"/r/\xff.jpg"]))
        fake.answers["EmptyTrash"] = (run, self.EVENTS[-1])

        answer = await client.post("/api/empty-trash")

        assert [json.loads(line) for line in answer.text.splitlines()][:-1] == [
            {"type": "deleting", "path": '/r/a"b.jpg'},
            {"type": "deleted", "path": '/r/a"b.jpg'},
            {"type": "deleting", "path": "/r/\udcff.jpg"},
            {"type": "deleted", "path": "/r/\udcff.jpg"},
        ]

    async def test_tells_the_events_of_the_seed(self, client: httpx.AsyncClient, fake: FakeFs) -> None:
        fake.answers["EmptyTrash"] = self.EVENTS

        answer = await client.post("/api/empty-trash")

        assert answer.headers["content-type"] == "application/x-ndjson"
        assert [json.loads(line) for line in answer.text.splitlines()] == [
            {"type": "deleting", "path": "/r/clip001.mp4"},
            {"type": "deleted", "path": "/r/clip001.mp4"},
            {"type": "deleting", "path": "/r/\udcff.mp4"},
            {"type": "skipped", "path": "/r/\udcff.mp4", "reason": "locked"},
            {"type": "error", "path": "/r/x.mp4", "message": "Permission denied."},
            {"type": "folder_done", "path": "/r"},
            {"type": "done", "deleted": 1, "errors": 1, "skipped": 1, "bytes": 99, "receiptId": "r1"},
        ]
        request = fake.last("EmptyTrash")
        assert not request.HasField("path")
        assert not request.HasField("if_match")

    async def test_tells_several_events_of_one_message_one_by_one(
        self, client: httpx.AsyncClient, fake: FakeFs
    ) -> None:
        first, *rest = self.EVENTS
        together = fs_pb2.TrashEvent(more=rest)
        together.MergeFrom(first)
        fake.answers["EmptyTrash"] = self.EVENTS
        apart = (await client.post("/api/empty-trash")).content
        fake.answers["EmptyTrash"] = [together]

        assert (await client.post("/api/empty-trash")).content == apart

    async def test_of_one_root_names_it(self, client: httpx.AsyncClient, fake: FakeFs) -> None:
        fake.answers["EmptyTrash"] = self.EVENTS

        await client.post("/api/empty-trash", json={"path": "/r"}, headers={"If-Match": '"abc"'})

        assert fake.last("EmptyTrash") == fs_pb2.EmptyTrashRequest(path=b"/r", if_match="abc")

    @pytest.mark.parametrize(
        "content_type", ["", "application/json", "text/plain", "application/x-www-form-urlencoded"]
    )
    async def test_without_a_body_is_of_all(self, client: httpx.AsyncClient, fake: FakeFs, content_type: str) -> None:
        fake.answers["EmptyTrash"] = self.EVENTS

        answer = await client.post("/api/empty-trash", headers={"Content-Type": content_type} if content_type else {})

        assert answer.status_code == 200
        assert not fake.last("EmptyTrash").HasField("path")

    @pytest.mark.parametrize(
        ("body", "content_type"),
        [
            *BODIES[1:],
            (b" ", "application/json"),
            (b"{}", "application/json"),
            (b'{"path": ""}', "application/json"),
            (b'{"path": null}', "application/json"),
            (b'{"path": ["/r"]}', "application/json"),
            (b'{"paths": []}', "application/json"),
            (b'{"path": "/r", "force": true}', "application/json"),
            (b'{"path": "\\ud800"}', "application/json"),
        ],
    )
    async def test_with_any_other_body_deletes_nothing(
        self, client: httpx.AsyncClient, fake: FakeFs, body: bytes, content_type: str
    ) -> None:
        headers = {"Content-Type": content_type} if content_type else {}

        error_of(await client.post("/api/empty-trash", content=body, headers=headers), 400)

        assert fake.asked == []

    @pytest.mark.parametrize(
        ("header", "hash_sent"), [("abc", "abc"), ('"abc"', "abc"), ('W/"abc"', "abc"), ("*", None), ("", "")]
    )
    async def test_of_a_plan_hands_its_hash_on(
        self, client: httpx.AsyncClient, fake: FakeFs, header: str, hash_sent: str | None
    ) -> None:
        fake.answers["EmptyTrash"] = self.EVENTS

        await client.post("/api/empty-trash", headers={"If-Match": header})

        request = fake.last("EmptyTrash")
        assert (request.if_match if request.HasField("if_match") else None) == hash_sent

    async def test_of_two_plans_is_refused(self, client: httpx.AsyncClient, fake: FakeFs) -> None:
        error_of(await client.post("/api/empty-trash", headers={"If-Match": '"a", "b"'}), 400)
        assert fake.asked == []

    async def test_of_a_plan_that_changed_is_412(self, client: httpx.AsyncClient, fake: FakeFs) -> None:
        fake.answers["EmptyTrash"] = [Refused(ErrorCode.PLAN_CHANGED, "The trash has changed.")]

        answer = await client.post("/api/empty-trash", headers={"If-Match": "x"})

        assert error_of(answer, 412) == "The trash has changed."

    async def test_that_breaks_off_says_so_and_is_not_sent_again(self, client: httpx.AsyncClient, fake: FakeFs) -> None:
        fake.answers["EmptyTrash"] = self.EVENTS[:2]

        answer = await client.post("/api/empty-trash")

        assert json.loads(answer.text.splitlines()[-1])["type"] == "error"
        assert "done" not in answer.text
        assert fake.count("EmptyTrash") == 1


class TestSettings:
    async def test_are_read_and_changed(self, client: httpx.AsyncClient, fake: FakeFs) -> None:
        fake.answers["UpdateSettings"] = lambda request: settings(video_preload_mb=request.video_preload_mb)

        assert (await client.get("/api/settings")).json() == {"videoPreloadMb": 50}
        answer = await client.patch("/api/settings", json={"videoPreloadMb": 80, "theme": "dark"})

        assert (answer.status_code, answer.json()) == (200, {"videoPreloadMb": 80})

    @pytest.mark.parametrize("value", [0, -1, 10_001, 10**30, True, False, None, "50", 50.0, [50]])
    async def test_out_of_range_or_of_another_type_are_422(
        self, client: httpx.AsyncClient, fake: FakeFs, value: Any
    ) -> None:
        error_of(await client.patch("/api/settings", json={"videoPreloadMb": value}), 422)
        assert fake.asked == []

    async def test_of_nothing_is_400_and_unknown_ones_change_nothing(
        self, client: httpx.AsyncClient, fake: FakeFs
    ) -> None:
        error_of(await client.patch("/api/settings", json={}), 400)
        answer = await client.patch("/api/settings", json={"theme": "dark"})

        assert answer.json() == {"videoPreloadMb": 50}
        assert fake.count("UpdateSettings") == 0


def _write(file: Path, content: bytes) -> None:
    file.write_bytes(content)


class TestLogs:
    @pytest.fixture
    def log_file(self, tmp_path: Path) -> Path:
        file = tmp_path / "state" / "logs" / "framewell.log"
        file.parent.mkdir(parents=True)
        return file

    async def test_without_a_file_are_not_available(self, client: httpx.AsyncClient, tmp_path: Path) -> None:
        body = (await client.get("/api/logs")).json()

        assert body == {"lines": [], "logFile": str(tmp_path / "state/logs/framewell.log"), "available": False}

    @pytest.mark.parametrize(("asked", "got"), [("", 200), ("?lines=3", 3), ("?lines=-5", 1), ("?lines=99999", 2000)])
    async def test_are_the_last_lines(self, client: httpx.AsyncClient, log_file: Path, asked: str, got: int) -> None:
        _write(log_file, b"".join(b"line %d \xff\r\n" % number for number in range(30_000)))

        body = (await client.get(f"/api/logs{asked}")).json()

        assert body["available"] is True
        assert body["lines"] == [f"line {number} \ufffd\r" for number in range(30_000 - got, 30_000)]

    async def test_of_short_and_odd_files_are_whole(self, client: httpx.AsyncClient, log_file: Path) -> None:
        for content, lines in ((b"", []), (b"a", ["a"]), (b"a\n", ["a"]), (b"\n\n", ["", ""]), (b"a\nb", ["a", "b"])):
            _write(log_file, content)
            assert (await client.get("/api/logs")).json()["lines"] == lines

    async def test_of_one_endless_line_stay_small(self, client: httpx.AsyncClient, log_file: Path) -> None:
        _write(log_file, b"x" * 10_000_000 + b"\nlast\n")

        assert (await client.get("/api/logs")).json()["lines"][-1] == "last"

"""The file service as the indexer's `Disk`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Final

import grpc
from media_common.errors import ErrorCode
from media_common.grpc_client import error_code_of
from media_proto import fs_pb2, fs_pb2_grpc

from metadata_service.domain.disk import Content, Inside, Looked, Refused, Root
from metadata_service.domain.errors import Unreachable
from metadata_service.domain.media import Facts, FileSeen, Kind, Marks
from metadata_service.domain.tags import camera

_KINDS: Final = {fs_pb2.KIND_IMAGE: Kind.IMAGE, fs_pb2.KIND_VIDEO: Kind.VIDEO}
_ONLINE: Final = (fs_pb2.ROOT_STATE_ONLINE, fs_pb2.ROOT_STATE_READ_ONLY)
#: What says that a file is not there, though its root is.
_MISSING: Final = (ErrorCode.PATH_MISSING, ErrorCode.NOT_MEDIA)
_DEADLINE_S: Final = 60.0
#: A batch may hold files that hang their reader, each for some seconds.
_DESCRIBE_S: Final = 300.0
#: What a description and the catalogue call the same.
_INSIDE: Final = (
    "width_px", "height_px", "duration_s", "taken_us", "taken_offset_min", "lens", "orientation", "latitude",
    "longitude",
)  # fmt: skip
_REFUSALS: Final = {
    ErrorCode.PATH_MISSING: Refused.GONE,
    ErrorCode.NOT_MEDIA: Refused.GONE,
    ErrorCode.OUTSIDE_ROOTS: Refused.GONE,
    ErrorCode.FILE_CHANGED: Refused.BUSY,
    ErrorCode.ROOT_OFFLINE: Refused.AWAY,
}


class FileService:
    """One channel for the life of the process."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        # The stub for asyncio has no class of its own at run time.
        self._stub = fs_pb2_grpc.FsServiceStub(channel)

    async def roots(self) -> list[Root]:
        try:
            answer = await self._stub.ListRoots(fs_pb2.ListRootsRequest(), timeout=_DEADLINE_S)
        except grpc.aio.AioRpcError as error:
            raise _unreachable(error) from error
        return [Root(root.path, root.state in _ONLINE, root.scanned) for root in answer.roots]

    async def look(self, paths: Sequence[bytes]) -> list[Looked]:
        try:
            answer = await self._stub.GetItems(fs_pb2.GetItemsRequest(paths=paths), timeout=_DEADLINE_S)
        except grpc.aio.AioRpcError as error:
            raise _unreachable(error) from error
        return [
            Looked(found.path, None if found.error_code else _seen(found.item), found.error_code in _MISSING)
            for found in answer.items
        ]

    async def replay(self, root: bytes) -> AsyncIterator[list[FileSeen]]:
        try:
            async for batch in self._stub.Replay(fs_pb2.ReplayRequest(path=root)):
                yield [_seen(item) for item in batch.items]
        except grpc.aio.AioRpcError as error:
            raise _unreachable(error) from error

    async def describe(self, paths: Sequence[bytes]) -> list[Inside | Refused]:
        try:
            answer = await self._stub.DescribeFiles(fs_pb2.DescribeFilesRequest(paths=paths), timeout=_DESCRIBE_S)
        except grpc.aio.AioRpcError as error:
            raise _unreachable(error) from error
        return [_refused(one.error_code) if one.error_code else _inside(one) for one in answer.files]

    async def hashes(self, paths: Sequence[bytes]) -> AsyncGenerator[list[Content | Refused], None]:
        try:
            async for batch in self._stub.HashFiles(fs_pb2.HashFilesRequest(paths=paths)):
                yield [
                    _refused(one.error_code)
                    if one.error_code
                    else Content(one.sha256, one.size_bytes, one.modified_us, one.inode)
                    for one in batch.files
                ]
        except grpc.aio.AioRpcError as error:
            raise _unreachable(error) from error


def _refused(code: str) -> Refused:
    return _REFUSALS.get(ErrorCode(code), Refused.BROKEN) if code in set(ErrorCode) else Refused.BROKEN


def _inside(one: fs_pb2.FileDescription) -> Inside:
    given = {descriptor.name for descriptor, _ in one.ListFields()}
    facts = Facts(
        size_bytes=one.size_bytes,
        modified_us=one.modified_us,
        camera=camera(one.make, one.model),
        **{name: getattr(one, name) for name in _INSIDE if name in given},
    )
    return Inside(facts, one.inode)


def _unreachable(error: grpc.aio.AioRpcError) -> Unreachable:
    return Unreachable(f"The file service does not answer ({error_code_of(error).value}).")


def _seen(item: fs_pb2.Item) -> FileSeen:
    marks = Marks.LOCKED * item.locked | Marks.TRASHED * item.trashed | Marks.SEEN * item.seen
    facts = Facts(
        size_bytes=item.size_bytes,
        modified_us=item.modified_us,
        width_px=item.width_px if item.HasField("width_px") else None,
        height_px=item.height_px if item.HasField("height_px") else None,
        duration_s=item.duration_s if item.HasField("duration_s") else None,
    )
    return FileSeen(item.path, _KINDS.get(item.kind, Kind.OTHER), Marks(marks), facts, item.inode)

"""What an address names, in the order of the contract's checks: 404 before 403, and both before any parameter."""

from __future__ import annotations

import grpc
from media_common.errors import ErrorCode
from media_common.grpc_client import error_code_of
from media_proto import metadata_pb2 as pb
from starlette.requests import Request

from gateway.access import access_of
from gateway.blobs import BlobAddresses, BlobSigner
from gateway.dialects.coreviz import ids
from gateway.library import Library


class Lookup:
    """Finds the collection or the item of a request, and says no to a key that may not."""

    def __init__(self, library: Library, signer: BlobSigner) -> None:
        self._library = library
        self._signer = signer

    def blobs(self, request: Request) -> BlobAddresses:
        return BlobAddresses(self._signer, request)

    async def collection(self, request: Request, text: str | None = None, *, writing: bool = False) -> pb.Collection:
        """The collection of the address, or the one with the id `text`.

        Raises:
            Failure: 404, 403.
        """
        uuid = ids.parsed(request.path_params["dataset_id"] if text is None else text)
        if uuid is None:
            raise ids.not_found("Collection")
        found = await self._library.collection(uuid.hex())
        self._check(request, found.id, writing)
        return found

    async def listed_collection(self, request: Request) -> pb.Collection:
        """The collection of the address, whose name may be that of two seconds ago.

        Raises:
            Failure: 404, 403.
        """
        uuid = ids.parsed(request.path_params["dataset_id"])
        if uuid is None:
            raise ids.not_found("Collection")
        found = await self._library.collection_lately(uuid)
        self._check(request, found.id, False)
        return found

    async def media(self, request: Request, *, writing: bool = False) -> pb.Media:
        """The item (or folder) of the address.

        Raises:
            Failure: 404, 403.
        """
        uuid = ids.parsed(request.path_params["media_id"])
        if uuid is None:
            raise ids.not_found("Media")
        return await self._item(request, uuid, writing)

    async def folder(self, request: Request, *, writing: bool = False) -> pb.Media:
        """The folder of the address.

        Raises:
            Failure: 404, 403.
        """
        uuid = ids.parsed(request.path_params["folder_id"])
        if uuid is None:
            raise ids.not_found("Folder")
        try:
            found = await self._item(request, uuid, writing)
        except grpc.aio.AioRpcError as error:
            if error_code_of(error) is ErrorCode.ITEM_NOT_FOUND:
                raise ids.not_found("Folder") from error
            raise
        if found.kind != pb.MEDIA_KIND_FOLDER:
            raise ids.not_found("Folder")
        return found

    async def _item(self, request: Request, uuid: bytes, writing: bool) -> pb.Media:
        found = await self._library.media(uuid)
        self._check(request, found.collection_id, writing)
        return found

    @staticmethod
    def _check(request: Request, collection_id: int, writing: bool) -> None:
        access = access_of(request)
        access.require_collection(collection_id)
        if writing:
            access.require("write")

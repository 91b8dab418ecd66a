"""What a picture is compared by, asked of the workers: they have the decoders."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from google.protobuf.message import DecodeError
from media_common import subjects
from media_proto import thumbnail_pb2
from nats.aio.client import Client

from fs_service.asking import NATS_TROUBLE, NobodyThere, Silent, last_reply
from fs_service.domain.ports import Place
from fs_service.domain.stacks import Figures

_SILENCE_S: Final = 3.0
#: Behind thumbnails that somebody waits for.
_WAIT_S: Final = 60.0
#: The size says nothing here; the message wants one.
_ANY_PX: Final = 1


class NoAnswer(Exception):
    """There may be one later: no worker is there, or none that reaches the file."""


class PictureLooks:
    """Implements `stacking.Look` over NATS."""

    def __init__(self, connection: Callable[[], Client | None]) -> None:
        """
        Args:
            connection: the NATS connection if it stands right now.
        """
        self._connection = connection

    async def __call__(self, place: Place) -> Figures | None:
        """The figures of the picture as it is now; None: there is no picture in the file, or no file.

        Raises:
            NoAnswer
        """
        request = thumbnail_pb2.RenderRequest(root=place.root, relative_path=place.relative, size_px=_ANY_PX)
        end = asyncio.get_running_loop().time() + _WAIT_S
        try:
            reply = await last_reply(
                self._connection(),
                subjects.LOOK,
                request.SerializeToString(),
                thumbnail_pb2.LookReply,
                end,
                _SILENCE_S,
            )
        except (NobodyThere, Silent, DecodeError, *NATS_TROUBLE) as error:
            raise NoAnswer from error
        if reply.again:
            raise NoAnswer
        told = reply.figures
        if not reply.HasField("figures") or not len(told.columns) == len(told.rows) > 1:
            return None
        return Figures(told.hash, told.columns, told.rows, told.sharpness, told.exposure_ev, told.dark, told.bright)

"""`ActEach`: many callers' actions in one message, answered together but for those that a slow disk keeps."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from media_common.errors import ErrorCode, InvalidArgument, ServiceError
from media_proto import fs_pb2

from fs_service import convert
from fs_service.domain.deeds import Deed
from fs_service.domain.items import State
from fs_service.domain.paths import normalised
from fs_service.gathering import Gathering

logger = logging.getLogger(__name__)

#: Of one message.
_MOST: Final = 500
#: Seconds after which those that are done are answered and the others are said to be pending.
_PATIENCE_S: Final = 0.25


async def each_act(gathering: Gathering, request: fs_pb2.ActEachRequest) -> fs_pb2.ActEachResponse:
    """Each outcome by itself, in the order asked.

    Raises:
        InvalidArgument: too many.
    """
    if len(request.acts) > _MOST:
        raise InvalidArgument(f"At most {_MOST} actions a call.")
    response = fs_pb2.ActEachResponse()
    deeds: dict[int, Deed] = {}
    begun: dict[int, asyncio.Future[State]] = {}
    for number, act in enumerate(request.acts):
        outcome = response.outcomes.add()
        try:
            path = normalised(act.path)
            outcome.path = path
            deeds[number] = Deed(path, convert.action_of(act.action), act.request_id)
            begun[number] = gathering.begin(deeds[number])
        except ServiceError as error:
            _refuse(outcome, error)
    if begun:
        await asyncio.wait(begun.values(), timeout=_PATIENCE_S)
    for number, future in begun.items():
        outcome = response.outcomes[number]
        if not future.done():
            outcome.pending = True
            gathering.told_pending(deeds[number])
            future.add_done_callback(_seen)
        elif (failure := future.exception()) is not None:
            _refuse(outcome, failure)
        else:
            convert.fill_status(outcome.status, future.result())
    return response


def _refuse(outcome: fs_pb2.SingleOutcome, error: BaseException) -> None:
    if isinstance(error, ServiceError):
        outcome.error, outcome.error_code = error.message, error.code.value
    else:
        logger.error("unexpected error in an action", exc_info=error)
        outcome.error_code = ErrorCode.INTERNAL.value


def _seen(future: asyncio.Future[State]) -> None:
    """Whoever asks again is told; the exception is nobody's else."""
    if not future.cancelled():
        future.exception()

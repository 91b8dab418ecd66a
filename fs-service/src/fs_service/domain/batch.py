"""One action on many request paths: a path that is none spoils only its own outcome."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from media_common.errors import InvalidArgument

from fs_service.domain.deeds import Deeds, Outcome
from fs_service.domain.errors import PathMalformed
from fs_service.domain.items import Action
from fs_service.domain.paths import normalised

BATCH_MAX: Final = 500


def act_on_each(deeds: Deeds, paths: Sequence[bytes], action: Action) -> list[Outcome]:
    """An outcome for each path, in the order given and under the path as given.

    Raises:
        InvalidArgument: none, or more than 500.
    """
    if not 1 <= len(paths) <= BATCH_MAX:
        raise InvalidArgument(f"A batch takes from 1 to {BATCH_MAX} paths.")
    cleaned: list[bytes | PathMalformed] = []
    for path in paths:
        try:
            cleaned.append(normalised(path))
        except PathMalformed as error:
            cleaned.append(error)
    done = iter(deeds.act_batch([path for path in cleaned if isinstance(path, bytes)], action))
    outcomes = []
    for given, clean in zip(paths, cleaned, strict=True):
        if isinstance(clean, bytes):
            outcome = next(done)
            outcomes.append(outcome._replace(path=given))
        else:
            outcomes.append(Outcome(given, None, clean))
    return outcomes

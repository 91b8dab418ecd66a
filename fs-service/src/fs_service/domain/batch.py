"""Actions on many request paths: a path that is none spoils only its own outcome."""

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


def keep_the_best(deeds: Deeds, best: bytes, rest: Sequence[bytes]) -> list[Outcome]:
    """The best's outcome, then one for each of the rest, in the order given and under the path as given.

    Raises:
        InvalidArgument: none in the rest, more than 499, or one of the files named twice.
        PathMalformed and what `Deeds.keep_best` raises: of the best; nothing was changed.
    """
    if not 1 <= len(rest) < BATCH_MAX:
        raise InvalidArgument(f"Beside the best one there must be from 1 to {BATCH_MAX - 1} others.")
    clean_best = normalised(best)
    cleaned: list[bytes | PathMalformed] = []
    for path in rest:
        try:
            cleaned.append(normalised(path))
        except PathMalformed as error:
            cleaned.append(error)
    paths = [path for path in cleaned if isinstance(path, bytes)]
    # On some disks two spellings are one file: what is to be kept must not be trashed under its other name.
    if len({path.lower() for path in (clean_best, *paths)}) <= len(paths):
        raise InvalidArgument("Each file may be named once.")
    first, *others = deeds.keep_best(clean_best, paths)
    done = iter(others)
    return [first._replace(path=best)] + [
        next(done)._replace(path=given) if isinstance(clean, bytes) else Outcome(given, None, clean)
        for given, clean in zip(rest, cleaned, strict=True)
    ]

"""Several queries in a row: groups (a video's frames, a burst) in which they match one after another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Match:
    """A group, its best way through the queries, and the best single item of that way."""

    group_id: int
    score: float  # the mean over the queries
    item_ids: tuple[int, ...]  # one a query, in order
    best_item_id: int


def matched(group_id: int, members: Sequence[int], scores: Sequence[Mapping[int, float]]) -> Match | None:
    """The best choice of one member a query, each strictly behind the one before; None when there are too few.

    Args:
        members: item ids in order of time.
        scores: for each query its score of each member; a member without one cannot be chosen for that query.
    """
    if not scores or len(members) < len(scores):
        return None
    # best[q]: (sum, chosen places) of the best way through the first q + 1 queries among the members seen so far.
    best: list[tuple[float, tuple[int, ...]] | None] = [None] * len(scores)
    for place, member in enumerate(members):
        for query in reversed(range(len(scores))):
            score = scores[query].get(member)
            before = (0.0, ()) if query == 0 else best[query - 1]
            if score is None or before is None:
                continue
            way = (before[0] + score, (*before[1], place))
            there = best[query]
            if there is None or way[0] > there[0]:
                best[query] = way
    whole = best[-1]
    if whole is None:
        return None
    chosen = tuple(members[place] for place in whole[1])
    single = max(range(len(chosen)), key=lambda query: (scores[query][chosen[query]], -query))
    return Match(group_id, whole[0] / len(scores), chosen, chosen[single])


def ranked(matches: Sequence[Match]) -> list[Match]:
    """Best first, equal ones by the best item's id."""
    return sorted(matches, key=lambda match: (-match.score, match.best_item_id))

"""Bursts, kept at what the rule in `domain/groups.py` makes of the shots that are there.

Whoever changes a shot says so with `touch`, before and after; `settle` then looks at the shots of those times and at
the nearest ones between them, and at no others: what lies between two touched times is as it was, so it is known by its
ends. What a burst is follows from the shots alone, so the order in which they came does not matter.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise
from typing import Final

from metadata_service.domain.groups import BURST_GAP_US, GroupKind
from metadata_service.domain.media import Kind
from metadata_service.store.groups import add_group, set_group
from metadata_service.store.transaction import Transaction

#: What makes a file a shot; as in the index `node_by_shot`.
_SHOT: Final = "camera IS NOT NULL AND taken_us IS NOT NULL AND kind = 4 AND source = 1 AND marks & 24 = 0"
#: Those that are in a group of another kind stay there.
_ROWS: Final = (
    f"SELECT id, taken_us, group_id FROM node WHERE parent_id = ? AND camera = ? AND {_SHOT} "  # noqa: S608
    "AND taken_us > ? AND taken_us < ? "
    "AND NOT EXISTS (SELECT 1 FROM item_group WHERE item_group.id = node.group_id AND item_group.kind <> 1) "
)
_FORWARD: Final = _ROWS + "ORDER BY taken_us"
_BACKWARD: Final = _ROWS + "ORDER BY taken_us DESC"
_INT64: Final = 2**63
#: It is there, in a burst, and no shot any more. One that is gone keeps the number, for when it comes back.
_STRAY: Final = (
    f"SELECT 1 FROM node WHERE id = ? AND marks & 24 = 0 AND NOT ({_SHOT}) "  # noqa: S608
    "AND EXISTS (SELECT 1 FROM item_group WHERE item_group.id = node.group_id AND item_group.kind = 1)"
)

_Row = tuple[int, int, int | None]  # id, time, group


@dataclass(frozen=True, slots=True)
class _Place:
    """Where shots can be a burst together."""

    collection_id: int
    folder_id: int
    camera: str

    def rows(self, txn: Transaction, statement: str, after_us: int, before_us: int) -> Iterator[_Row]:
        yield from txn.execute(statement, self.folder_id, self.camera, after_us, before_us)


@dataclass(frozen=True, slots=True)
class _Part:
    """A shot at a touched time; or, between two such times, neighbours that are in one burst or one that is in none."""

    first_us: int
    last_us: int
    group_id: int | None
    shot_id: int | None  # of a shot at a touched time
    is_many: bool = False
    walk: tuple[str, int, int] = ("", 0, 0)  # the statement that gives them, from the end that was seen


@dataclass(slots=True)
class _Run:
    """What the rule makes a burst of, when it is two shots or more."""

    place: _Place
    parts: list[_Part] = field(default_factory=list)
    group_id: int | None = None

    @property
    def is_burst(self) -> bool:
        return len(self.parts) > 1 or self.parts[0].is_many

    def groups(self, of_touched: bool) -> list[int]:
        """Those of its parts, the oldest first."""
        return sorted({one.group_id for one in self.parts if one.group_id and (one.shot_id is not None) == of_touched})


def touch(txn: Transaction, node_id: int) -> None:
    """The item, as it is now, comes, goes or changes."""
    row = txn.execute(
        f"SELECT collection_id, parent_id, camera, taken_us, id FROM node WHERE id = ? AND {_SHOT}",  # noqa: S608
        node_id,
    ).fetchone()
    if row is not None:
        txn.shots.add(row)


def settle(txn: Transaction) -> None:
    """Make the groups right round every shot that was touched."""
    times: dict[tuple[int, int, str], set[int]] = defaultdict(set)
    for collection_id, folder_id, camera, taken_us, node_id in txn.shots:
        times[collection_id, folder_id, camera].add(taken_us)
        if txn.one(_STRAY, node_id):
            set_group(txn, txn.collection(collection_id), node_id, None)
    txn.shots.clear()
    runs: list[_Run] = []
    for place, touched in sorted(times.items()):
        runs += _runs(txn, _Place(*place), sorted(touched))
    _choose(txn, runs)
    for run in runs:
        _write(txn, run)


def _runs(txn: Transaction, place: _Place, touched: Sequence[int]) -> list[_Run]:
    """The runs that touched shots or their neighbours are in, by time."""
    runs: list[_Run] = []
    last: _Part | None = None
    for after_us, before_us in pairwise((-_INT64, *touched, _INT64 - 1)):
        at = place.rows(txn, _FORWARD, after_us - 1, after_us + 1) if after_us > -_INT64 else ()
        shots = (_Part(taken_us, taken_us, group_id, node_id) for node_id, taken_us, group_id in at)
        between = _between(txn, place, after_us, before_us)
        for part in chain(shots, between):
            if last is None or part.first_us - last.last_us > BURST_GAP_US:
                runs.append(_Run(place))
            runs[-1].parts.append(part)
            last = part
    return runs


def _between(txn: Transaction, place: _Place, after_us: int, before_us: int) -> list[_Part]:
    """What is next to two touched times that follow each other, by time."""
    forward, backward = (_FORWARD, after_us, before_us), (_BACKWARD, after_us, before_us)
    head = _two(txn, place, forward) if after_us > -_INT64 else []
    if after_us > -_INT64 and len(head) < 2:
        return [_Part(us, us, group_id, None, False, forward) for _, us, group_id in head]
    tail = _two(txn, place, backward) if before_us < _INT64 - 1 else []
    if head and tail and head[0][2] is not None and head[0][2] == tail[0][2]:
        return [_Part(head[0][1], tail[0][1], head[0][2], None, True, forward)]
    parts = []
    for rows, walk in ((head, forward), (tail, backward)):
        if rows:
            _, us, group_id = rows[0]
            is_many = group_id is not None and len(rows) > 1 and rows[1][2] == group_id
            parts.append(_Part(us, us, group_id, None, is_many, walk))
    return parts


def _two(txn: Transaction, place: _Place, walk: tuple[str, int, int]) -> list[_Row]:
    rows = place.rows(txn, *walk)
    return [row for row, _ in zip(rows, range(2), strict=False)]


def _choose(txn: Transaction, runs: Sequence[_Run]) -> None:
    """A run keeps the oldest group that is its own, so that a group outlives what comes and goes.

    First those that have shots which nobody touched: these are costly to move.
    """
    taken: set[int] = set()
    here = {part.shot_id for run in runs for part in run.parts}
    runs = [run for run in runs if run.is_burst]
    for run in runs:
        for group_id in run.groups(of_touched=False):
            if run.group_id is None and group_id not in taken and _is_burst(txn, group_id):
                run.group_id = group_id
                taken.add(group_id)
    for run in runs:
        if run.group_id is not None:
            continue
        for group_id in run.groups(of_touched=True):
            if group_id not in taken and _is_burst(txn, group_id):
                taken.add(group_id)
                if not _is_used_elsewhere(txn, group_id, here):
                    run.group_id = group_id
                    break


def _is_used_elsewhere(txn: Transaction, group_id: int, here: set[int | None]) -> bool:
    """A shot that was gone comes back with the group it had: that may be the burst of others by now."""
    rows = txn.execute(f"SELECT id FROM node WHERE group_id = ? AND {_SHOT}", group_id)  # noqa: S608
    return any(node_id not in here for (node_id,) in rows)


def _write(txn: Transaction, run: _Run) -> None:
    collection = txn.collection(run.place.collection_id)
    if run.is_burst and run.group_id is None:
        run.group_id = add_group(txn, collection, GroupKind.BURST, [], source_kind=Kind.IMAGE)
    for part in run.parts:
        if part.shot_id is not None:
            set_group(txn, collection, part.shot_id, run.group_id)
        elif part.group_id != run.group_id:
            for node_id in _shots_of(txn, run.place, part):
                set_group(txn, collection, node_id, run.group_id)


def _shots_of(txn: Transaction, place: _Place, part: _Part) -> list[int]:
    found: list[int] = []
    for node_id, _, group_id in place.rows(txn, *part.walk):
        if group_id != part.group_id or (group_id is None and found):
            break
        found.append(node_id)
    return found


def _is_burst(txn: Transaction, group_id: int) -> bool:
    return bool(txn.one("SELECT kind FROM item_group WHERE id = ?", group_id) == GroupKind.BURST)

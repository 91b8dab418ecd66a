"""The jobs that are being worked on: each item by one of them, the others of the same item behind it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from search_service.domain.jobs import Job


class InHand:
    def __init__(self) -> None:
        self._names: dict[Job, bytes] = {}
        self._working: dict[int, Job] = {}
        self._behind: dict[int, list[Job]] = {}

    def __len__(self) -> int:
        return len(self._names)

    def taken(self, jobs: Iterable[Job]) -> list[Job]:
        """All of them are in hand now; those to work on, one an item. The others' turn comes by `let_go`."""
        first = []
        for job in jobs:
            self._names[job] = b""
            if job.item_id in self._working:
                self._behind.setdefault(job.item_id, []).append(job)
            else:
                self._working[job.item_id] = job
                first.append(job)
        return first

    def let_go(self, job: Job) -> list[Job]:
        """It is settled; the next one of the same item, if there is one, which is to be worked on now."""
        self._names.pop(job, None)
        if self._working.get(job.item_id) is not job:
            return []
        del self._working[job.item_id]
        if not (behind := self._behind.pop(job.item_id, [])):
            return []
        following, *others = behind
        self._working[job.item_id] = following
        if others:
            self._behind[job.item_id] = others
        return [following]

    def still(self, jobs: Sequence[Job]) -> list[Job]:
        """Those of them that are not settled."""
        return [job for job in jobs if job in self._names]

    def jobs(self) -> list[Job]:
        return list(self._names)

    def name(self, job: Job, path: bytes) -> None:
        """What people know its item by."""
        self._names[job] = path

    def name_of(self, job: Job) -> bytes:
        return self._names.get(job, b"")

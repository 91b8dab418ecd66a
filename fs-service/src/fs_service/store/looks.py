"""From rows to items: each file's own `stat`, and a look inside where nobody has looked since it changed."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from typing import Final

from fs_service.domain.items import Item, Probe, State
from fs_service.domain.media import Kind
from fs_service.domain.ports import Prober, Roots
from fs_service.store.birth import birth_us
from fs_service.store.links import resolved
from fs_service.store.rows import Facts, Probed, Row, relative_of, signed

# Looked up, because calling an enumeration ten thousand times is a tenth of a stream's time.
_STATES: Final = [State(number) for number in range(8)]
_KINDS: Final = {int(kind): kind for kind in Kind}
_UNKNOWN: Final = Probe()


class Looks:
    """Completes rows from the disk."""

    def __init__(self, roots: Roots, prober: Prober) -> None:
        self._roots = roots
        self._prober = prober

    def items(self, root: bytes, rows: Sequence[Row]) -> tuple[list[Item], list[Probed]]:
        """The items whose file is there, in the order given, and the facts that were new."""
        prefix = root.rstrip(b"/") + b"/"
        items: list[Item | None] = []
        unknown: list[tuple[int, Row, bytes, os.stat_result]] = []
        for row in rows:
            key, kind, state, link, inode, size_bytes, mtime_ns, created_us, width_px, height_px, duration_s = row
            path = prefix + relative_of(key)
            try:
                facts = os.stat(path) if link else os.lstat(path)
            except OSError:
                continue
            if not stat.S_ISREG(facts.st_mode):
                continue
            if inode is None or (inode, size_bytes, mtime_ns) != (
                signed(facts.st_ino),
                facts.st_size,
                signed(facts.st_mtime_ns),
            ):
                opened = resolved(self._roots, path) if link else path
                if opened is not None:
                    unknown.append((len(items), row, opened, facts))
                    items.append(None)
                continue
            probe = _UNKNOWN if width_px is None and duration_s is None else Probe(width_px, height_px, duration_s)
            modified_us = facts.st_mtime_ns // 1000
            items.append(Item(path, _KINDS[kind], _STATES[state], size_bytes, modified_us, created_us, probe, inode))
        probed = self._probe(prefix, items, unknown) if unknown else []
        return [item for item in items if item is not None], probed

    def _probe(
        self, prefix: bytes, items: list[Item | None], unknown: list[tuple[int, Row, bytes, os.stat_result]]
    ) -> list[Probed]:
        probes = self._prober.probe([(opened, _KINDS[row.kind]) for _, row, opened, _ in unknown])
        probed = []
        for (at, row, opened, facts), probe in zip(unknown, probes, strict=True):
            try:
                created_us = birth_us(opened)
            except OSError:
                created_us = facts.st_ctime_ns // 1000
            items[at] = Item(
                prefix + relative_of(row.key),
                _KINDS[row.kind],
                _STATES[row.state],
                facts.st_size,
                facts.st_mtime_ns // 1000,
                created_us,
                probe,
                signed(facts.st_ino),
            )
            known = Facts(
                signed(facts.st_ino),
                facts.st_size,
                signed(facts.st_mtime_ns),
                created_us,
                probe.width_px,
                probe.height_px,
                probe.duration_s,
            )
            probed.append(Probed(row.key, known, edited=row.inode is not None))
        return probed

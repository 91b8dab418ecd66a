"""From rows to items: each file's own `stat`, and a look inside where nobody has looked since it changed."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from typing import Final

from fs_service.domain.items import Item, Probe, State
from fs_service.domain.media import Kind
from fs_service.domain.ports import Prober, Roots
from fs_service.store.reach import Reached, groups, held
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
        """The items whose file is there, in the order given, and the facts that were new.

        Raises:
            RootOffline
        """
        prefix = root.rstrip(b"/") + b"/"
        items: list[Item | None] = []
        unknown: dict[int, Row] = {}  # by place in `items`
        for row in rows:
            key, kind, state, link, inode, size_bytes, mtime_ns, created_us, width_px, height_px, duration_s, _ = row
            path = prefix + relative_of(key)
            try:
                # By path, which may have led elsewhere for a moment: what is not known already is looked at again.
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
                unknown[len(items)] = row
                items.append(None)
                continue
            probe = _UNKNOWN if width_px is None and duration_s is None else Probe(width_px, height_px, duration_s)
            modified_us = facts.st_mtime_ns // 1000
            items.append(Item(path, _KINDS[kind], _STATES[state], size_bytes, modified_us, created_us, probe, inode))
        probed: list[Probed] = []
        for group in groups(unknown):
            for at, (file, probe) in self._looked_into(root, group).items():
                row = group[at]
                items[at] = _item(prefix + relative_of(row.key), row, file, probe)
                probed.append(Probed(row.key, _facts(file, probe), edited=row.inode is not None))
        return [item for item in items if item is not None], probed

    def _looked_into(self, root: bytes, rows: Mapping[int, Row]) -> dict[int, tuple[Reached, Probe]]:
        """The files of the rows and what is inside them, by the rows' numbers; of those that are there."""
        with held(self._roots, root, rows.values()) as files:
            there = [(at, file) for at, file in zip(rows, files, strict=True) if file is not None]
            probes = self._prober.probe([(file.path, _KINDS[rows[at].kind]) for at, file in there])
        return {at: (file, probe) for (at, file), probe in zip(there, probes, strict=True)}


def _facts(file: Reached, probe: Probe) -> Facts:
    return Facts(
        signed(file.facts.st_ino),
        file.facts.st_size,
        signed(file.facts.st_mtime_ns),
        file.created_us,
        probe.width_px,
        probe.height_px,
        probe.duration_s,
    )


def _item(path: bytes, row: Row, file: Reached, probe: Probe) -> Item:
    return Item(
        path,
        _KINDS[row.kind],
        _STATES[row.state],
        file.facts.st_size,
        file.facts.st_mtime_ns // 1000,
        file.created_us,
        probe,
        signed(file.facts.st_ino),
    )

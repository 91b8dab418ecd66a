"""Whether everything that a library needs is there: services, roots, disk space."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from gateway.command.stack import Stack
from gateway.dialects.platform.render import plan_out

#: Below this a disk is nearly full.
LOW_BYTES: Final = 1024**3
#: Nothing of the kind is set up, or nobody can say: no fault of the stack's.
_FINE: Final = frozenset(("up", "off", "unknown"))
_PACKAGE: Final = "framewell-gateway"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    told: str

    def out(self) -> dict[str, Any]:
        return {"check": self.name, "ok": self.ok, "told": self.told}


async def examined(stack: Stack) -> list[Check]:
    """Every check, in the order in which one would look."""
    checks = [Check("version", True, metadata.version(_PACKAGE)), _space("state directory", stack.state)]
    for name, part in (await stack.dependencies.readiness()).parts.items():
        # Search only makes finding better; everything else works without it.
        ok = part.state in _FINE or name == "search"
        checks.append(Check(f"service {name}", ok, f"{part.state}: {part.reason}" if part.reason else part.state))
    for root in plan_out(await stack.fs.trash_plan(None))["roots"]:
        checks.append(Check(f"root {root['path']}", root["state"] == "online", root["state"]))
        if root["state"] == "online":
            checks.append(_space(f"disk of {root['path']}", Path(root["path"])))
    return checks


def _space(name: str, folder: Path) -> Check:
    try:
        free = shutil.disk_usage(os.fsencode(folder)).free
    except OSError as error:
        return Check(name, False, error.strerror or "it cannot be read")
    return Check(name, free >= LOW_BYTES, f"{free / 1e9:.1f} GB free")

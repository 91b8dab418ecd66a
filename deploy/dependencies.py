"""What packages of ours need from elsewhere, a requirement a line, so that an image installs it before the code comes.

dependencies.py proto common 'search-service[ml]'     folders with a pyproject.toml, extras in brackets
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

#: Our own, which are installed by themselves.
OWN: Final = "framewell-"


def main(arguments: Sequence[str]) -> int:
    print("\n".join(requirements(arguments)))
    return 0


def requirements(folders: Sequence[str]) -> list[str]:
    """Sorted, each once.

    Raises:
        KeyError: there is no such extra.
    """
    found: set[str] = set()
    for folder in folders:
        name, _, extras = folder.partition("[")
        project = tomllib.loads((Path(name) / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        found.update(project.get("dependencies", ()))
        for extra in filter(None, extras.rstrip("]").split(",")):
            found.update(project["optional-dependencies"][extra.strip()])
    return sorted(one for one in found if not one.startswith(OWN))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

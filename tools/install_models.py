"""What `make setup` does for the models: torch for processors, where its own index can be reached, then the rest.

    --torch-only      only the first of the two
    TORCH_INDEX_URL   where to look for torch first (the CPU index of PyTorch); empty: the ordinary index only

The ordinary index has torch too, on Linux with gigabytes for graphics cards. Exit code: pip's.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

_CPU_INDEX: Final = "https://download.pytorch.org/whl/cpu"
#: A machine without that index must not wait for it.
_REACH_S: Final = 4.0
_ROOT: Final = Path(__file__).resolve().parent.parent
_PIP: Final = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")


def main(arguments: Sequence[str]) -> int:
    torch_only = list(arguments) == ["--torch-only"]
    if arguments and not torch_only:
        print("install_models.py takes --torch-only or nothing", file=sys.stderr)
        return 2
    index = os.environ.get("TORCH_INDEX_URL", _CPU_INDEX)
    if find_spec("torch") is None and index:
        if is_reached(index):
            print(f"installing torch from {index}", flush=True)
            code = subprocess.run([*_PIP, "--index-url", index, "torch", "torchvision"], check=False).returncode
            if code:
                return code
        else:
            print(f"{index} cannot be reached: torch comes from the ordinary index (larger)", flush=True)
    wanted = ("torch", "torchvision") if torch_only else ("-r", "requirements-models.txt")
    return subprocess.run([*_PIP, *wanted], cwd=_ROOT, check=False).returncode


def is_reached(index: str) -> bool:
    """Whether the index has torch, found out within seconds."""
    began = time.monotonic()
    try:
        with urllib.request.urlopen(f"{index.rstrip('/')}/torch/", timeout=_REACH_S) as answer:  # noqa: S310
            answer.read(1)
    except (OSError, ValueError):
        return False
    return time.monotonic() - began < 2 * _REACH_S


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

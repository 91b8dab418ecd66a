"""The README's tour, line by line, against a running stack with the sample library."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from api import Api
from make_media import make_library
from PIL import Image
from stack import REPOSITORY, Stack

pytestmark = pytest.mark.e2e

ADDRESS = "API=http://127.0.0.1:8080\n"
PLACE = "LIBRARY=$PWD/demo/library\n"


def tour() -> str:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    found = re.search(r"<!-- tour:[^\n]*-->\n```sh\n(.*?)```", text, re.DOTALL)
    assert found is not None
    return found.group(1)


def test_the_readmes_tour_does_what_it_says(own_stack: Stack, tmp_path: Path) -> None:
    library, place = tmp_path / "library", tmp_path / "place"
    make_library(library)
    place.mkdir()
    api = Api(own_stack.url)
    api.add_root(library)
    script = tour()
    assert ADDRESS in script
    assert PLACE in script
    script = script.replace(ADDRESS, f"API={own_stack.url}\n").replace(PLACE, f'LIBRARY="{library}"\n')

    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=place, capture_output=True, text=True, timeout=110, check=False
    )

    api.close()
    assert ended.returncode == 0, ended.stderr
    said = ended.stdout
    for name, size in (("hills.png", 512), ("walk.png", 256), ("damaged.png", 256)):
        with Image.open(place / name) as picture:
            assert (picture.format, picture.size) == ("PNG", (size, size))
    assert (place / "start.mp4").stat().st_size == 1024
    assert "\n206\n" in said
    assert said.count('"type":"done"') + said.count('"type": "done"') == 3
    assert "locked" in said
    trail = library / "DCIM" / "101TRAIL"
    assert not (trail / "TRL_0001.JPG").exists()
    assert (trail / "TRL_0002.JPG").exists()
    assert (trail / "TRL_0007.JPG.lock").exists()
    done = next(line for line in said.splitlines() if '"deleted":' in line.replace(" ", "") and '"done"' in line)
    assert json.loads(done)["deleted"] == 1

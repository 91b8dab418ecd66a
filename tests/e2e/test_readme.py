"""The README's tour, line by line, against a running stack with the sample library."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import pytest
from api import Api
from make_media import make_library
from PIL import Image
from stack import REPOSITORY, Stack, running_stack, wait_until

pytestmark = pytest.mark.e2e

ADDRESS = "API=http://127.0.0.1:8080\n"
PLACE = "LIBRARY=$PWD/demo/library\n"


def block(name: str) -> str:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    found = re.search(rf"<!-- {name}:[^\n]*-->\n```sh\n(.*?)```", text, re.DOTALL)
    assert found is not None
    return found.group(1)


def test_the_readmes_tour_does_what_it_says(own_stack: Stack, tmp_path: Path) -> None:
    library, place = tmp_path / "library", tmp_path / "place"
    make_library(library)
    place.mkdir()
    api = Api(own_stack.url)
    api.add_root(library)
    script = block("tour")
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


def test_the_readmes_lines_of_the_other_dialects_are_answered(own_stack: Stack, tmp_path: Path) -> None:
    library = tmp_path / "library"
    make_library(library)
    api = Api(own_stack.url)
    api.add_root(library)
    photo = library / "Formats" / "hills.heic"
    wait_until(lambda: api.get("/api/resolve", path=str(photo)).status_code == 200, 60, "it is in the catalogue")
    api.close()
    script = block("dialects")
    for ours, here in (
        (ADDRESS, f"API={own_stack.url}\n"),
        ("$PWD/demo/state", str(own_stack.state_dir)),
        ("demo/library", str(library)),
        (".venv/bin/framewell", f"{sys.executable} -m gateway.command"),
    ):
        assert ours in script
        script = script.replace(ours, here)

    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr
    exquisitor, items, listed, uploaded, wickson = (
        json.loads(line) for line in ended.stdout.splitlines() if line.startswith("{")
    )
    assert exquisitor["collections"] == ["library"]
    assert [item["uri"] for item in items["items"]] == ["Formats/hills.heic"]
    assert len(listed["media"]) == 2
    assert uploaded["success"]
    assert wickson["data"]["items"][0]["file_info"]["filename"] == "hills.heic"


@pytest.mark.timeout(240)
@pytest.mark.skipif(not os.environ.get("CI") and find_spec("torch") is None, reason="the models are not installed")
def test_the_readmes_search_finds_the_cat_without_a_download(tmp_path: Path) -> None:
    photographs = tmp_path / "photographs"
    with running_stack(tmp_path / "state", environment={"FRAMEWELL_ENCODER": "offline"}) as stack:
        script = block("search")
        for ours, here in (
            (ADDRESS, f"API={stack.url}\n"),
            ("$PWD/demo/state", str(stack.state_dir)),
            ("$PWD/demo/photographs", str(photographs)),
            ("demo/photographs", str(photographs)),
            (".venv/bin/python", sys.executable),
            (".venv/bin/framewell", f"{sys.executable} -m gateway.command"),
        ):
            assert ours in script
            script = script.replace(ours, here)

        ended = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )

        assert ended.returncode == 0, ended.stderr
        added, jobs, found, like = (json.loads(line) for line in ended.stdout.splitlines() if line.startswith("{"))
        assert added["addedPath"] == str(photographs)
        assert jobs["encoder"]["state"] in ("loading", "ready")
        assert [item["name"] for item in found["media"]] == ["chelsea.png"]
        with closing(Api(stack.url)) as api:
            cup = api.get("/api/resolve", path=str(photographs / "coffee.png")).json()["itemId"]
            assert like["suggestions"][0] == cup
            assert api.jobs()["encoder"]["name"] == "offline"

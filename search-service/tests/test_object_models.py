"""Object models as packages: the worked example of docs/object-models.md, installed as it says; and what goes wrong."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import grpc
import numpy as np
import pytest
from media_proto import search_pb2 as pb
from media_proto import search_pb2_grpc
from PIL import Image, ImageDraw
from search_service.domain.errors import EncoderUnavailable
from search_service.domain.objects import ModelNotInstalled
from search_service.encoders.kept import RETRY_S
from search_service.encoders.object_models import ObjectModels, installed

Process = Callable[..., AbstractContextManager[tuple[grpc.Channel, subprocess.Popen[bytes]]]]
DOCS = Path(__file__).resolve().parents[2] / "docs" / "object-models.md"


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the example was installed into, with a package beside it whose names cannot be taken."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("packages")
    files = re.findall(r"^`([\w.]+)`\n```\w+\n(.*?)^```$", DOCS.read_text(), re.MULTILINE | re.DOTALL)
    assert [name for name, _ in files] == ["pyproject.toml", "framewell_shoeprints.py"]
    for name, text in files:
        (source / name).write_text(text)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*pip, "--no-build-isolation", "--target", str(target), str(source)], check=True, timeout=100)
    other = target / "other-1.0.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (other / "entry_points.txt").write_text(
        "[framewell.object_models]\nobjects = nowhere:Model\na model = nowhere:Model\nbroken = nowhere:Model\n"
    )
    return target


def print_of(turn: float) -> Image.Image:
    """Stripes in a direction, as of a sole."""
    picture = Image.new("RGB", (120, 120), "white")
    pen = ImageDraw.Draw(picture)
    for place in range(-120, 240, 12):
        pen.line((place, 0, place + 120 * turn, 120), "black", 5)
    return picture


async def test_the_example_is_found_and_tells_soles_apart(packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(packages))
    found = installed()
    assert set(found) == {"shoeprints", "broken"}  # `objects` is the encoder's, and a name has no blanks
    models = ObjectModels(found)
    assert [status.dimensions for status in models.statuses] == [0, 0]  # nothing is loaded before it is needed
    rows = await models.embed("shoeprints", [print_of(0), print_of(0.05), print_of(1), Image.new("RGB", (3, 900))])
    assert rows.shape == (4, 512)
    assert rows[0] @ rows[1] > rows[0] @ rows[2] + 0.2
    with pytest.raises(EncoderUnavailable, match="'broken' cannot be loaded: No module named 'nowhere'"):
        await models.dimensions("broken")
    assert {status.name: bool(status.reason) for status in models.statuses} == {"broken": True, "shoeprints": False}
    await models.close()


def test_the_service_lists_what_is_installed(packages: Path, tmp_path: Path, process: Process) -> None:
    with process(tmp_path, FRAMEWELL_ENCODER="off", PYTHONPATH=str(packages)) as (channel, _):
        models = search_pb2_grpc.SearchServiceStub(channel).ListModels(pb.ListModelsRequest(), timeout=5)
        assert [model.name for model in models.object_models] == ["broken", "objects", "shoeprints"]
        assert [model.reason for model in models.object_models] == ["", models.encoder.reason, ""]
        assert models.encoder.state == pb.ENCODER_STATE_OFF


class Lengths:
    """Implements `ObjectModel`."""

    name, dimensions = "lengths", 2

    def __init__(self) -> None:
        self.gives: object = None

    def embed(self, pictures: Sequence[Image.Image]) -> np.ndarray:
        if isinstance(self.gives, Exception):
            raise self.gives
        return np.array([picture.size for picture in pictures]) if self.gives is None else np.array(self.gives)


@pytest.mark.parametrize(
    ("gives", "said"),
    [
        ([[1, 2, 3]], "something else than vectors of 2 numbers"),
        ([[1, 2], [3, 4]], "something else"),
        ([[1, float("nan")]], "something else"),
        ([["a", "b"]], "failed: could not convert"),
        (MemoryError(), "failed: MemoryError"),
        (KeyError("layer.0"), "failed: 'layer.0'"),
    ],
)
async def test_what_a_plug_in_does_wrong_is_said_with_its_name(gives: object, said: str) -> None:
    model = Lengths()
    models = ObjectModels({"lengths": lambda: model})
    shown = [Image.new("RGB", (3, 4))]
    np.testing.assert_allclose(await models.embed("lengths", shown), [[0.6, 0.8]], atol=1e-6)
    model.gives = gives
    with pytest.raises(EncoderUnavailable, match=f"The model 'lengths' (gave|failed).*{said.removeprefix('failed')}"):
        await models.embed("lengths", shown)
    await models.close()


async def test_a_model_whose_weights_come_later_is_loaded_then() -> None:
    now, weights = [0.0], []

    def make() -> Lengths:
        if not weights:
            raise FileNotFoundError("faces.onnx is not there.")
        return Lengths()

    models = ObjectModels({"faces": make}, lambda: now[0])
    for _ in range(2):
        with pytest.raises(EncoderUnavailable, match=r"faces\.onnx is not there"):
            await models.dimensions("faces")
        weights.append("put in place")
    now[0] += RETRY_S
    assert await models.dimensions("faces") == 2
    assert [status.reason for status in models.statuses] == [""]
    with pytest.raises(ModelNotInstalled, match="model 'shoeprints' is not installed on this server"):
        await models.embed("shoeprints", [])
    await models.close()

"""The open_clip path, on a model small enough to be committed; any checkpoint goes the same way."""

from __future__ import annotations

import importlib.util
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from search_service.domain.errors import EncoderUnavailable
from search_service.encoders import open_clip
from search_service.encoders.choice import candidates
from search_service.encoders.device import placement
from search_service.encoders.names import space_of
from search_service.shapes import caption, drawn

TINY = Path(__file__).parent / "tiny"
#: Half precision rounds differently in batches of different sizes.
ALIKE = 0.998
CHECKPOINT = TINY / "tiny-shapes.pt"


@pytest.fixture(scope="module")
def encoder() -> open_clip.OpenClipEncoder:
    return open_clip.load("tiny-shapes", str(CHECKPOINT))


def test_it_finds_coloured_shapes_by_their_names(encoder: open_clip.OpenClipEncoder) -> None:
    specification = importlib.util.spec_from_file_location("train_tiny", TINY.parents[1] / "tools/train_tiny.py")
    assert specification is not None
    assert specification.loader is not None
    module: Any = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    assert module.recall(encoder) >= 0.95


def test_the_checkpoint_is_small() -> None:
    assert CHECKPOINT.stat().st_size < 10_000_000


def test_vectors_have_unit_length_and_do_not_depend_on_their_neighbours(encoder: open_clip.OpenClipEncoder) -> None:
    chance = random.Random(4)
    pictures = [drawn("red", "star", chance, side) for side in (16, 64, 300)] * 7
    pictures += [Image.new("L", (7, 90)), Image.new("RGBA", (1, 1))]
    images = encoder.images(pictures)
    assert images.shape == (23, encoder.dimensions)
    np.testing.assert_allclose(np.linalg.norm(images, axis=1), 1, atol=1e-3)
    assert encoder.images(pictures[:1])[0] @ images[0] > ALIKE
    texts = encoder.texts(["a red star", "", "long " * 300, "мир\x00"])
    np.testing.assert_allclose(np.linalg.norm(texts, axis=1), 1, atol=1e-3)
    assert encoder.texts(["a red star"])[0] @ texts[0] > ALIKE
    assert encoder.images([]).shape == encoder.texts([]).shape == (0, encoder.dimensions)


def test_the_setting_leads_to_the_model() -> None:
    [(_, load)] = candidates(f"open_clip:tiny-shapes/{CHECKPOINT}")
    encoder = load()
    assert encoder.name == "open_clip"
    assert encoder.dimensions == 64
    picture = encoder.images([drawn("blue", "circle", random.Random(1))])[0]
    scores = encoder.texts([caption("blue", "circle"), caption("red", "square")]) @ picture
    assert scores[0] > scores[1]


def test_it_runs_where_the_hardware_is() -> None:
    where = placement()
    assert (where.device.type == "cuda") == torch.cuda.is_available()
    if where.device.type == "cpu" and not torch.cpu._is_amx_tile_supported():
        assert where.dtype is torch.float32


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_half_precision_finds_the_same(
    encoder: open_clip.OpenClipEncoder, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_clip, "placement", lambda: open_clip.Placement(torch.device("cpu"), dtype))
    other = open_clip.load("tiny-shapes", str(CHECKPOINT))
    chance = random.Random(9)
    pictures = [drawn(colour, shape, chance) for colour in ("red", "blue") for shape in ("star", "circle")]
    assert ((other.images(pictures) * encoder.images(pictures)).sum(1) > 0.99).all()
    assert ((other.texts(["a red star"]) * encoder.texts(["a red star"])).sum(1) > 0.99).all()


def test_what_is_wrong_with_a_checkpoint_is_said(tmp_path: Path) -> None:
    with pytest.raises(EncoderUnavailable, match=r"gone\.pt is not there"):
        open_clip.load("tiny-shapes", str(tmp_path / "gone.pt"))
    damaged = tmp_path / "damaged.pt"
    damaged.write_bytes(CHECKPOINT.read_bytes()[:5000])
    with pytest.raises(EncoderUnavailable, match="cannot be loaded"):
        open_clip.load("tiny-shapes", str(damaged))
    picture = tmp_path / "picture.pt"
    Image.new("RGB", (20, 20), "red").save(picture, "PNG")
    with pytest.raises(EncoderUnavailable, match=r"no checkpoint that can be read safely\.$"):
        open_clip.load("tiny-shapes", str(picture))
    shutil.copy(CHECKPOINT, tmp_path / "mine.pt")
    with pytest.raises(EncoderUnavailable, match=r"no model my-own, and there is no my-own\.json"):
        open_clip.load("my-own", str(tmp_path / "mine.pt"))
    with pytest.raises(EncoderUnavailable, match="cannot be loaded"):
        open_clip.load("ViT-B-32", str(tmp_path / "mine.pt"))


def test_weights_that_are_not_to_be_had_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_clip.constants, "ENDPOINT", "https://127.0.0.1:1")
    monkeypatch.setattr(open_clip, "try_to_load_from_cache", lambda *_: None)

    def refused(*_: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(open_clip.socket, "create_connection", refused)
    with pytest.raises(EncoderUnavailable, match=r"not on this machine, and 127\.0\.0\.1 cannot be reached"):
        open_clip.load("ViT-B-32", "laion2b_s34b_b79k")
    with pytest.raises(EncoderUnavailable, match="has no weights nobody"):
        open_clip.load("ViT-B-32", "nobody")


def test_a_checkpoint_trained_again_has_vectors_of_another_name(tmp_path: Path) -> None:
    file = tmp_path / "mine.pt"
    file.write_bytes(b"one")
    before = space_of("open_clip", "tiny", str(file))
    assert space_of("open_clip", "tiny", str(file)) == before
    (tmp_path / "put-back.pt").write_bytes(b"one")
    assert space_of("open_clip", "tiny", str(tmp_path / "put-back.pt")) == before
    file.write_bytes(b"another")
    assert space_of("open_clip", "tiny", str(file)) != before
    assert space_of("open_clip", "ViT-B-32", "laion2b_s34b_b79k") == "open_clip-ViT-B-32-laion2b_s34b_b79k"

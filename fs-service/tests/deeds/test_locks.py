"""Who waits for whom."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

from fs_service.domain.locks import PathLocks


def in_thread(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_the_same_file_is_held_by_one_and_others_are_free() -> None:
    locks = PathLocks()
    other, same = threading.Event(), threading.Event()

    def wait_for_same() -> None:
        with locks.held([b"/x/A.jpg"]):
            same.set()

    def take_other() -> None:
        with locks.held([b"/x/b.jpg"]):
            other.set()

    with locks.held([b"/x/a.jpg"]):
        threads = [in_thread(wait_for_same), in_thread(take_other)]
        assert other.wait(5)
        assert not same.wait(0.1)
    assert same.wait(5)
    for thread in threads:
        thread.join(5)


def test_any_sets_in_any_order_never_wait_in_a_circle_and_nothing_is_left_over() -> None:
    locks = PathLocks()
    paths = [b"/x/%d.jpg" % number for number in range(6)]
    inside: dict[bytes, int] = dict.fromkeys(paths, 0)
    wrong: list[bytes] = []

    def work(seed: int) -> None:
        rng = random.Random(seed)
        for _ in range(200):
            chosen = rng.sample(paths, rng.randint(1, 4))
            with locks.shared(), locks.held(chosen):
                for path in chosen:
                    inside[path] += 1
                    if inside[path] != 1:
                        wrong.append(path)
                for path in chosen:
                    inside[path] -= 1

    threads = [in_thread(lambda seed=seed: work(seed)) for seed in range(6)]
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert wrong == []
    assert locks._table == {}


def test_whoever_wants_to_be_alone_waits_for_those_inside_and_goes_before_new_ones() -> None:
    locks = PathLocks()
    order: list[str] = []
    inside, alone_wants = threading.Event(), threading.Event()

    def alone() -> None:
        alone_wants.set()
        with locks.alone():
            order.append("alone")

    def late() -> None:
        with locks.shared():
            order.append("late")

    with locks.shared():
        inside.set()
        first = in_thread(alone)
        assert alone_wants.wait(5)
        while not locks._wanting_alone:
            first.join(0.001)
        second = in_thread(late)
        second.join(0.05)
        order.append("inside")
    first.join(5)
    second.join(5)
    assert order == ["inside", "alone", "late"]

"""A busy afternoon in one review root, and a ledger of what the product said: used while processes are killed.

Each actor runs in a thread of its own. A request that was cut off may or may not have happened, so the ledger keeps,
for every file, the set of states it may be in; an answer narrows it to one. A file may be gone only if one of its
possible states was "trashed and not locked".
"""

from __future__ import annotations

import io
import random
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
from api import Api, Json, lines_of
from media import picture
from PIL import Image

State = tuple[bool, bool, bool]  # locked, trashed, seen
FRESH: State = (False, False, False)
ACTIONS = ("lock", "unlock", "trash", "untrash", "seen", "unseen")
SIZES = (64, 128, 200, 256)


def after(state: State, action: str) -> State:
    """What the action makes of the state; trashing a locked file changes nothing."""
    locked, trashed, seen = state
    match action:
        case "lock":
            return True, trashed, True
        case "unlock":
            return False, trashed, seen
        case "trash":
            return state if locked else (False, True, True)
        case "untrash":
            return locked, False, seen
        case "seen":
            return locked, trashed, True
        case _:
            return locked, trashed, False


def deletable(states: set[State]) -> bool:
    return any(trashed and not locked for locked, trashed, _ in states)


def state_of(status: Json) -> State:
    return status["locked"], status["trashed"], status["seen"]


def on_disk(path: Path) -> State:
    return (Path(f"{path}.lock").exists(), Path(f"{path}.trash").exists(), Path(f"{path}.seen").exists())


class Actor(threading.Thread):
    """Does `turn` over and over until told to stop; an assertion that fails in it fails the test."""

    def __init__(self, url: str, seed: int) -> None:
        super().__init__(daemon=True)
        self.api = Api(url, timeout_s=30.0)
        self.chooser = random.Random(seed)
        self.failure: BaseException | None = None
        self.answered = 0
        self.cut_off = 0
        self._stop_asked = threading.Event()

    def turn(self) -> None:
        raise NotImplementedError

    def run(self) -> None:
        try:
            while not self._stop_asked.is_set():
                self.turn()
                self._stop_asked.wait(0.002)
        except BaseException as error:  # noqa: BLE001 - raised again by stop()
            self.failure = error
        finally:
            self.api.close()

    def stop(self) -> None:
        self._stop_asked.set()
        self.join(60)
        assert not self.is_alive(), "an actor hangs"
        if self.failure is not None:
            raise self.failure

    def ask(self, request: Callable[[], httpx.Response]) -> httpx.Response | None:
        """The answer, or None when it was cut off or a part of the product was away."""
        try:
            answer = request()
        except httpx.TransportError:
            self.cut_off += 1
            self._stop_asked.wait(0.05)
            return None
        if answer.status_code >= 500:
            assert answer.status_code != 500, answer.text
            self.cut_off += 1
            self._stop_asked.wait(0.05)
            return None
        self.answered += 1
        return answer


class Reviewer(Actor):
    """Marks its own files and keeps their ledger; what the emptier takes is made up for by new files."""

    def __init__(self, url: str, seed: int, files: list[Path]) -> None:
        super().__init__(url, seed)
        self.may_be: dict[Path, set[State]] = {path: {FRESH} for path in files}
        self.gone: set[Path] = set()
        self._folder = files[0].parent
        self._fewest = len(files) * 2 // 3

    def turn(self) -> None:
        left = [path for path in self.may_be if path not in self.gone]
        if len(left) < self._fewest:
            self._take()
            return
        if self.chooser.random() < 0.15:
            self._batch(self.chooser.sample(left, min(len(left), 10)))
        else:
            self._single(self.chooser.choice(left))

    def _take(self) -> None:
        """One more file, there at once as a whole."""
        path = self._folder / f"new{len(self.may_be):05}.jpg"
        unfinished = self._folder / ".unfinished.jpg"
        picture(unfinished, colour="blue")
        unfinished.rename(path)
        self.may_be[path] = {FRESH}

    def _single(self, path: Path) -> None:
        action = self._choose()
        before = self.may_be[path]
        self.may_be[path] = before | {after(state, action) for state in before}
        answer = self.ask(lambda: self.api.action(path, action))
        if answer is None:
            return
        if answer.status_code == 200:
            self._told(path, state_of(answer.json()["status"]), before, action)
        elif answer.status_code == 409:
            assert action == "trash", answer.text
            self.may_be[path] = {state for state in before if state[0]}
            assert self.may_be[path], f"{path.name} was called locked and cannot be: {before}"
        else:
            self._found_missing(path, before, answer.text)

    def _batch(self, paths: list[Path]) -> None:
        action = self._choose()
        before = {path: self.may_be[path] for path in paths}
        for path in paths:
            self.may_be[path] = before[path] | {after(state, action) for state in before[path]}
        answer = self.ask(lambda: self.api.batch([str(path) for path in paths], action))
        if answer is None:
            return
        assert answer.status_code == 207, answer.text
        for path, result in zip(paths, answer.json()["results"], strict=True):
            if result["status"] is not None:
                self._told(path, state_of(result["status"]), before[path], action)
            elif "locked" in result["error"]:
                self.may_be[path] = {state for state in before[path] if state[0]}
                assert self.may_be[path], f"{path.name} was called locked and cannot be"
            elif not path.exists():
                self._found_missing(path, before[path], result["error"])

    def _choose(self) -> str:
        return self.chooser.choices(ACTIONS, weights=(4, 4, 4, 3, 4, 4))[0]

    def _told(self, path: Path, state: State, before: set[State], action: str) -> None:
        assert state in {after(one, action) for one in before}, f"{path.name}: {action} of {before} gave {state}"
        self.may_be[path] = {state}

    def _found_missing(self, path: Path, before: set[State], text: str) -> None:
        assert not path.exists(), f"{path.name} is there, and was refused: {text}"
        assert deletable(before), f"{path.name} is gone, and could only be {before}"
        self.gone.add(path)

    def settle(self) -> None:
        """Compare the ledger with the disk, when nothing is running any more."""
        for path, states in self.may_be.items():
            if path.exists():
                assert path not in self.gone, f"{path.name} came back"
                assert on_disk(path) in states, f"{path.name} is {on_disk(path)}, and may be {states}"
            else:
                assert path in self.gone or deletable(states), f"{path.name} is gone, and could only be {states}"


class Viewer(Actor):
    """Asks for thumbnails; each one served must be whole."""

    def __init__(self, url: str, seed: int, root: Path) -> None:
        super().__init__(url, seed)
        self._root = root

    def turn(self) -> None:
        path = self.chooser.choice(sorted(self._root.rglob("*.jpg")))
        size = self.chooser.choice(SIZES)
        answer = self.ask(lambda: self.api.thumbnail(path, size))
        if answer is not None and answer.status_code == 200:
            with Image.open(io.BytesIO(answer.content)) as image:
                image.load()
                assert image.size == (size, size)


class Emptier(Actor):
    """Empties the trash again and again; what it is told deleted is gone."""

    def __init__(self, url: str, seed: int, root: Path) -> None:
        super().__init__(url, seed)
        self._root = root
        self.deleted = 0

    def turn(self) -> None:
        self._stop_asked.wait(self.chooser.uniform(0.2, 1.0))
        answer = self.ask(lambda: self.api.send("POST", "/api/empty-trash", {"path": str(self._root)}))
        if answer is None:
            return
        assert answer.status_code == 200, answer.text
        for event in lines_of(answer.text):
            if event["type"] == "deleted":
                self.deleted += 1
                assert not Path(event["path"]).exists(), event


class Looker(Actor):
    """Reads pages; a page is whole or ends with an error line."""

    def __init__(self, url: str, seed: int, root: Path) -> None:
        super().__init__(url, seed)
        self._root = root

    def turn(self) -> None:
        self._stop_asked.wait(0.1)
        answer = self.ask(lambda: self.api.get("/api/media-items/stream", path=self._root, limit=100))
        if answer is not None:
            assert answer.status_code == 200, answer.text
            lines = lines_of(answer.text)
            assert lines[-1]["type"] in ("done", "error")


class Camera(Actor):
    """Puts new pictures into the root, each at once."""

    def __init__(self, url: str, seed: int, root: Path) -> None:
        super().__init__(url, seed)
        self._root = root
        self._taken = 0

    def turn(self) -> None:
        self._taken += 1
        unfinished = self._root / ".unfinished.jpg"
        picture(unfinished, (160, 120), self.chooser.choice(["red", "green", "blue"]))
        folder = self._root / "camera"
        folder.mkdir(exist_ok=True)
        unfinished.rename(folder / f"{self._taken:05}.jpg")
        self._stop_asked.wait(0.25)

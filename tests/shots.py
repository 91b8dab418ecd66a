"""What the tests of the web page work on: a review path of small pictures, and a window on the page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from api import Api, eventually
from media import picture
from playwright.sync_api import Page

#: Opens the page of a stack in a window of its own: as another person would.
Visit = Callable[..., Page]


class Shots:
    """A review path of small pictures."""

    def __init__(self, api: Api, path: Path, count: int) -> None:
        self.api = api
        self.path = path
        path.mkdir(parents=True)
        picture(path / "shot.jpg")
        drawn = (path / "shot.jpg").read_bytes()
        (path / "shot.jpg").unlink()
        self.files = [path / f"shot{number:04d}.jpg" for number in range(count)]
        for number, file in enumerate(self.files):
            file.write_bytes(drawn + b"%d" % number)
        api.add_root(path)
        eventually(lambda: self.counts["all"], lambda listed: listed == count, 60)

    @property
    def counts(self) -> dict[str, int]:
        return self.api.summary(self.path)

    @property
    def grid(self) -> str:
        """Its address in the page."""
        return f"/#/r/{str(self.path).replace('/', '%2F')}"

"""The public HTTP interface as a client sees it: what the tests say often, said once."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx

Json = dict[str, Any]
PathLike = Path | str | bytes


@dataclass(frozen=True)
class Page:
    """A stream read to its end: the item lines and the last line."""

    items: list[Json]
    done: Json

    @property
    def names(self) -> list[str]:
        return [item["name"] for item in self.items]

    @property
    def paths(self) -> list[str]:
        return [item["path"] for item in self.items]


def text(path: PathLike) -> str:
    """The path as the interface prints it: bytes that are no UTF-8 become lone surrogates."""
    return os.fsdecode(path)


def visible(folder: PathLike) -> list[str]:
    """The names in the folder, sorted, without what is hidden: a root's own `.thumbnails` may come at any time."""
    return sorted(name for name in os.listdir(text(folder)) if not name.startswith("."))


def query(**parameters: PathLike | int) -> str:
    """A query string; a path's bytes travel as they are."""
    return urlencode({key: os.fsencode(v) if isinstance(v, str | Path) else v for key, v in parameters.items()})


def lines_of(body: str) -> list[Json]:
    """The objects of an NDJSON body, every line of which must end with a newline."""
    assert body == "" or body.endswith("\n"), body[-200:]
    return [json.loads(line) for line in body.split("\n")[:-1]]


class Api:
    """A client of one running stack. `call` sends anything; the rest are the requests of a review page."""

    def __init__(self, url: str, timeout_s: float = 60.0) -> None:
        self.url = url
        self.client = httpx.Client(base_url=url, timeout=timeout_s, trust_env=False)

    def close(self) -> None:
        self.client.close()

    def get(self, address: str, *, headers: Mapping[str, str] | None = None, **parameters: Any) -> httpx.Response:
        tail = f"?{query(**parameters)}" if parameters else ""
        return self.client.get(address + tail, headers=headers)

    def send(
        self, method: str, address: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """A request with a JSON body (none for None); lone surrogates travel as escapes."""
        if body is None:
            return self.client.request(method, address, headers=headers)
        all_headers = {"Content-Type": "application/json", **(headers or {})}
        return self.client.request(method, address, content=json.dumps(body).encode(), headers=all_headers)

    # ---- roots
    def known_paths(self) -> list[str]:
        known: list[str] = self.ok(self.get("/api/review-paths"))["knownPaths"]
        return known

    def add_root(self, path: PathLike) -> Json:
        return self.ok(self.send("POST", "/api/review-paths", {"path": text(path)}), 201)

    def remove_root(self, path: PathLike) -> httpx.Response:
        return self.send("DELETE", "/api/review-paths", {"path": text(path)})

    # ---- looking
    def stream(self, root: PathLike, **parameters: Any) -> Page:
        answer = self.get("/api/media-items/stream", path=root, **parameters)
        assert answer.status_code == 200, answer.text
        *items, done = lines_of(answer.text)
        assert done["type"] == "done", done
        return Page(items, done)

    def item(self, root: PathLike, path: PathLike) -> Json:
        for item in self.stream(root, limit=10_000).items:
            if item["path"] == text(path):
                return item
        raise AssertionError(f"{path!r} is not in the stream")

    def files(self, folder: PathLike, **parameters: Any) -> Json:
        return self.ok(self.get("/api/folders/files", path=folder, **parameters))

    def summary(self, root: PathLike) -> dict[str, int]:
        counts: dict[str, int] = self.ok(self.get("/api/media-items/summary", path=root))["counts"]
        return counts

    def thumbnail(self, path: PathLike, size: int = 256, **headers: Any) -> httpx.Response:
        return self.get("/api/media-thumbnail", headers=headers, path=path, size=size)

    def file(self, path: PathLike, **headers: Any) -> httpx.Response:
        return self.get("/api/media-file", headers=headers, path=path)

    # ---- changing
    def action(self, path: PathLike, action: str) -> httpx.Response:
        return self.send("POST", "/api/media-actions", {"path": text(path), "action": action})

    def act(self, path: PathLike, *actions: str) -> Json:
        """Every action, each of which must succeed; the last one's status."""
        status: Json = {}
        for action in actions:
            status = self.ok(self.action(path, action))["status"]
        return status

    def batch(self, paths: list[Any], action: object) -> httpx.Response:
        return self.send("POST", "/api/media-items/batch", {"paths": paths, "action": action})

    def empty_trash(self, path: PathLike | None = None, **headers: str) -> list[Json]:
        body = None if path is None else {"path": text(path)}
        answer = self.send("POST", "/api/empty-trash", body, headers)
        assert answer.status_code == 200, answer.text
        return lines_of(answer.text)

    def plan(self, root: PathLike) -> Json:
        return self.ok(self.get("/api/trash/plan", path=root))

    # ---- following
    def is_ready(self) -> bool:
        """Whether the product says so; a gateway that is away does not."""
        try:
            return self.get("/health/ready").status_code == 200
        except httpx.TransportError:
            return False

    def jobs(self) -> Json:
        return self.ok(self.get("/api/jobs"))

    def wait_idle(self, deadline_s: float = 60.0) -> Json:
        jobs: Json = eventually(self.jobs, lambda jobs: bool(jobs["idle"]), deadline_s)
        return jobs

    @contextmanager
    def events(self, last_event_id: str | None = None) -> Iterator[Iterator[Json]]:
        """The server-sent events as `{"id","event","data"}`, from now on or behind an id."""
        headers = {"Accept": "text/event-stream"}
        if last_event_id is not None:
            headers["Last-Event-ID"] = last_event_id
        with self.client.stream("GET", "/api/events", headers=headers) as answer:
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/event-stream")
            yield _events_of(answer.iter_lines())

    @staticmethod
    def ok(answer: httpx.Response, status: int = 200) -> Json:
        assert answer.status_code == status, f"{answer.status_code}: {answer.text[:500]}"
        body: Json = answer.json()
        return body


def _events_of(lines: Iterator[str]) -> Iterator[Json]:
    fields: dict[str, str] = {}
    for line in lines:
        if line == "":
            if "data" in fields:
                yield {"id": fields.get("id"), "event": fields.get("event"), "data": json.loads(fields["data"])}
            fields = {}
        elif not line.startswith(":"):
            key, _, value = line.partition(":")
            fields[key] = value.removeprefix(" ")


def next_event(events: Iterator[Json], kind: str, about: PathLike | None = None) -> Json:
    """The next event of a kind, about a path when one is given; the client's timeout is the deadline."""
    for event in events:
        if event["event"] == kind and (about is None or event["data"].get("path") == text(about)):
            return event
    raise AssertionError(f"the events ended before one of kind {kind!r}")


def eventually(look: Callable[[], Any], good: Callable[[Any], bool], deadline_s: float = 20.0) -> Any:
    """What `look` sees as soon as it is good; an error with the last sight when it never is."""
    end = time.monotonic() + deadline_s
    while True:
        seen = look()
        if good(seen):
            return seen
        if time.monotonic() > end:
            raise AssertionError(f"not so after {deadline_s} s: {seen!r}")
        time.sleep(0.05)


def error_of(answer: httpx.Response, status: int) -> str:
    """The sentence of an error of the review dialect: the status, the exact frame, and no secret in it."""
    assert answer.status_code == status, f"{answer.status_code}: {answer.text[:500]}"
    assert answer.headers["content-type"].split(";")[0] == "application/json"
    body = answer.json()
    assert list(body) == ["error"], body
    sentence: str = body["error"]
    assert sentence, "an empty sentence"
    assert "Traceback" not in sentence, sentence
    return sentence


NOT_UNDER = "Path is not under a configured review path."
NOT_KNOWN = "Path is not configured as a known review path."

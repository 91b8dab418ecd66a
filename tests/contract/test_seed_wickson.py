"""Every sample of the Wickson document over HTTP: the commands as printed, with only the host and the key replaced."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from rows import Rows
from stack import REPOSITORY, Stack

SEEDS = REPOSITORY / "tests" / "seeds"
HOST, KEY = "https://api.wickson.ai", "YOUR_API_KEY"
SEARCH: dict[str, Any] = {
    "summary": "This research paper examines...",
    "description": "A comprehensive analysis of...",
    "entities": {
        "people": ["John Smith", "Jane Doe"],
        "organizations": ["Research Institute", "University of Science"],
        "locations": ["Boston, MA", "San Francisco, CA"],
    },
    "semantic_markers": {
        "categories": ["Research", "Science", "Technology"],
        "topics": ["AI", "Machine Learning", "Neural Networks"],
    },
}
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}"
UUID5 = r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


@pytest.fixture(scope="module")
def client(stack: Stack) -> Iterator[httpx.Client]:
    """With the admin key."""
    key = (stack.state_dir / "admin.key").read_text().strip()
    with httpx.Client(base_url=stack.url, headers={"X-Api-Key": key}, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def research(stack: Stack, client: httpx.Client) -> None:
    """The collection `research` with 42 documents, of which the newest is the one that the document shows."""
    (organization,) = client.get("/api/auth/organization/list").json()
    address = f"/api/organization/{organization['id']}/datasets"
    made = client.post(address, json={"name": "research"})
    assert made.status_code == 200, made.text
    rows = Rows(stack)
    for number in range(41):
        rows.document(made.json()["id"], f"notes_{number}.pdf", 1000 + number, 1)
    newest = rows.document(made.json()["id"], "research_paper.pdf", 538064, 23)
    rows.close()
    assert client.patch(f"/api/media/{newest}", json={"metadata": SEARCH}).status_code == 200
    for category in SEARCH["semantic_markers"]["categories"]:
        tag = {"label": "Category", "value": category}
        assert client.post(f"/api/media/{newest}/tags", json=tag).status_code == 200


def replaced(name: str, stack: Stack, client: httpx.Client) -> str:
    """A sample of the document with the host and the key of the running stack."""
    text = (SEEDS / name).read_text(encoding="utf-8")
    assert text.count(HOST) == text.count(KEY) == 1
    return text.replace(HOST, stack.url).replace(KEY, client.headers["x-api-key"])


def output(command: list[str], cwd: Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=cwd)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.mark.usefixtures("research")
def test_the_python_example_runs_as_it_is_printed(stack: Stack, client: httpx.Client, tmp_path: Path) -> None:
    program = tmp_path / "example.py"
    program.write_text(replaced("wickson-example.py.txt", stack, client), encoding="utf-8")

    first, *lines = output([sys.executable, str(program)], tmp_path).splitlines()

    assert first == "Found 42 items (showing page 1 of 5)"
    shown = rf"- doc_{UUID5} \| document \| (research_paper|notes_\d+)\.pdf \| Created: {TIME}"
    assert re.fullmatch(shown.replace("(research_paper|notes_\\d+)", "research_paper"), lines[0])
    assert lines[1] == "  Summary: This research paper examines..."
    assert len(lines) == 11
    assert all(re.fullmatch(shown, line) for line in lines[2:])


@pytest.mark.usefixtures("research")
def test_the_curl_example_has_the_documented_answer(stack: Stack, client: httpx.Client, tmp_path: Path) -> None:
    command = shlex.split(replaced("wickson-curl.sh.txt", stack, client).replace("\\\n", " "))

    answer = json.loads(output([*command, "-s"], tmp_path))

    assert list(answer) == ["success", "message", "data", "timestamp"]
    assert (answer["success"], answer["message"]) == (True, "Media items retrieved successfully")
    assert re.fullmatch(TIME, answer["timestamp"])
    data = answer["data"]
    assert data["pagination"] == {"page": 1, "page_size": 10, "total_items": 42, "total_pages": 5, "has_next": True}
    applied = {"media_type": "document", "collection": "research"}
    assert data["filters"] == {"applied": applied, "total_matching": 42}
    item = data["items"][0]
    assert list(item) == ["id", "media_type", "file_info", "collection", "storage", "metadata"]
    assert re.fullmatch(f"doc_{UUID5}", item["id"])
    checksum = item["file_info"].pop("checksum")
    assert re.fullmatch(r"[0-9a-f]{64}", checksum)
    assert item["file_info"] == {"filename": "research_paper.pdf", "size_bytes": 538064, "page_count": 23}
    assert (item["media_type"], item["collection"]) == ("document", "research")
    assert re.fullmatch(TIME, item["storage"].pop("created_at"))
    assert item["storage"] == {}
    found = item["metadata"]["search"]
    # All of its tags, sorted: those that every item has are among them.
    categories = found["semantic_markers"].pop("categories")
    assert categories == sorted({*categories, *SEARCH["semantic_markers"]["categories"]})
    assert {**found, "semantic_markers": {**SEARCH["semantic_markers"], **found["semantic_markers"]}} == SEARCH
    # What probing found; "formatting" is what another system's analysis calls it.
    assert item["metadata"]["modality"] == {"document": {"page_count": 23}}


@pytest.mark.usefixtures("research")
def test_every_parameter_of_the_table_is_taken(client: httpx.Client) -> None:
    def data(**parameters: Any) -> Any:
        answer = client.get("/v1/media", params={"collection": "research", **parameters})
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    assert (data()["pagination"]["page"], data()["pagination"]["page_size"]) == (1, 20)
    assert len(data(page_size=100)["items"]) == 42
    assert data(page=5, page_size=10)["pagination"]["has_next"] is False
    assert len(data(page=5, page_size=10)["items"]) == 2
    for media_type in ("document", "image", "video", "audio", "model"):
        assert data(media_type=media_type)["pagination"]["total_items"] == (42 if media_type == "document" else 0)
    assert "vectors" not in data(include_vectors=False)["items"][0]
    assert "metadata" not in data(include_metadata="false")["items"][0]


def test_the_error_example_is_word_for_word(client: httpx.Client) -> None:
    answer = client.get("/v1/media", params={"page": "0"})

    assert answer.status_code == 400
    assert answer.json() == {
        "success": False,
        "message": "Invalid page parameter: must be a positive integer",
        "error": {
            "code": "INVALID_PARAMETER",
            "details": {"parameter": "page", "reason": "Must be a positive integer"},
        },
    }


def test_a_wrong_key_is_401_and_one_that_may_not_read_403(stack: Stack, client: httpx.Client) -> None:
    made = client.post("/api/keys", json={"name": "cannot read", "scopes": ["trash"]}).json()
    cases = (
        ({}, 401, "UNAUTHORIZED", {"header": "X-Api-Key", "reason": "missing"}),
        ({"X-Api-Key": "wrong"}, 401, "UNAUTHORIZED", {"header": "X-Api-Key", "reason": "invalid"}),
        ({"X-Api-Key": made["key"]}, 403, "FORBIDDEN", {"required_capability": "read"}),
    )
    for headers, status, code, details in cases:
        answer = httpx.get(f"{stack.url}/v1/media", headers=headers)
        assert answer.status_code == status
        assert answer.json()["success"] is False
        assert answer.json()["error"] == {"code": code, "details": details}


def test_vectors_without_search_are_an_honest_503(client: httpx.Client) -> None:
    answer = client.get("/v1/media", params={"include_vectors": "True"})

    assert answer.status_code == 503
    assert answer.json() == {
        "success": False,
        "message": "semantic search is not available: Search is switched off (FRAMEWELL_ENCODER=off).",
        "error": {"code": "SEARCH_UNAVAILABLE", "details": {}},
    }

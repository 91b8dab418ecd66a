"""Every sample of the Exquisitor document, request and answer as printed there, on the collection that it speaks of.

Two values are others. The document prints `originals/segment_042.mp4` for the item whose `uri` is
`video/segment_042.mp4`, which no joining of an address and a `uri` gives: ours is the address joined with the `uri`.
And it prints "outdoor" before "daylight": an item's values of one tagset come sorted.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import exquisitor_db as made
import httpx
import pytest
from stack import Stack

ITEM = """
{
  "id": 42,
  "uri": "video/segment_042.mp4",
  "thumbnail_url": "https://cdn.example.com/thumbs/segment_042.jpg",
  "original_url": "https://cdn.example.com/originals/video/segment_042.mp4"
}
"""
SESSION = '"session_info": {"session": "abc123", "collection": "my_collection", "modelId": "model_1"}'
#: The request's body, and the answer.
SAMPLES = {
    "base": ('{"media_ids": [42, 17, 830], ' + SESSION + "}", '{"items": [' + ITEM + "]}"),
    "details": (
        '{"media_ids": [42], "tagset_ids": [1, 3, 5], ' + SESSION + "}",
        '{"items": ['
        + ITEM.rstrip()[:-1]
        + ', "tags": {"1": ["daylight", "outdoor"], "3": [2024], "5": ["sports"]}}]}',
    ),
    "related": ('{"media_ids": [42], ' + SESSION + "}", '{"related": {"42": [43, 44, 45]}}'),
    "excluded": ('{"media_id": 42, "excluded_group_ids": [7, 12, 33], ' + SESSION + "}", '{"excluded": true}'),
}


@pytest.fixture(scope="module")
def collection(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> str:
    """`my_collection` as the samples show it: item 42 with its tags, in group 7 with three others."""
    rows = made.Rows(
        tagsets={1: ("Scene", 1), 3: ("Year", 5), 5: ("Topic", 1)},
        tags={1: (1, "outdoor"), 2: (1, "daylight"), 3: (3, 2024), 4: (5, "sports")},
    )
    rows.medias[7] = made.Media(7, "video", source_type=5)
    for number, group in ((17, None), (42, 7), (43, 7), (44, 7), (45, 7)):
        name = f"segment_{number:03}"
        rows.medias[number] = made.Media(number, f"video/{name}.mp4", 2, f"{name}.jpg", group)
    rows.medias[42].tags = {1, 2, 3, 4}
    file = made.write(rows, tmp_path_factory.mktemp("db") / "collection.db", "documented")
    options = ("--collection", "my_collection", "--thumbnails", made.THUMBNAILS, "--originals", made.ORIGINALS)
    done = subprocess.run(
        [sys.executable, "-m", "gateway.command", "import", "exquisitor", str(file), *options],
        env={**stack.environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return "my_collection"


def post(stack: Stack, endpoint: str, body: str) -> Any:
    answer = httpx.post(
        f"{stack.url}/exq/item/{endpoint}", content=body.encode(), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("endpoint", SAMPLES)
def test_the_documented_request_has_the_documented_answer(stack: Stack, collection: str, endpoint: str) -> None:
    request, expected = (json.loads(text) for text in SAMPLES[endpoint])

    answer = post(stack, endpoint, json.dumps(request))

    if endpoint == "base":  # the document prints the first of the three; 830 is not in this collection
        assert [item["id"] for item in answer["items"]] == [42, 17]
        answer["items"] = answer["items"][:1]
    assert json.dumps(answer) == json.dumps(expected)


def test_an_item_without_a_group_has_nothing_related_and_is_not_excluded(stack: Stack, collection: str) -> None:
    related, excluded = (json.loads(SAMPLES[name][0]) for name in ("related", "excluded"))

    assert post(stack, "related", json.dumps({**related, "media_ids": [17]})) == {"related": {"17": []}}
    assert post(stack, "excluded", json.dumps({**excluded, "media_id": 17})) == {"excluded": False}
    assert post(stack, "excluded", json.dumps({**excluded, "excluded_group_ids": [12, 33]})) == {"excluded": False}


@pytest.mark.parametrize("endpoint", SAMPLES)
def test_every_field_of_a_request_is_required(stack: Stack, collection: str, endpoint: str) -> None:
    whole = json.loads(SAMPLES[endpoint][0])

    for field in whole.keys() - ({"media_ids"} if endpoint != "excluded" else {"media_id"}):
        body = {name: value for name, value in whole.items() if name != field}
        answer = httpx.post(f"{stack.url}/exq/item/{endpoint}", json=body)
        assert answer.status_code == 422, (field, answer.text)
        assert answer.json()["error"] == "validation_error"

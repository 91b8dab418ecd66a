"""config.yaml: read by people and edited by hand, while the product runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from api import Api, error_of
from stack import Stack


@pytest.fixture
def config(stack: Stack) -> Iterator[Path]:
    """The file, put back as it was afterwards."""
    path = stack.state_dir / "config.yaml"
    before = path.read_bytes() if path.exists() else None
    yield path
    if before is not None:
        path.write_bytes(before)


def test_unknown_keys_and_comments_survive_a_rewrite(api: Api, root: Path, config: Path) -> None:
    config.write_text("# mine\nmy_own_key: [1, 2]\n" + config.read_text())

    api.ok(api.send("PATCH", "/api/settings", {"videoPreloadMb": 77}))

    written = config.read_text()
    assert "my_own_key:" in written
    assert "# mine" in written
    assert "video_preload_mb: 77" in written
    assert str(root) in written


def test_what_a_person_wrote_into_it_counts(api: Api, config: Path) -> None:
    api.ok(api.send("PATCH", "/api/settings", {"videoPreloadMb": 50}))

    config.write_text(config.read_text().replace("video_preload_mb: 50", "video_preload_mb: 64"))

    assert api.ok(api.get("/api/settings"))["videoPreloadMb"] == 64


def test_a_broken_file_is_reported_with_its_line_and_never_overwritten(api: Api, root: Path, config: Path) -> None:
    broken = config.read_text() + "\nthis is: [no yaml\n"
    config.write_text(broken)

    answer = api.send("PATCH", "/api/settings", {"videoPreloadMb": 88})

    sentence = error_of(answer, answer.status_code)
    assert 400 <= answer.status_code < 600
    assert answer.status_code != 500
    assert "line" in sentence
    error_of(api.send("POST", "/api/review-paths", {"path": str(root.parent)}), answer.status_code)
    assert config.read_text() == broken

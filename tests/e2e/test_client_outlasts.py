"""A program that uses the Python client goes on when the server under it is killed and comes back."""

from __future__ import annotations

from pathlib import Path

import pytest
from framewell_client import Framewell, Retry
from media import many
from stack import Stack

pytestmark = pytest.mark.e2e
#: A busy machine may take long to start it again.
PATIENT = Retry(attempts=60, longest_wait_s=1.0)


def test_streams_go_on_where_they_were_when_the_gateway_is_killed(own_stack: Stack, tmp_path: Path) -> None:
    paths = many(tmp_path / "rev", 1000)
    with Framewell(own_stack.url, retry=PATIENT) as client, Framewell(own_stack.url, retry=PATIENT) as listener:
        client.review.add_path(tmp_path / "rev")
        events = listener.platform.events("0")
        next(events)
        items = client.review.items(tmp_path / "rev", page_size=100)
        names = [next(items).name for _ in range(150)]

        own_stack.kill("gateway")
        names += [item.name for item in items]
        client.review.act(paths[7], "lock")
        event = next(one for one in events if one.kind == "state")

    assert names == [path.name for path in paths]
    assert (event.data["path"], event.data["status"]["locked"]) == (str(paths[7]), True)

"""No method of the Python client goes untried on the running stack: every test of a `client` is run blocking and
awaited, so it is enough that each is named in one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from framewell_client import Framewell
from framewell_client.namespaces import call, stream

HERE = Path(__file__).parent
TESTS = "".join(path.read_text(encoding="utf-8") for path in sorted(HERE.glob("test_client_*.py")))
#: What the tests call a namespace.
NAMES = {
    "review": "review",
    "platform": "platform",
    "wickson": "wickson",
    "exquisitor": "exq|exquisitor",
    "coreviz": "core|coreviz",
}


def methods() -> list[tuple[str, str]]:
    with Framewell() as client:
        spaces = {name: type(getattr(client, name)) for name in NAMES}
    return [
        (name, method)
        for name, space in spaces.items()
        for method, made in vars(space).items()
        if isinstance(made, call | stream)
    ]


@pytest.mark.parametrize(("namespace", "method"), methods())
def test_every_method_is_tried(namespace: str, method: str) -> None:
    assert re.search(rf"\b(?:{NAMES[namespace]})\.{method}\(", TESTS)

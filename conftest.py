"""For all tests: the package `gateway` is imported before pytest, which names a test module after its folders, makes
an empty one of that name from the folder `gateway/`. NATS, Qdrant and S3 are `tests/servers.py`'s."""

import gateway  # noqa: F401

pytest_plugins = ["servers"]

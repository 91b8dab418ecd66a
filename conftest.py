"""For all tests: the package `gateway` is imported before pytest, which names a test module after its folders, makes
an empty one of that name from the folder `gateway/`."""

import gateway  # noqa: F401

"""From the path in a request to a clean one, and what the picker's policy hides. Text only: nothing looks at the disk.

`~` and `~user` are the one thing taken from outside, through `os.path.expanduser`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Final

from fs_service.domain.errors import PathMalformed

#: The kernel's own limit on a path, in bytes.
PATH_MAX: Final = 4096

#: Never offered by the picker and never a root: what is below them are no files.
HIDDEN_PICKER_PATHS: Final = (b"/proc", b"/sys", b"/dev", b"/run")


def normalised(path: bytes) -> bytes:
    """The absolute path with `~` expanded and `.`, `..`, doubled and trailing slashes resolved as text.

    Raises:
        PathMalformed: empty, relative, a NUL, over 4096 bytes, an unknown `~user`.
    """
    if not path:
        raise PathMalformed("Path is empty.")
    if b"\0" in path:
        raise PathMalformed("Path contains a NUL character.")
    if len(path) > PATH_MAX:
        raise PathMalformed(f"Path is longer than {PATH_MAX} bytes.")
    if path.startswith(b"~"):
        # As text: given bytes, expanduser takes a user's name for ASCII and raises on any other.
        expanded = os.fsencode(os.path.expanduser(os.fsdecode(path)))
        if expanded.startswith(b"~"):
            raise PathMalformed("Path names an unknown user.")
        path = expanded
    if not path.startswith(b"/"):
        raise PathMalformed("Path must be absolute.")
    if len(path) > PATH_MAX:
        raise PathMalformed(f"Path is longer than {PATH_MAX} bytes.")
    # normpath keeps a doubled slash in front, as POSIX allows.
    return b"/" + os.path.normpath(path).lstrip(b"/")


def is_inside(path: bytes, folder: bytes) -> bool:
    """Whether the path is the folder or below it, compared by components: `/a` holds `/a/b`, not `/ab`."""
    return path == folder or path.startswith(folder.rstrip(b"/") + b"/")


def is_hidden_place(path: bytes, hidden: Iterable[bytes] = HIDDEN_PICKER_PATHS) -> bool:
    """Whether the picker's policy hides the path."""
    return any(is_inside(path, prefix) for prefix in hidden)


def holds_hidden_place(path: bytes, hidden: Iterable[bytes] = HIDDEN_PICKER_PATHS) -> bool:
    """Whether a hidden place is the path or below it: `/` is such a path, and so is each hidden one itself."""
    return any(is_inside(prefix, path) for prefix in hidden)

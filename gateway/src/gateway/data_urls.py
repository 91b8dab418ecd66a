"""Pictures that travel inside JSON: `data:image/...;base64,...`."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

from gateway.errors import invalid

_HEAD: Final = re.compile(r"data:(?:image/[\w.+-]+)?((?:;[\w.+=-]+)*),", re.ASCII | re.IGNORECASE)
#: How much of a text is looked at for its head.
_HEAD_LENGTH: Final = 200
_WHITE: Final = str.maketrans("", "", " \t\r\n")


def picture_of(url: str, name: str) -> bytes:
    """The bytes of a picture's data URL, which need not be a picture that anybody can read.

    Raises:
        Failure: 400, it is none, is empty or is not base64.
    """
    head = _HEAD.match(url[:_HEAD_LENGTH])
    if head is None or not head[1].lower().endswith(";base64"):
        raise invalid(name, f"Field '{name}' must be a data URL of an image: data:image/jpeg;base64,...")
    try:
        data = base64.b64decode(url[head.end() :].translate(_WHITE), validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid(name, f"Field '{name}' is not valid base64.") from error
    if not data:
        raise invalid(name, f"Field '{name}' holds an empty image.")
    return data

"""The pages of a document. Nothing on them is read."""

from __future__ import annotations

from typing import IO

import pypdf


def page_count(file: IO[bytes]) -> int | None:
    """Of a PDF; None for one without any, which no viewer opens."""
    file.seek(0)
    # The pages themselves: the number that the file claims may be any.
    count = len(pypdf.PdfReader(file).pages)
    return count if 0 < count < 2**31 else None

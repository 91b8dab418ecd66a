"""The catalogue's kinds of media as the dialects write them, and its tag values as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from media_proto import metadata_pb2 as pb

NAMES: Final[dict[int, str]] = {
    pb.MEDIA_KIND_AUDIO: "audio",
    pb.MEDIA_KIND_DOCUMENT: "document",
    pb.MEDIA_KIND_FOLDER: "folder",
    pb.MEDIA_KIND_IMAGE: "image",
    pb.MEDIA_KIND_MODEL: "model",
    pb.MEDIA_KIND_OTHER: "other",
    pb.MEDIA_KIND_TEXT: "text",
    pb.MEDIA_KIND_VIDEO: "video",
}


def value_text(value: pb.Value) -> str:
    """A tag's value as text: a whole number without a point."""
    match value.WhichOneof("value"):
        case "whole":
            return str(value.whole)
        case "decimal":
            return repr(value.decimal)
        case _:
            return value.text


def sorted_texts(values: Sequence[pb.Value]) -> list[str]:
    """Numbers in their order, then texts in theirs."""
    if len(values) == 1:
        return [value_text(values[0])]

    def key(value: pb.Value) -> tuple[bool, float, str]:
        which = value.WhichOneof("value")
        if which == "text":
            return True, 0.0, value.text
        return False, float(value.whole) if which == "whole" else value.decimal, ""

    return [value_text(value) for value in sorted(values, key=key)]

"""An open media file's size and description. Whatever its bytes make the libraries do, happens to the caller."""

from __future__ import annotations

from typing import IO

from media_common.insides.description import Camera, Description, Form, Size


def sized(file: IO[bytes], form: Form) -> Size:
    """Width, height and duration as the file's header says.

    Args:
        file: open for reading, seekable; of a raw, with a descriptor.
    """
    match form:
        case Form.VIDEO:
            from media_common.insides import videos  # its library is loaded when the first one comes

            return videos.sized(file)
        case Form.AUDIO:
            from media_common.insides import videos

            return videos.audio_sized(file)
        case Form.DOCUMENT:
            return Size()
        case Form.RAW:
            from media_common.insides import stills

            return stills.raw_sized(file)
        case Form.PICTURE:
            from media_common.insides import stills

            return stills.sized(file)


def described(file: IO[bytes], form: Form) -> Description:
    """`sized`, and what the camera wrote."""
    match form:
        case Form.VIDEO:
            from media_common.insides import videos

            return videos.described(file)
        case Form.AUDIO:
            from media_common.insides import videos

            return Description(videos.audio_sized(file), Camera())
        case Form.DOCUMENT:
            from media_common.insides import documents

            return Description(Size(), Camera(), documents.page_count(file))
        case Form.RAW:
            from media_common.insides import stills

            return stills.raw_described(file)
        case Form.PICTURE:
            from media_common.insides import stills

            return stills.described(file)

"""Camera raws: the preview that the camera put in; where there is none, a quick development at half size."""

from __future__ import annotations

from typing import Final

from thumbnail_service.domain import canvas, pictures
from thumbnail_service.domain.errors import Unreadable
from thumbnail_service.domain.limits import Limits

#: LibRaw's `flip` as an EXIF orientation. Source: LibRaw API docs, libraw_image_sizes_t.
_ORIENTATION: Final = {0: 1, 3: 3, 5: 8, 6: 6}


def render(descriptor: int, size_px: int, limits: Limits, finish: canvas.Finish = canvas.png_of) -> bytes:
    """The thumbnail PNG of the raw in the open file; `finish` as for `pictures.render`.

    Raises:
        Unreadable: not a raw that LibRaw knows, broken, too large.
    """
    import rawpy

    try:
        # By the descriptor's own name: LibRaw opens the same file again, whatever has become of its path.
        with rawpy.imread(f"/proc/self/fd/{descriptor}") as raw:
            orientation = _ORIENTATION.get(raw.sizes.flip, 1)
            try:
                preview = raw.extract_thumb()
            except (rawpy.LibRawNoThumbnailError, rawpy.LibRawUnsupportedThumbnailError):
                limits.check_decoded(raw.sizes.raw_width, raw.sizes.raw_height)
                developed = raw.postprocess(half_size=True, use_camera_wb=True, output_bps=8)
                return pictures.render_pixels(developed, size_px, 1, finish)  # LibRaw has turned it already
            if preview.format == rawpy.ThumbFormat.JPEG:
                return pictures.render_bytes(bytes(preview.data), size_px, limits, orientation, finish)
            return pictures.render_pixels(preview.data, size_px, orientation, finish)
    except rawpy.LibRawError as error:
        raise Unreadable("The raw file cannot be decoded.") from error

"""Which file name extensions are pictures, camera raws, videos, audio, documents. Pure; lower case, without the dot."""

from __future__ import annotations

from typing import Final

#: RAW formats, shown by their embedded preview.
RAWS: Final = frozenset(
    b"3fr arw cr2 cr3 crw dcr dng erf kdc mef mos mrw nef nrw orf pef raf raw rw2 rwl sr2 srf srw x3f".split()
)
IMAGES: Final = frozenset(b"bmp gif jpeg jpg png tif tiff webp heic heif avif".split()) | RAWS
VIDEOS: Final = frozenset(b"avi m4v mov mp4 mpeg mpg mts m2ts wmv mkv webm 3gp".split())
#: Without a picture; only uploads are of these.
AUDIOS: Final = frozenset(b"mp3 m4a aac flac ogg wav".split())
DOCUMENTS: Final = frozenset({b"pdf"})


def extension_of(name: bytes) -> bytes:
    """What is behind the last dot, in lower case; empty when there is no dot."""
    return name.rpartition(b".")[2].lower() if b"." in name else b""

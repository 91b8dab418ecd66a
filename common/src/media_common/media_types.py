"""The media types that the product keeps, and the extension that stands for each. Pure."""

from __future__ import annotations

from typing import Final

#: By extension; of several extensions with one type, the first stands for it.
_TYPES: Final[dict[bytes, str]] = {
    b"jpg": "image/jpeg",
    b"jpeg": "image/jpeg",
    b"png": "image/png",
    b"gif": "image/gif",
    b"bmp": "image/bmp",
    b"tif": "image/tiff",
    b"tiff": "image/tiff",
    b"webp": "image/webp",
    b"heic": "image/heic",
    b"heif": "image/heif",
    b"avif": "image/avif",
    b"mp4": "video/mp4",
    b"m4v": "video/x-m4v",
    b"mov": "video/quicktime",
    b"3gp": "video/3gpp",
    b"mkv": "video/x-matroska",
    b"webm": "video/webm",
    b"avi": "video/x-msvideo",
    b"wmv": "video/x-ms-wmv",
    b"mpg": "video/mpeg",
    b"mpeg": "video/mpeg",
    b"mts": "video/mp2t",
    b"m2ts": "video/mp2t",
    b"mp3": "audio/mpeg",
    b"m4a": "audio/mp4",
    b"aac": "audio/aac",
    b"flac": "audio/flac",
    b"ogg": "audio/ogg",
    b"wav": "audio/wav",
    b"pdf": "application/pdf",
    b"glb": "model/gltf-binary",
    b"stl": "model/stl",
    b"obj": "model/obj",
    b"ply": "model/ply",
    # RAW: named as shared-mime-info does, by maker and extension.
    b"3fr": "image/x-hasselblad-3fr",
    b"arw": "image/x-sony-arw",
    b"cr2": "image/x-canon-cr2",
    b"cr3": "image/x-canon-cr3",
    b"crw": "image/x-canon-crw",
    b"dcr": "image/x-kodak-dcr",
    b"dng": "image/x-adobe-dng",
    b"erf": "image/x-epson-erf",
    b"kdc": "image/x-kodak-kdc",
    b"mef": "image/x-mamiya-mef",
    b"mos": "image/x-leaf-mos",
    b"mrw": "image/x-minolta-mrw",
    b"nef": "image/x-nikon-nef",
    b"nrw": "image/x-nikon-nrw",
    b"orf": "image/x-olympus-orf",
    b"pef": "image/x-pentax-pef",
    b"raf": "image/x-fuji-raf",
    b"raw": "image/x-panasonic-rw",
    b"rw2": "image/x-panasonic-rw2",
    b"rwl": "image/x-leica-rwl",
    b"sr2": "image/x-sony-sr2",
    b"srf": "image/x-sony-srf",
    b"srw": "image/x-samsung-srw",
    b"x3f": "image/x-sigma-x3f",
}
_EXTENSIONS: Final[dict[str, bytes]] = {told: extension for extension, told in reversed(_TYPES.items())}


def type_of(extension: bytes) -> str | None:
    """Of a lower-case extension without its dot; None: nothing that is kept here."""
    return _TYPES.get(extension)


def extension_of_type(content_type: str) -> bytes:
    """The extension that stands for a type; empty for one that is not known."""
    return _EXTENSIONS.get(content_type, b"")

"""What a file is: by its bytes, then by its name."""

from __future__ import annotations

import io
from typing import Any

import pytest
from gateway.sniffing import HEAD_BYTES, is_refused, kind_of, told
from hypothesis import given
from hypothesis import strategies as st
from media_proto import metadata_pb2 as pb
from PIL import Image


def picture(format_: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, format_)
    return out.getvalue()[:HEAD_BYTES]


def ftyp(major: bytes, *compatible: bytes) -> bytes:
    body = b"ftyp" + major + b"\0\0\0\0" + b"".join(compatible)
    return (len(body) + 4).to_bytes(4, "big") + body + b"\0\0\0\x08mdat"


TS = (b"\x47" + bytes(187)) * 5
M2TS = (bytes(4) + b"\x47" + bytes(187)) * 5

BY_BYTES: list[tuple[bytes, str]] = [
    (picture("JPEG"), "image/jpeg"),
    (picture("PNG"), "image/png"),
    (picture("GIF"), "image/gif"),
    (picture("BMP"), "image/bmp"),
    (picture("TIFF"), "image/tiff"),
    (picture("WEBP"), "image/webp"),
    (picture("AVIF"), "image/avif"),
    (ftyp(b"heic", b"mif1"), "image/heic"),
    (ftyp(b"mif1", b"heic"), "image/heic"),
    (ftyp(b"mif1", b"miaf", b"avif"), "image/avif"),
    (ftyp(b"crx "), "image/x-canon-cr3"),
    (b"FUJIFILMCCD-RAW 0201", "image/x-fuji-raf"),
    (b"II*\0\x10\0\0\0CR\x02\0", "image/x-canon-cr2"),
    (ftyp(b"isom", b"mp41"), "video/mp4"),
    (ftyp(b"zzzz"), "video/mp4"),
    (ftyp(b"qt  "), "video/quicktime"),
    (b"\0\0\0\x08wide\0\0\0\0mdat", "video/quicktime"),
    (ftyp(b"M4V "), "video/x-m4v"),
    (ftyp(b"3gp5"), "video/3gpp"),
    (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm", "video/webm"),
    (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x88matroska", "video/x-matroska"),
    (b"RIFF\0\0\0\0AVI LIST", "video/x-msvideo"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9", "video/x-ms-wmv"),
    (b"\0\0\x01\xba\x44", "video/mpeg"),
    (TS, "video/mp2t"),
    (M2TS, "video/mp2t"),
    (b"ID3\x04\0\0", "audio/mpeg"),
    (b"\xff\xfb\x90\x64\0", "audio/mpeg"),
    (b"\xff\xf1\x50\x80\0", "audio/aac"),
    (b"RIFF\0\0\0\0WAVEfmt ", "audio/wav"),
    (b"fLaC\0\0\0\x22", "audio/flac"),
    (b"OggS\0\x02" + bytes(22) + b"\x01\x1e\x01vorbis", "audio/ogg"),
    (ftyp(b"M4A "), "audio/mp4"),
    (b"%PDF-1.7\n%\xe2\xe3", "application/pdf"),
    (b"glTF\x02\0\0\0", "model/gltf-binary"),
    (b"ply\nformat ascii 1.0\n", "model/ply"),
]


@pytest.mark.parametrize(("head", "content_type"), BY_BYTES, ids=lambda value: value if isinstance(value, str) else "")
def test_the_bytes_tell_whatever_the_name_says(head: bytes, content_type: str) -> None:
    for name in ("upload", "", "x.txt", "x.pdf", "script.html"):
        assert told(head, name) == content_type
    assert not is_refused(head)


@pytest.mark.parametrize(
    ("name", "content_type"), [("a.nef", "image/x-nikon-nef"), ("A.DNG", "image/x-adobe-dng"), ("a.jpg", "image/tiff")]
)
def test_a_raw_that_looks_like_a_tiff_is_told_by_its_name(name: str, content_type: str) -> None:
    assert told(b"II*\0\x08\0\0\0\0\0", name) == content_type


@pytest.mark.parametrize(
    "head",
    [
        b"PK\x03\x04\x14\0",
        b"\x7fELF\x02\x01",
        b"MZ\x90\0",
        b"\x1f\x8b\x08\0",
        b"<!DOCTYPE html><script>",
        b"\n <svg xmlns='http://www.w3.org/2000/svg'>",
        b"\xef\xbb\xbf<?xml version='1.0'?>",
    ],
)
def test_what_says_that_it_is_something_else_is_refused_under_any_name(head: bytes) -> None:
    assert is_refused(head)
    for name in ("photo.jpg", "clip.mp4", "model.obj", "upload"):
        assert told(head, name) is None


def test_text_is_no_picture_but_may_be_a_model() -> None:
    assert told(b"hello, this is text\n", "photo.jpg") is None
    assert told("grüße\n".encode(), "note.txt") is None
    assert told(b"v 1 0 0\nv 0 1 0\n", "cube.obj") == "model/obj"
    assert told(b"solid cube\n", "cube.STL") == "model/stl"


def test_bytes_that_say_nothing_leave_it_to_the_name() -> None:
    damaged = b"\0\x01\x02\x03 damaged"
    assert told(damaged, "photo.JPG") == "image/jpeg"
    assert told(damaged, "upload") is None
    assert told(damaged, "a.exe") is None


@pytest.mark.parametrize("name", ["photo.jpg", "upload", "cube.obj"])
def test_nothing_is_nothing(name: str) -> None:
    assert told(b"", name) is None


@given(st.binary(max_size=300), st.text(max_size=20))
def test_whatever_it_is_there_is_an_answer_with_a_kind(head: bytes, name: str) -> None:
    found = told(head, name)
    if found is not None:
        assert kind_of(found) not in (pb.MEDIA_KIND_FOLDER, pb.MEDIA_KIND_UNSPECIFIED)
        assert not is_refused(head)


@given(st.sampled_from(BY_BYTES), st.binary(max_size=50))
def test_what_follows_the_beginning_changes_nothing(one: tuple[bytes, Any], tail: bytes) -> None:
    head, content_type = one
    assert told(head + tail, "upload") == content_type

"""The form of an upload: what any parser reads is what was given, and no more of the file is held than a piece."""

from __future__ import annotations

from email.parser import BytesParser
from email.policy import HTTP
from io import BytesIO

from framewell_client.multipart import CHUNK_BYTES, Multipart
from hypothesis import given
from hypothesis import strategies as st

names = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=20)


async def joined(form: Multipart) -> bytes:
    return b"".join([chunk async for chunk in form.chunks_async()])


@given(st.dictionaries(st.sampled_from(["datasetId", "name", "path"]), names), st.binary(), st.integers(0, 20))
async def test_what_goes_in_comes_out(fields: dict[str, str], data: bytes, read_already: int) -> None:
    form = Multipart(fields, BytesIO(data), "a.jpg")
    form._file.read(read_already)
    size = form.size_bytes
    body = await joined(form)

    assert size == len(body)
    message = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {form.content_type}\r\n\r\n".encode() + body)
    parts = {part.get_param("name", header="content-disposition"): part for part in message.iter_parts()}
    assert {name: part.get_payload(decode=True).decode() for name, part in parts.items() if name != "file"} == fields
    assert body.split(b"application/octet-stream\r\n\r\n", 1)[1].startswith(data[read_already:] + b"\r\n--")


def test_a_name_cannot_end_its_header() -> None:
    body = b"".join(Multipart({}, BytesIO(b""), 'a"\r\nX: "b.jpg').chunks())

    assert b'filename="a%22%0D%0AX: %22b.jpg"\r\n' in body


class Endless:
    """A file that says how much is asked of it, and not how long it is."""

    def __init__(self, size: int) -> None:
        self.left = size
        self.asked: set[int] = set()

    def read(self, size: int, /) -> bytes:
        self.asked.add(size)
        given = min(size, self.left)
        self.left -= given
        return bytes(given)


def test_a_file_is_read_piece_by_piece() -> None:
    file = Endless(10 * CHUNK_BYTES + 1)
    form = Multipart({"datasetId": "x"}, file, "a.bin")

    assert form.size_bytes is None
    assert max(len(chunk) for chunk in form.chunks()) == CHUNK_BYTES
    assert file.asked == {CHUNK_BYTES}
    assert file.left == 0

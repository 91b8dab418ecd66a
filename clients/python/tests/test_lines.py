"""Lines and events come out the same, wherever the network cut the bytes."""

from __future__ import annotations

import json
from itertools import pairwise

from framewell_client.lines import EventLines, Lines, ServerEvent
from hypothesis import given
from hypothesis import strategies as st

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def pieces_of(draw: st.DrawFn, data: bytes) -> list[bytes]:
    cuts = sorted(draw(st.sets(st.integers(0, len(data)))) | {0, len(data)})
    return [data[one:next_one] for one, next_one in pairwise(cuts)]


@given(st.data(), st.lists(st.dictionaries(st.text(), values, max_size=3)), st.booleans())
def test_ndjson_lines_are_the_same_at_any_cut(data: st.DataObject, objects: list[object], ascii_only: bool) -> None:
    text = "".join(json.dumps(one, ensure_ascii=ascii_only) + "\n" for one in objects)
    body = text.encode("utf-8", "surrogatepass")
    lines = Lines()

    found = [line for piece in data.draw(pieces_of(body)) for line in lines.feed(piece)]

    assert found == body.split(b"\n")[:-1]
    assert [json.loads(line.decode("utf-8", "surrogatepass")) for line in found] == objects
    assert not lines.is_cut


@given(st.binary(), st.data())
def test_a_line_without_its_end_is_kept_back_and_told(body: bytes, data: st.DataObject) -> None:
    lines = Lines()

    found = [line for piece in data.draw(pieces_of(body)) for line in lines.feed(piece)]

    assert found == body.split(b"\n")[:-1]
    assert lines.is_cut == bool(body.split(b"\n")[-1])


words = st.text(st.characters(blacklist_characters="\r\n\0", blacklist_categories=("Cs",)), max_size=8)
events = st.tuples(st.none() | words, st.none() | words, st.lists(words, min_size=1, max_size=3))
line_ends = st.sampled_from(["\n", "\r\n", "\r"])


@given(st.data(), st.lists(events), st.booleans())
def test_events_are_the_same_at_any_cut_and_with_any_line_end(
    data: st.DataObject, sent: list[tuple[str | None, str | None, list[str]]], with_mark: bool
) -> None:
    text = "\ufeff" if with_mark else ""
    expected: list[ServerEvent] = []
    last_id = "before"
    for event_id, kind, told in sent:
        lines = [": a comment", "retry: 10", *(f"data: {word}" for word in told)]
        if event_id is not None:
            lines.append(f"id: {event_id}")
            last_id = event_id
        if kind is not None:
            lines.append(f"event: {kind}")
        expected.append(ServerEvent(kind or "message", "\n".join(told), last_id))
        end = data.draw(line_ends)
        text += "".join(line + end for line in [*lines, ""])
    events = EventLines("before")

    pieces = [*data.draw(pieces_of(text.encode())), b"\n"]  # the other half of a last carriage return
    assert [event for piece in pieces for event in events.feed(piece)] == expected
    assert events.last_id == last_id


def test_an_id_alone_moves_the_place_and_is_no_event() -> None:
    events = EventLines()

    assert list(events.feed(b"id: 7\n\nid: 8\0\n\n")) == []
    assert events.last_id == "7"

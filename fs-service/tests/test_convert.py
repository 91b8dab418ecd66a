"""Messages say what the values said."""

from __future__ import annotations

from itertools import chain

import pytest
from fs_service import convert
from fs_service.domain.items import Action, Item, Probe, State, StatusFilter
from fs_service.domain.media import Kind
from fs_service.domain.trash_events import Deleted, Deleting, Done, Failed, FolderDone, Skipped, TrashEvent
from hypothesis import given
from hypothesis import strategies as st
from media_common.errors import InvalidArgument
from media_proto import fs_pb2

sizes = st.integers(0, 2**63 - 1)
pixels = st.none() | st.integers(0, 2**31 - 1)
items = st.builds(
    Item,
    path=st.binary(min_size=1),
    kind=st.sampled_from(Kind),
    state=st.integers(0, 7).map(State),
    size_bytes=sizes,
    modified_us=st.integers(-(2**62), 2**62),
    created_us=st.integers(-(2**62), 2**62),
    probe=st.builds(Probe, pixels, pixels, st.none() | st.floats(0, 1e9)),
)


def value_of(message: fs_pb2.Item) -> Item:
    state = State.NONE
    for mark, said in ((State.LOCKED, message.locked), (State.TRASHED, message.trashed), (State.SEEN, message.seen)):
        state |= mark if said else State.NONE
    return Item(
        message.path,
        Kind(message.kind),
        state,
        message.size_bytes,
        message.modified_us,
        message.created_us,
        Probe(
            message.width_px if message.HasField("width_px") else None,
            message.height_px if message.HasField("height_px") else None,
            message.duration_s if message.HasField("duration_s") else None,
        ),
    )


@given(st.lists(items, max_size=5))
def test_items_come_out_as_they_went_in(given_items: list[Item]) -> None:
    batch = fs_pb2.ItemBatch.FromString(convert.item_batch(given_items).SerializeToString())
    assert [value_of(message) for message in batch.items] == given_items
    assert [value_of(convert.item(one)) for one in given_items] == given_items


events = st.one_of(
    st.builds(Deleting, st.binary()),
    st.builds(Deleted, st.binary()),
    st.builds(Skipped, st.binary(), st.sampled_from(["locked", "changed"])),
    st.builds(Failed, st.binary(), st.text(st.characters(codec="utf-8"))),
    st.builds(FolderDone, st.binary()),
    st.builds(Done, sizes, sizes, sizes, sizes, st.just("id")),
)


def events_of(message: fs_pb2.TrashEvent) -> list[TrashEvent]:
    if message.WhichOneof("event") == "run":
        return [event for path in message.run.paths for event in (Deleting(path), Deleted(path))]
    return [event_of(message)]


def event_of(message: fs_pb2.TrashEvent) -> TrashEvent:
    match message.WhichOneof("event"):
        case "deleting":
            return Deleting(message.deleting.path)
        case "deleted":
            return Deleted(message.deleted.path)
        case "skipped":
            return Skipped(message.skipped.path, message.skipped.reason)
        case "error":
            return Failed(message.error.path, message.error.message)
        case "folder_done":
            return FolderDone(message.folder_done.path)
        case _:
            done = message.done
            return Done(done.deleted, done.errors, done.skipped, done.bytes, done.receipt_id)


#: What most runs are made of: files that are announced and go.
going = st.binary().map(lambda path: [Deleting(path), Deleted(path)])


@given(
    st.lists(going | st.lists(events, min_size=1, max_size=3), min_size=1, max_size=6).map(
        lambda lists: list(chain(*lists))
    )
)
def test_events_of_the_trash_come_out_in_order_even_when_empty(given_events: list[TrashEvent]) -> None:
    message = fs_pb2.TrashEvent.FromString(convert.trash_events(given_events).SerializeToString())
    assert [event for one in (message, *message.more) for event in events_of(one)] == given_events


def test_files_that_simply_go_are_one_event_of_the_message() -> None:
    paths = [b"/r/%d.jpg" % number for number in range(500)]
    message = convert.trash_events([event for path in paths for event in (Deleting(path), Deleted(path))])
    assert list(message.run.paths) == paths
    assert not message.more


def test_numbers_that_name_nothing_are_refused() -> None:
    for number in (0, max(fs_pb2.Action.values()) + 1, -1):
        with pytest.raises(InvalidArgument):
            convert.action_of(number)
    with pytest.raises(InvalidArgument):
        convert.filter_of(6)


def test_the_contracts_numbers_are_the_domains() -> None:
    for action in Action:
        assert fs_pb2.Action.Value(f"ACTION_{action.name}") == action
    for status in StatusFilter:
        assert fs_pb2.StatusFilter.Value(f"STATUS_FILTER_{status.name}") == status
    assert convert.filter_of(0) is StatusFilter.ALL


def test_a_list_of_etags_is_taken_apart() -> None:
    assert convert.etags_of(" a-1, b-2 ,,") == {"a-1", "b-2"}
    assert convert.etags_of("") == frozenset()

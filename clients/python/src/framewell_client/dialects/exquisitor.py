"""`client.exquisitor`: items, tags and interactive retrieval in one collection (the Exquisitor dialect)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from framewell_client.errors import Dialect
from framewell_client.models import exquisitor as models
from framewell_client.models.exquisitor import Narrowing, Session
from framewell_client.namespaces import Namespace, S, call
from framewell_client.wire import Answer, Call, Request, json_call, request, segment

#: A collection's name or hexadecimal id, or a whole session.
Where = str | Session

_ask = partial(request, Dialect.EXQUISITOR)
_ALL = Narrowing()


class Exquisitor(Namespace[S]):
    """Up to 1,000 ids a call; ids that the collection has not are left out of what is answered."""

    # --- items ---
    @call
    def items(self, where: Where, media_ids: Sequence[int]) -> Call[list[models.Item]]:
        """What it takes to show them, in the order asked for."""
        return json_call(_about(where, "item/base", media_ids=list(media_ids)), list[models.Item], "items")

    @call
    def details(
        self, where: Where, media_ids: Sequence[int], tagset_ids: Sequence[int]
    ) -> Call[list[models.DetailedItem]]:
        """The same with their tags in these tagsets."""
        asked = _about(where, "item/details", media_ids=list(media_ids), tagset_ids=list(tagset_ids))
        return json_call(asked, list[models.DetailedItem], "items")

    @call
    def related(self, where: Where, media_ids: Sequence[int]) -> Call[dict[int, list[int]]]:
        """For each, the others of its group."""
        asked = _about(where, "item/related", media_ids=list(media_ids))
        told = json_call(asked, dict[str, list[int]], "related")
        return Call(asked, lambda answer: {int(one): ids for one, ids in told.read(answer).items()})

    @call
    def is_excluded(self, where: Where, media_id: int, excluded_group_ids: Sequence[int]) -> Call[bool]:
        """Whether it is in one of these groups."""
        asked = _about(where, "item/excluded", media_id=media_id, excluded_group_ids=list(excluded_group_ids))
        return json_call(asked, bool, "excluded")

    @call
    def item(self, where: Where, media_id: int) -> Call[models.PageItem]:
        """One item, with its kind and its group; `NotFound` when there is none."""
        return json_call(_about(where, "item/base", mediaId=media_id), models.PageItem)

    @call
    def tags(self, where: Where, media_id: int, tagset_ids: Sequence[int]) -> Call[dict[str, Any]]:
        """One item's tags by the tagset's name: a value, or a list of several."""
        return json_call(_about(where, "item/details", mediaId=media_id, filterIds=list(tagset_ids)), dict[str, Any])

    @call
    def members(self, where: Where, group_id: int) -> Call[list[int]]:
        """All of a group, by time."""
        return json_call(_about(where, "item/related", mediaId=group_id), list[int], "related")

    # --- searching ---
    @call
    def search_text(self, where: Where, text: str, n: int = 100, but: Narrowing = _ALL) -> Call[models.Suggestions]:
        """The n items nearest to a text."""
        return _search(where, "clip", n, but, text=text)

    @call
    def search_feedback(
        self,
        where: Where,
        positive: Sequence[int],
        negative: Sequence[int] = (),
        n: int = 100,
        query: str = "",
        but: Narrowing = _ALL,
    ) -> Call[models.Suggestions]:
        """The n items most like the positive and least like the negative ones."""
        return _search(where, "rf", n, but, pos=list(positive), neg=list(negative), query=query)

    @call
    def search_filter(
        self, where: Where, filters: Mapping[str, Any], n: int = 100, offset: int = 0, but: Narrowing = _ALL
    ) -> Call[models.Suggestions]:
        """Items that pass a filter, from `offset` on, with their total."""
        narrowed = Narrowing(but.seen, but.excluded, dict(filters))
        return _search(where, "faceted", n, narrowed, offset=offset)

    @call
    def search_image(self, where: Where, image: str, n: int = 100, but: Narrowing = _ALL) -> Call[models.Suggestions]:
        """The n items most like an image, given as a data URL."""
        return _search(where, "image", n, but, image_b64=image)

    @call
    def search_sequence(
        self, where: Where, queries: Sequence[str], n: int = 100, but: Narrowing = _ALL
    ) -> Call[models.Suggestions]:
        """Groups in which the texts match one after the other: the best item of each."""
        return _search(where, "temporal", n, but, queries=list(queries))

    # --- the collection ---
    @call
    def collections(self, session: str = "framewell-client") -> Call[list[models.CollectionSize]]:
        """Every collection that the key sees."""
        asked = _ask("GET", f"/exq/init/{segment(session)}", "shape=docs")
        return json_call(asked, list[models.CollectionSize], "collections")

    @call
    def total_items(self, where: Where) -> Call[int]:
        """How many items can be found by meaning."""
        return json_call(_about(where, "info/totalItems"), int, "total")

    @call
    def tagsets(self, where: Where) -> Call[list[models.Tagset]]:
        """What can be filtered by."""
        return json_call(_ask("GET", f"/exq/info/filters/{_names(where)}"), list[models.Tagset])

    @call
    def tag_values(self, where: Where, tagset: models.Tagset) -> Call[list[models.Tag]]:
        """A tagset's values with their ids."""
        address = f"/exq/info/filters/values/{_names(where)}/{tagset.tagtype_id}/{tagset.id}"
        return json_call(_ask("GET", address), list[models.Tag])

    # --- for the log ---
    @call
    def log_model_added(self, where: Where) -> Call[None]:
        """Note in the audit log that the session's model came."""
        return Call(_about(where, "log/addModel"), _nothing)

    @call
    def log_model_removed(self, where: Where) -> Call[None]:
        """Note in the audit log that the session's model went."""
        return Call(_about(where, "log/removeModel"), _nothing)

    @call
    def log_events(self, where: Where, events: Sequence[Mapping[str, Any]]) -> Call[None]:
        """Note in the audit log what a person did; every event has an `action`."""
        return Call(_about(where, "log/clientEvent", events=[dict(event) for event in events]), _nothing)


def _about(where: Where, endpoint: str, **fields: Any) -> Request:
    body = {**fields, "session_info": _session(where).body()}
    return _ask("POST", f"/exq/{endpoint}", body=body)


def _search(where: Where, strategy: str, n: int, but: Narrowing, **fields: Any) -> Call[models.Suggestions]:
    return json_call(_about(where, f"search/{strategy}", n=n, **fields, **but.body()), models.Suggestions)


def _session(where: Where) -> Session:
    return Session(where) if isinstance(where, str) else where


def _names(where: Where) -> str:
    session = _session(where)
    return f"{segment(session.session)}/{segment(session.collection)}"


def _nothing(answer: Answer) -> None:
    return None

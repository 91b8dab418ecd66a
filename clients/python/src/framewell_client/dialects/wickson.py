"""`client.wickson`: files of all collections, the newest first (the Wickson dialect)."""

from __future__ import annotations

from typing import Literal

from framewell_client.errors import Dialect
from framewell_client.feeds import Feed, Pages
from framewell_client.models import wickson as models
from framewell_client.namespaces import Namespace, S, call, stream
from framewell_client.wire import Call, json_call, query_of, request

MediaType = Literal["document", "image", "video", "audio", "model"]


class Wickson(Namespace[S]):
    """Always needs a key."""

    @call
    def media_page(
        self,
        page: int = 1,
        page_size: int = 20,
        *,
        media_type: MediaType | None = None,
        collection: str | None = None,
        include_vectors: bool = False,
        include_metadata: bool = True,
    ) -> Call[models.MediaList]:
        """One page of 1 to 100 items; `collection` by name or id."""
        return _page(page, page_size, media_type, collection, include_vectors, include_metadata)

    @stream
    def media(
        self,
        *,
        media_type: MediaType | None = None,
        collection: str | None = None,
        include_vectors: bool = False,
        include_metadata: bool = True,
        page_size: int = 100,
    ) -> Feed[models.MediaItem]:
        """All items, page after page. What is added meanwhile moves the pages: an item may come twice."""

        def following(found: models.MediaList) -> Call[models.MediaList] | None:
            number = found.pagination.page + 1
            return page(number) if found.pagination.has_next and found.items else None

        def page(number: int) -> Call[models.MediaList]:
            return _page(number, page_size, media_type, collection, include_vectors, include_metadata)

        return Pages(page(1), lambda found: found.items, following)


def _page(
    page: int,
    page_size: int,
    media_type: str | None,
    collection: str | None,
    include_vectors: bool,
    include_metadata: bool,
) -> Call[models.MediaList]:
    query = query_of(
        page=page,
        page_size=page_size,
        media_type=media_type,
        collection=collection,
        include_vectors=include_vectors,
        include_metadata=include_metadata,
    )
    return json_call(request(Dialect.WICKSON, "GET", "/v1/media", query), models.MediaList, "data")

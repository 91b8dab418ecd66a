"""`client.coreviz`: collections, folders, media, tags, versions, uploads (the CoreViz dialect)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal, Unpack

from framewell_client.errors import Dialect
from framewell_client.feeds import Feed, Pages
from framewell_client.models import coreviz as models
from framewell_client.multipart import Multipart, ReadableFile
from framewell_client.namespaces import Namespace, S, call, stream
from framewell_client.wire import Call, Request, json_call, query_of, request, segment

Model = Literal["faces", "objects", "shoeprints"]

_ask = partial(request, Dialect.COREVIZ)


class CoreViz(Namespace[S]):
    """Always needs a key. Ids are UUIDs, with or without hyphens."""

    # --- who and where ---
    @call
    def me(self) -> Call[models.Me]:
        """Whose the key is."""
        return json_call(_ask("GET", "/api/me"), models.Me)

    @call
    def organizations(self) -> Call[list[models.Organization]]:
        """A server is one."""
        return json_call(_ask("GET", "/api/auth/organization/list"), list[models.Organization])

    @call
    def datasets(self, organization_id: str) -> Call[list[models.Dataset]]:
        """The collections that the key sees."""
        return json_call(_ask("GET", f"/api/organization/{segment(organization_id)}/datasets"), list[models.Dataset])

    @call
    def create_dataset(self, organization_id: str, name: str, icon: str | None = None) -> Call[models.Dataset]:
        """A collection for uploads."""
        address = f"/api/organization/{segment(organization_id)}/datasets"
        return json_call(_ask("POST", address, body=_given(name=name, icon=icon)), models.Dataset)

    @call
    def dataset(self, dataset_id: str) -> Call[models.Dataset]:
        """One collection."""
        return json_call(_ask("GET", f"/api/dataset/{segment(dataset_id)}"), models.Dataset, "dataset")

    @call
    def change_dataset(
        self, dataset_id: str, *, name: str | None = None, icon: str | None = None
    ) -> Call[models.Dataset]:
        """Another name or icon."""
        asked = _ask("PATCH", f"/api/dataset/{segment(dataset_id)}", body=_given(name=name, icon=icon))
        return json_call(asked, models.Dataset, "dataset")

    @call
    def tags(self, dataset_id: str) -> Call[dict[str, list[str]]]:
        """Every tag group of a collection with its values."""
        return json_call(_ask("GET", f"/api/dataset/{segment(dataset_id)}/tags"), dict[str, list[str]], "tags")

    # --- listings and search ---
    @call
    def media_page(
        self, dataset_id: str, limit: int = 10, offset: int = 0, **filters: Unpack[models.MediaFilters]
    ) -> Call[models.MediaPage]:
        """One page of at most 1,000 of a folder, of all below it, or of what a search finds."""
        return _page(dataset_id, limit, offset, filters)

    @stream
    def media(
        self, dataset_id: str, page_size: int = 200, **filters: Unpack[models.MediaFilters]
    ) -> Feed[models.Media]:
        """All of it, page after page."""

        def following(page: models.MediaPage) -> Call[models.MediaPage] | None:
            end = page.pagination.offset + len(page.media)
            return _page(dataset_id, page_size, end, filters) if page.pagination.has_more and page.media else None

        return Pages(_page(dataset_id, page_size, 0, filters), lambda page: page.media, following)

    @call
    def search(self, organization_id: str, q: str, limit: int = 20) -> Call[list[models.SearchResult]]:
        """Frames nearest to a text in all collections."""
        query = query_of(q=q, organizationId=organization_id, limit=limit)
        return json_call(_ask("GET", "/api/search", query), list[models.SearchResult], "results")

    # --- single media ---
    @call
    def get_media(self, media_id: str) -> Call[models.Media]:
        """One item with all its frames."""
        return _media("GET", media_id)

    @call
    def change_media(
        self, media_id: str, *, name: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> Call[models.Media]:
        """Another name; metadata is replaced whole, its tags only where `metadata["tags"]` is given."""
        return _media("PATCH", media_id, _given(name=name, metadata=None if metadata is None else dict(metadata)))

    @call
    def move_media(self, media_id: str, destination_path: str) -> Call[models.Moved]:
        """Into another folder of the collection, given by its `path`."""
        address = f"/api/media/{segment(media_id)}/move"
        return json_call(_ask("PATCH", address, body={"destinationPath": destination_path}), models.Moved)

    @call
    def delete_media(self, media_id: str) -> Call[models.Deleted]:
        """Into the trash, with all versions; a locked item is a `Conflict`."""
        return json_call(_ask("DELETE", f"/api/media/{segment(media_id)}"), models.Deleted)

    @call
    def upload(
        self,
        dataset_id: str,
        file: ReadableFile,
        name: str,
        *,
        path: str | None = None,
        source_media_id: str | None = None,
    ) -> Call[models.Uploaded]:
        """Store a file, read piece by piece from where it stands, in a folder (`path`) of the collection, or as a new
        version of an item."""
        fields = {"datasetId": dataset_id, "name": name, "path": path, "sourceMediaId": source_media_id}
        form = Multipart({key: value for key, value in fields.items() if value is not None}, file, name)
        return json_call(Request("POST", "/api/upload/multipart", Dialect.COREVIZ, body=form), models.Uploaded)

    # --- tags ---
    @call
    def add_tag(self, media_id: str, label: str, value: str) -> Call[models.Media]:
        """One it has already is a `Conflict`."""
        return _media("POST", media_id, {"label": label, "value": value}, "/tags")

    @call
    def remove_tag(self, media_id: str, label: str, value: str | None = None) -> Call[models.Media]:
        """One value, or (None) the whole group."""
        return _media("DELETE", media_id, _given(label=label, value=value), "/tags")

    @call
    def rename_tags(self, media_id: str, old_label: str, new_label: str) -> Call[models.Media]:
        """Another name for a group; onto one that is there already, the two become one."""
        return _media("PATCH", media_id, {"oldLabel": old_label, "newLabel": new_label}, "/tags")

    # --- versions ---
    @call
    def versions(self, media_id: str) -> Call[list[models.Media]]:
        """All versions of an item, by the id of any."""
        return json_call(_ask("GET", f"/api/media/{segment(media_id)}/versions"), list[models.Media], "versions")

    @call
    def delete_version(self, media_id: str, version_id: str) -> Call[models.DeletedVersion]:
        """Deleting the active one promotes the highest that remains."""
        asked = _ask("DELETE", f"/api/media/{segment(media_id)}/versions", query_of(versionId=version_id))
        return json_call(asked, models.DeletedVersion)

    @call
    def select_version(self, version_id: str) -> Call[models.Media]:
        """Make it the active one."""
        return _media("PATCH", version_id, None, "/select-version")

    # --- objects and clusters ---
    @call
    def add_objects(
        self, dataset_id: str, media_id: str, objects: Sequence[models.NewObject]
    ) -> Call[list[models.AddedObject]]:
        """Import detections of a detector of one's own."""
        address = f"/api/dataset/{segment(dataset_id)}/media/{segment(media_id)}/objects"
        return json_call(_ask("POST", address, body=list(objects)), list[models.AddedObject], "objects")

    @call
    def clusters(self, dataset_id: str, model: Model | None = None) -> Call[list[models.Cluster]]:
        """The clusters made last, of one model or of all, the largest first."""
        asked = _ask("GET", f"/api/dataset/{segment(dataset_id)}/clusters", query_of(model=model))
        return json_call(asked, list[models.Cluster], "clusters")

    @call
    def make_clusters(self, dataset_id: str, model: Model, min_size: int = 2) -> Call[list[models.Cluster]]:
        """Cluster the collection's objects anew."""
        body = {"model": model, "minSize": min_size}
        asked = _ask("POST", f"/api/dataset/{segment(dataset_id)}/clusters", body=body)
        return json_call(asked, list[models.Cluster], "clusters")

    # --- folders ---
    @call
    def create_folder(
        self, dataset_id: str, name: str, path: str | None = None, *, reuse: bool = False
    ) -> Call[models.Folder]:
        """A new folder in the folder `path`; with `reuse`, the oldest of that name if there is one."""
        body = _given(datasetId=dataset_id, name=name, path=path, reuse=reuse)
        return json_call(_ask("POST", "/api/folder", body=body), models.Folder, "folder")

    @call
    def folder(self, folder_id: str) -> Call[models.Folder]:
        """One folder."""
        return json_call(_ask("GET", f"/api/folder/{segment(folder_id)}"), models.Folder, "folder")

    @call
    def change_folder(
        self, folder_id: str, *, name: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> Call[models.Folder]:
        """Another name, other metadata."""
        body = _given(name=name, metadata=None if metadata is None else dict(metadata))
        return json_call(_ask("PATCH", f"/api/folder/{segment(folder_id)}", body=body), models.Folder, "folder")

    @call
    def delete_folder(self, folder_id: str) -> Call[models.Folder]:
        """Everything in it into the trash; with a locked item below it, a `Conflict` and nothing changes."""
        return json_call(_ask("DELETE", f"/api/folder/{segment(folder_id)}"), models.Folder, "folder")

    # --- the encoder ---
    @call
    def embed(self, *, text: str | None = None, image: str | None = None) -> Call[list[float]]:
        """The vector of a text or of an image (a data URL)."""
        return json_call(_ask("POST", "/api/ai/embed", body=_given(text=text, image=image)), list[float], "embedding")

    @call
    def choose_tags(
        self, image: str, options: Sequence[str], *, prompt: str = "", multiple: bool = False
    ) -> Call[list[str]]:
        """Which of the options fit an image (a data URL) best."""
        body = {"image": image, "prompt": prompt, "options": list(options), "multiple": multiple}
        return json_call(_ask("POST", "/api/ai/tag", body=body), list[str], "tags")


def _page(dataset_id: str, limit: int, offset: int, filters: models.MediaFilters) -> Call[models.MediaPage]:
    tags, groups = filters.get("tags"), filters.get("tag_filters")
    query = query_of(
        limit=limit,
        offset=offset,
        path=filters.get("path"),
        recursive=filters.get("recursive"),
        type=filters.get("type"),
        dateFrom=filters.get("date_from"),
        dateTo=filters.get("date_to"),
        sortBy=filters.get("sort_by"),
        sortDirection=filters.get("sort_direction"),
        tags=None if tags is None else ",".join(tags),
        tagFilters=None if groups is None else json.dumps(groups),
        mediaId=filters.get("media_id"),
        clusterId=filters.get("cluster_id"),
        q=filters.get("q"),
        similarToObjectId=filters.get("similar_to_object_id"),
        similarToObjectModel=filters.get("similar_to_object_model"),
        minScore=filters.get("min_score"),
    )
    return json_call(_ask("GET", f"/api/dataset/{segment(dataset_id)}/media", query), models.MediaPage)


def _media(method: str, media_id: str, body: object = None, tail: str = "") -> Call[models.Media]:
    return json_call(_ask(method, f"/api/media/{segment(media_id)}{tail}", body=body), models.Media, "media")


def _given(**fields: Any) -> dict[str, Any]:
    """What is not None."""
    return {name: value for name, value in fields.items() if value is not None}

"""`client.review`: review folders on the server's disk, in place (the MediaReviewer dialect)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal

from framewell_client.errors import Dialect
from framewell_client.feeds import Chunks, Feed, ItemFeed, Pages, TrashFeed
from framewell_client.models import review as models
from framewell_client.namespaces import Namespace, S, call, stream
from framewell_client.wire import Answer, Call, Path, Request, json_call, path_text, query_of, request

Action = Literal["lock", "unlock", "trash", "untrash", "seen", "unseen"]
StatusFilter = Literal["all", "unseen", "seen", "locked", "trashed"]

_ask = partial(request, Dialect.MEDIAREVIEWER)


class Review(Namespace[S]):
    """Paths are absolute, on the server; bytes or surrogate escapes where a name is no text."""

    @call
    def health(self) -> Call[models.Health]:
        """That it runs, and its settings."""
        return json_call(_ask("GET", "/api/health"), models.Health)

    # --- review paths and folders ---
    @call
    def review_paths(self) -> Call[models.ReviewPaths]:
        """The roots that are reviewed."""
        return json_call(_ask("GET", "/api/review-paths"), models.ReviewPaths)

    @call
    def add_path(self, path: Path) -> Call[models.AddedPath]:
        """Review a folder from now on; adding it again is fine."""
        return json_call(_ask("POST", "/api/review-paths", body={"path": path_text(path)}), models.AddedPath)

    @call
    def remove_path(self, path: Path) -> Call[models.RemovedPath]:
        """Review a folder no longer; nothing on the disk is touched."""
        return json_call(_ask("DELETE", "/api/review-paths", body={"path": path_text(path)}), models.RemovedPath)

    @call
    def folders(self, path: Path) -> Call[models.Folders]:
        """The folders in a folder, for a picker."""
        return json_call(_ask("GET", "/api/folders", query_of(path=path)), models.Folders)

    @call
    def files_page(self, folder: Path, offset: int = 0, limit: int = 100) -> Call[models.FolderPage]:
        """Media files in one folder, not below it, by name: one page of at most 1,000."""
        return _files(folder, offset, limit)

    @stream
    def files(self, folder: Path, page_size: int = 1000) -> Feed[models.MediaItem]:
        """All media files in one folder, not below it, by name."""

        def following(page: models.FolderPage) -> Call[models.FolderPage] | None:
            end = page.offset + page.count
            return _files(folder, end, page_size) if page.count and end < page.total else None

        return Pages(_files(folder, 0, page_size), lambda page: page.items, following)

    # --- items ---
    @stream
    def items(
        self, root: Path, *, status: StatusFilter = "all", after: Path | None = None, page_size: int = 1000
    ) -> Feed[models.MediaItem]:
        """All items below a review path, by file name and path, behind `after`. A connection that breaks is taken up
        behind the last item that came."""

        def behind(last: str | None) -> Request:
            query = query_of(path=root, limit=page_size, statusFilter=status, after=last)
            return _ask("GET", "/api/media-items/stream", query)

        return ItemFeed(behind, None if after is None else path_text(after), page_size)

    @call
    def summary(self, root: Path) -> Call[models.Summary]:
        """How many items of a review path have each mark."""
        return json_call(_ask("GET", "/api/media-items/summary", query_of(path=root)), models.Summary)

    @call
    def act(self, path: Path, action: Action) -> Call[models.Acted]:
        """Set a mark or take it away; doing it again is fine. Trashing a locked file is a `Conflict`."""
        body = {"path": path_text(path), "action": action}
        return json_call(_ask("POST", "/api/media-actions", body=body), models.Acted)

    @call
    def act_on_all(self, paths: Sequence[Path], action: Action) -> Call[list[models.Outcome]]:
        """The same for 1 to 500 paths, in order; one that fails does not stop the others."""
        body = {"paths": [path_text(path) for path in paths], "action": action}
        return json_call(_ask("POST", "/api/media-items/batch", body=body), list[models.Outcome], "results")

    @stream
    def empty_trash(self, root: Path | None = None, plan: str | None = None) -> Feed[models.TrashEvent]:
        """Delete for good what is trashed and not locked, in one root or (None) in all, and tell of each file.

        Nothing happens before the first event is asked for, and leaving early stops it after the file in hand: read
        to the end, `done`. With `plan`, the hash of a `platform.trash_plan`, a plan that has changed since is a
        `PreconditionFailed` and deletes nothing.
        """
        body = None if root is None else {"path": path_text(root)}
        asked = _ask("POST", "/api/empty-trash", body=body)
        headers = {**asked.headers, **({} if plan is None else {"If-Match": f'"{plan}"'})}
        return TrashFeed(Request(asked.method, asked.address, asked.dialect, headers, asked.body))

    # --- files ---
    @stream
    def file(self, path: Path, first: int | None = None, last: int | None = None) -> Feed[bytes]:
        """A media file's bytes, piece by piece; with `first` and `last` (inclusive) a range of them."""
        headers = {}
        if first is not None or last is not None:
            headers["Range"] = f"bytes={'' if first is None else first}-{'' if last is None else last}"
        asked = _ask("GET", "/api/media-file", query_of(path=path))
        return Chunks(Request(asked.method, asked.address, asked.dialect, headers))

    @call
    def thumbnail(self, path: Path, size: int = 256) -> Call[bytes]:
        """A PNG of size × size pixels, 1 to 1,024."""
        return Call(_ask("GET", "/api/media-thumbnail", query_of(path=path, size=size)), _body)

    # --- settings and logs ---
    @call
    def settings(self) -> Call[models.Settings]:
        """What a review page may set."""
        return json_call(_ask("GET", "/api/settings"), models.Settings)

    @call
    def change_settings(self, *, video_preload_mb: int) -> Call[models.Settings]:
        """1 to 10,000 MB of videos that a page loads ahead."""
        return json_call(_ask("PATCH", "/api/settings", body={"videoPreloadMb": video_preload_mb}), models.Settings)

    @call
    def logs(self, lines: int = 200) -> Call[models.Logs]:
        """The end of the server's log."""
        return json_call(_ask("GET", "/api/logs", query_of(lines=lines)), models.Logs)


def _files(folder: Path, offset: int, limit: int) -> Call[models.FolderPage]:
    query = query_of(path=folder, offset=offset, limit=limit)
    return json_call(_ask("GET", "/api/folders/files", query), models.FolderPage)


def _body(answer: Answer) -> bytes:
    return answer.body

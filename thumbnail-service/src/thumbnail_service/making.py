"""One job from its file to its stored thumbnail. Runs in the render process, never in the worker itself."""

from __future__ import annotations

import json
import os
from dataclasses import asdict

from media_common.thumbnail_file import text_chunks, with_text

from thumbnail_service.domain.errors import Unreadable
from thumbnail_service.domain.jobs import Job, Outcome, Result
from thumbnail_service.domain.limits import Limits
from thumbnail_service.domain.render import look, render
from thumbnail_service.store import files

#: A file that is written to while it is read gives a picture of neither state.
_TRIES = 3


def make(job: Job, limits: Limits) -> Outcome:
    """Render and store, or say why not. A stored thumbnail is of one state of the file, from open to store."""
    try:
        for _ in range(_TRIES):
            with files.opened(job) as opened:
                outcome = _made(job, opened, limits)
            if outcome is not None:
                return outcome
    except files.Gone:
        return Outcome(Result.GONE)
    except files.RootUnreachable as error:
        return Outcome(Result.UNREACHABLE, reason=f"The review path cannot be reached: {error}.")
    except OSError as error:
        return Outcome(Result.FAILED, stand_in(job), f"The file cannot be read: {error.strerror}.")
    return Outcome(Result.FAILED, stand_in(job), "The file keeps changing.")


def _made(job: Job, opened: files.Opened, limits: Limits) -> Outcome | None:
    """None: the file changed meanwhile."""
    if not job.sha256 and (png := files.fresh(job, opened.source)) is not None:
        return Outcome(Result.FRESH, png)
    try:
        png = render(opened.descriptor, job.extension, job.size_px, limits)
    except Unreadable as error:
        if not files.is_still(job, opened):
            return None
        return Outcome(Result.UNREADABLE, stand_in(job), str(error))
    if not files.is_still(job, opened):
        return None
    if job.sha256:
        return Outcome(Result.MADE, png)  # kept by who asked
    png = with_text(png, text_chunks(opened.source))
    try:
        files.keep(job, opened.source, png)
    except OSError as error:
        return Outcome(Result.UNSTORED, png, f"The thumbnail cannot be stored: {error.strerror}.")
    return Outcome(Result.MADE, png)


def describe(job: Job) -> bytes:
    """What can be read from inside the file, as JSON by the fields of `Size`, `Camera` and pages; empty for nothing."""
    from media_common.insides import read
    from media_common.insides.description import form_of

    try:
        with files.opened(job) as opened, os.fdopen(os.dup(opened.descriptor), "rb") as file:
            found = read.described(file, form_of(b"." + job.extension))
    except Exception:  # noqa: BLE001 - the libraries raise anything at all on hostile bytes; this process is the fence
        return b"{}"
    return json.dumps({**found.size._asdict(), **asdict(found.camera), "page_count": found.page_count}).encode()


def look_at(job: Job, limits: Limits) -> Outcome:
    """The figures of one state of a picture instead of a thumbnail; nothing is stored."""
    try:
        for _ in range(_TRIES):
            with files.opened(job) as opened:
                try:
                    found = Outcome(Result.UNSTORED, look(opened.descriptor, job.extension, limits))
                except Unreadable as error:
                    found = Outcome(Result.UNREADABLE, reason=str(error))
                if files.is_still(job, opened):
                    return found
    except files.Gone:
        return Outcome(Result.GONE)
    except files.RootUnreachable as error:
        return Outcome(Result.UNREACHABLE, reason=f"The review path cannot be reached: {error}.")
    except OSError as error:
        return Outcome(Result.FAILED, reason=f"The file cannot be read: {error.strerror}.")
    return Outcome(Result.FAILED, reason="The file keeps changing.")


def stand_in(job: Job) -> bytes:
    """The labelled placeholder for a file without a picture; never stored."""
    from thumbnail_service.domain import placeholder

    return placeholder.draw(job.size_px, "Video" if job.is_video else "Photo", job.extension)

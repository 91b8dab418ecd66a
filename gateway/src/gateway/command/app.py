"""The command line: parse, ask a service, print for people or (`--json`) for programs. Exit status 1: it was refused or
something is wrong; 2: it was called wrongly."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar
from uuid import UUID

import grpc
import typer
from media_common.blobs import FOLDER, open_store
from media_common.config import PublicSettings, SettingsError

from gateway.command.archive import HELD, STREAM
from gateway.command.backup import backed_up
from gateway.command.doctor import all_well
from gateway.command.exquisitor_parts import Addresses
from gateway.command.importing import bar_for, imported
from gateway.command.operator import Operator, reached
from gateway.command.purging import purged
from gateway.command.restore import restored, verified
from gateway.command.stack import Refused, Stack, running
from gateway.command.untrashing import untrashed
from gateway.config import CommandSettings
from gateway.errors import Failure, failure_of
from gateway.paths import dumps, plain

T = TypeVar("T")
#: What a path begins with, and no id.
_PATH_BEGINS: Final = ("/", "~", ".")
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Ask and tell a running Framewell.")
keys = typer.Typer(no_args_is_help=True, help="Keys of callers.")
app.add_typer(keys, name="key")
imports = typer.Typer(no_args_is_help=True, help="Collections of other systems.")
app.add_typer(imports, name="import")


@imports.callback()
def _imports() -> None:
    """The system is named, even while there is only one."""


def asked(question: Callable[[Stack], Awaitable[T]]) -> T:
    """The answer of the stack that runs on the state directory; a refusal ends the program with a sentence."""

    async def ask() -> T:
        _refuse_url()
        async with running(PublicSettings.load()) as stack:
            return await question(stack)

    return ended(ask)


def operated(question: Callable[[Operator], Awaitable[T]]) -> T:
    """The answer of the stack that runs on the state directory, or of the Framewell at `FRAMEWELL_URL`."""

    async def ask() -> T:
        async with reached() as operator:
            return await question(operator)

    return ended(ask)


def ended(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """What it gives; whatever is refused ends the program with a sentence."""
    try:
        return asyncio.run(work())
    except SettingsError as error:
        sentence, status = str(error), 2
    except Refused as error:
        sentence, status = str(error), 1
    except (Failure, grpc.aio.AioRpcError) as error:
        sentence, status = failure_of(error).message, 1
    typer.echo(f"framewell: {sentence}", err=True)
    raise typer.Exit(status)


def _refuse_url() -> None:
    """
    Raises:
        Refused: what is asked for needs the state directory.
    """
    if CommandSettings.load().url:
        raise Refused(
            "This needs the state directory: run it on the machine where Framewell runs, without FRAMEWELL_URL."
        )


def show(value: Any, as_json: bool, lines: list[str], *, aside: bool = False) -> None:
    """The value for programs, or the lines for people; file names that are no text come out as they are.

    Args:
        aside: on standard error, because standard output has been used for something else.
    """
    data = dumps(value) if as_json else "\n".join(lines).encode("utf-8", "surrogateescape")
    out = sys.stderr if aside else sys.stdout
    out.buffer.write(data + (b"\n" if data else b""))
    out.flush()


@keys.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    scope: Annotated[list[str], typer.Option(help="read, write, trash, empty-trash or admin; may be repeated.")],
    collection: Annotated[list[str] | None, typer.Option(help="Only this collection; may be repeated.")] = None,
    expires_in_days: Annotated[float | None, typer.Option(help="Default: never.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key; it is shown this once."""

    fields = {"name": name, "scopes": scope, "collections": collection or None, "expiresInDays": expires_in_days}
    made = operated(lambda operator: operator.create_key(fields))
    show(made, as_json, [made["key"]])


@keys.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """The keys that are not revoked, without their secrets."""

    found = operated(lambda operator: operator.keys())
    show({"keys": found}, as_json, [_key_line(key) for key in found])


@keys.command("revoke")
def revoke_key(key_id: Annotated[str, typer.Argument(help="As `key list` shows it.")], as_json: AsJson = False) -> None:
    """Revoke a key for good; a gateway that has just seen it may take two seconds to notice."""
    try:
        uuid = UUID(key_id)
    except ValueError:
        typer.echo("framewell: There is no such key.", err=True)
        raise typer.Exit(1) from None
    operated(lambda operator: operator.revoke_key(uuid))
    show({"revoked": uuid.hex}, as_json, [f"revoked {uuid.hex}"])


@app.command()
def resolve(
    face: Annotated[str, typer.Argument(help="A path, or an id in any dialect.")],
    collection: Annotated[str | None, typer.Option(help="Whose numbers an id speaks of.")] = None,
    as_json: AsJson = False,
) -> None:
    """The other faces of an item, whichever is given."""
    if _is_path(face):
        faces = operated(lambda operator: operator.faces_at(_here(face)))
    else:
        faces = operated(lambda operator: operator.faces_of(face, collection))
    told = {**faces, "collection": f"{faces['collection']['slug']} ({faces['collection']['id']})"}
    show(faces, as_json, [f"{name:<12}{value}" for name, value in told.items() if value is not None])


@app.command()
def reindex(
    root: Annotated[str | None, typer.Argument(help="One review path; without it, all.")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare the catalogue with the disk again, in the background; every item keeps its ids."""
    path = None if root is None else _here(root)
    told = operated(lambda operator: operator.reindex(path))
    lines = [f"{one['path']}: {one['items']} items{', running' if one['running'] else ''}" for one in told["roots"]]
    show(told, as_json, ["reindexing", *lines])


@imports.command("exquisitor")
def import_exquisitor(
    file: Annotated[Path, typer.Argument(help="The collection's SQLite database.")],
    collection: Annotated[str, typer.Option(help="What requests call it.")],
    thumbnails: Annotated[str, typer.Option(metavar="URL", help="What comes before each thumbnail_uri.")],
    originals: Annotated[str, typer.Option(metavar="URL", help="What comes before each uri.")],
    vectors: Annotated[Path | None, typer.Option(metavar="FILE", help="Its vectors: .npy or zarr.")] = None,
    as_json: AsJson = False,
) -> None:
    """Take a collection of Exquisitor into the catalogue, with its ids: all of it or nothing.

    Its vectors go into search. The tagset 'CLIP Index ID' tells which row of the file is whose.
    """
    addresses = Addresses(originals, thumbnails)
    with bar_for(people=not as_json) as bar:
        told = asked(lambda stack: imported(stack, file, collection, addresses, vectors, bar))
    counts = ", ".join(
        f"{told[name]} {name}" for name in ("items", "groups", "tagsets", "tags", "vectors") if name in told
    )
    show(told, as_json, [f"imported {told['collection']['slug']}: {counts}"])


@app.command()
def untrash(
    faces: Annotated[list[str], typer.Argument(metavar="ID...", help="Paths, or ids in any dialect.")],
    collection: Annotated[str | None, typer.Option(help="Whose numbers an id speaks of.")] = None,
    as_json: AsJson = False,
) -> None:
    """Bring trashed files and uploads back. An upload that was deleted with all its versions comes with all of them, a
    folder with what is below it."""
    wanted = [_here(face) if _is_path(face) else face for face in faces]
    told = asked(lambda stack: untrashed(stack, wanted, collection))
    show(told, as_json, [f"brought back {told['uploads']} uploads; {told['files']} files have no trash mark"])


@app.command()
def purge(
    collection: Annotated[str | None, typer.Option(help="Only this collection's uploads; without it, all.")] = None,
    now: Annotated[bool, typer.Option("--now", help="Also what was trashed within the last day.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete trashed uploads for good and remove the bytes that no upload refers to, those of the last hour excepted.

    What was trashed, or changed since, within the last day is kept: `untrash` brings it back.

    Files of review paths are not touched: emptying the trash is what deletes those. Where the catalogue knows no upload
    at all, as after it was lost, removing bytes is asked about in spite of --yes.
    """

    def confirm(question: str, in_person: bool) -> bool:
        return (yes and not in_person) or typer.confirm(question, err=True)

    told = asked(lambda stack: purged(stack, PublicSettings.load(), collection, confirm, now=now))
    lines = [f"deleted {told['uploads']} uploads, removed {told['blobs']} files of {told['bytes']:,} bytes"]
    if told["kept"]:
        lines.append(f"kept {told['kept']} uploads trashed within the last day; --now deletes them too")
    show(told, as_json, lines)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Look whether versions, services, roots and disks are well; exit status 1 when one is not."""
    checks = operated(lambda operator: operator.checks())
    well = all_well(checks)
    lines = [f"{'ok ' if check.ok else 'BAD'}  {check.name}: {check.told}" for check in checks]
    show({"ok": well, "checks": [check.out() for check in checks]}, as_json, lines)
    if not well:
        raise typer.Exit(1)


@app.command()
def backup(
    file: Annotated[
        Path, typer.Argument(help="The archive to write; gzipped when it ends in .gz or .tgz. `-`: standard output.")
    ],
    without_blobs: Annotated[
        bool, typer.Option("--without-blobs", help="Leave uploads out: their folder or bucket is backed up otherwise.")
    ] = False,
    gzipped: Annotated[bool, typer.Option("--gzip", help="Gzip standard output too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write everything that nothing can rebuild into one file, whether Framewell is running or not.

    Uploads are in it, from their folder or from S3. The media of review paths and the marks beside them are not. It
    holds keys: keep it to yourself.
    """

    def tell(sentence: str) -> None:
        typer.echo(f"framewell: {sentence}", err=True)

    async def make() -> dict[str, Any]:
        _refuse_url()
        public = PublicSettings.load()
        return await backed_up(file, public, with_blobs=not without_blobs, gzipped=gzipped, tell=tell)

    told, is_stream = ended(make), file == STREAM
    where = "standard output" if is_stream else file
    show(told, as_json, [f"backed up to {where}", *_archive_lines(told)], aside=is_stream)


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="What `backup` has written; `-`: standard input.")],
    verify: Annotated[bool, typer.Option("--verify", help="Only check the archive; nothing is put back.")] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Move a state directory that is not empty aside; nothing is deleted.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Put a backup back into the state directory, and its uploads into S3 where S3_ENDPOINT is set. Framewell must not
    be running."""
    place = ""

    async def put() -> dict[str, Any]:
        nonlocal place
        if verify:
            return verified(file)
        _refuse_url()
        public = PublicSettings.load()
        if not public.s3_endpoint:
            place = str(public.state_path / FOLDER)
            return restored(file, public.state_path, replace=replace)
        place = f"the bucket {public.s3_bucket} of {public.s3_endpoint}"
        with closing(open_store(public)) as store:
            return restored(file, public.state_path, replace=replace, store=store)

    told = ended(put)
    spoken = "standard input" if file == STREAM else file
    lines = [f"{spoken} is whole" if verify else f"restored to {told['state']}", *_archive_lines(told)]
    if told.get("uploadsWritten") or told.get("uploadsPresent"):
        lines.append(f"{told['uploadsWritten']} uploads written to {place}, {told['uploadsPresent']} were there")
    if told.get("uploadsMissing"):
        lines.append(f"{told['uploadsMissing']} uploads are not in {place}: put your own copy of them there")
    if told.get("previous"):
        lines.append(f"what was there is now {told['previous']}")
    if told.get("left"):
        lines.append(f"left by a restore that was cut off: {', '.join(told['left'])}")
    show(told, as_json, lines)


def _archive_lines(told: dict[str, Any]) -> list[str]:
    """What an archive holds, a line a member."""
    lines = [f"made {told['createdAt']} by Framewell {told['version']}"]
    lines += [f"{name:<14}{facts['bytes']:>14,} bytes" for name, facts in told["members"].items() if name in HELD]
    lines.append(f"{told['blobs']['count']} uploads, {told['blobs']['bytes']:,} bytes")
    if not told["holdsUploads"]:
        lines.append("uploads were left out: keep their folder or bucket")
    return lines


def _is_path(face: str) -> bool:
    """Whether it is meant as a path: an id may hold "/", but then it names nothing that is there."""
    return face.startswith(_PATH_BEGINS) or ("/" in face and os.path.lexists(face))


def _here(path: str) -> bytes:
    """The path as review paths are kept, from wherever the command is called."""
    return plain(os.fsencode(os.path.abspath(os.path.expanduser(path))))


def _key_line(key: dict[str, Any]) -> str:
    limited = "all collections" if key["collections"] is None else ", ".join(key["collections"])
    return f"{key['id']}  {key['name']}  {', '.join(key['scopes'])}  {limited}  expires {key['expiresAt'] or 'never'}"


def main() -> None:
    app()

"""The command line: parse, ask a service, print for people or (`--json`) for programs. Exit status 1: it was refused or
something is wrong; 2: it was called wrongly."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar
from uuid import UUID

import grpc
import typer
from media_common.config import PublicSettings, SettingsError
from media_proto import metadata_pb2 as pb

from gateway.command.doctor import examined
from gateway.command.exquisitor_file import Unreadable
from gateway.command.exquisitor_parts import Addresses
from gateway.command.importing import NO_VECTORS, bar_for, imported
from gateway.command.stack import NotRunning, Stack, running
from gateway.dialects.platform.keys import key_out, key_request
from gateway.dialects.platform.resolve import Resolver, faces_out, plain
from gateway.errors import Failure, failure_of
from gateway.paths import dumps

T = TypeVar("T")
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
    """The answer of the running stack; whatever it refuses ends the program with a sentence."""

    async def ask() -> T:
        async with running(PublicSettings.load()) as stack:
            return await question(stack)

    try:
        return asyncio.run(ask())
    except SettingsError as error:
        sentence, status = str(error), 2
    except (NotRunning, Unreadable) as error:
        sentence, status = str(error), 1
    except (Failure, grpc.aio.AioRpcError) as error:
        sentence, status = failure_of(error).message, 1
    typer.echo(f"framewell: {sentence}", err=True)
    raise typer.Exit(status)


def show(value: Any, as_json: bool, lines: list[str]) -> None:
    """The value for programs, or the lines for people; file names that are no text come out as they are."""
    data = dumps(value) if as_json else "\n".join(lines).encode("utf-8", "surrogateescape")
    sys.stdout.buffer.write(data + (b"\n" if data else b""))
    sys.stdout.flush()


@keys.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    scope: Annotated[list[str], typer.Option(help="read, write, trash, empty-trash or admin; may be repeated.")],
    collection: Annotated[list[str] | None, typer.Option(help="Only this collection; may be repeated.")] = None,
    expires_in_days: Annotated[float | None, typer.Option(help="Default: never.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key; it is shown this once."""

    async def create(stack: Stack) -> dict[str, Any]:
        fields = {"name": name, "scopes": scope, "collections": collection or None, "expiresInDays": expires_in_days}
        key = await stack.catalogue.create_key(key_request(fields, time.time_ns() // 1000))
        return {**key_out(key, await _slugs(stack)), "key": key.secret}

    made = asked(create)
    show(made, as_json, [made["key"]])


@keys.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """The keys that are not revoked, without their secrets."""

    async def listed(stack: Stack) -> list[dict[str, Any]]:
        found = (await stack.catalogue.keys()).keys
        slugs = await _slugs(stack)
        return [key_out(key, slugs) for key in found if not key.HasField("revoked_us")]

    found = asked(listed)
    show({"keys": found}, as_json, [_key_line(key) for key in found])


@keys.command("revoke")
def revoke_key(key_id: Annotated[str, typer.Argument(help="As `key list` shows it.")], as_json: AsJson = False) -> None:
    """Revoke a key for good; a gateway that has just seen it may take two seconds to notice."""
    try:
        uuid = UUID(key_id)
    except ValueError:
        typer.echo("framewell: There is no such key.", err=True)
        raise typer.Exit(1) from None
    asked(lambda stack: stack.catalogue.revoke_key(uuid.bytes))
    show({"revoked": uuid.hex}, as_json, [f"revoked {uuid.hex}"])


@app.command()
def resolve(
    face: Annotated[str, typer.Argument(help="A path, or an id in any dialect.")],
    collection: Annotated[str | None, typer.Option(help="Whose numbers an id speaks of.")] = None,
    as_json: AsJson = False,
) -> None:
    """The other faces of an item, whichever is given."""
    path = _here(face) if face.startswith(("/", "~", ".")) else None

    async def found(stack: Stack) -> dict[str, Any]:
        resolver = Resolver(stack.catalogue)
        if path is not None:
            return faces_out(await resolver.at_path(path))
        return faces_out(await resolver.of_id(face, collection))

    faces = asked(found)
    told = {**faces, "collection": f"{faces['collection']['slug']} ({faces['collection']['id']})"}
    show(faces, as_json, [f"{name:<12}{value}" for name, value in told.items() if value is not None])


@app.command()
def reindex(
    root: Annotated[str | None, typer.Argument(help="One review path; without it, all.")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare the catalogue with the disk again, in the background; every item keeps its ids."""
    wanted = pb.ReindexRequest()
    if root is not None:
        wanted.root = _here(root)
    told = asked(lambda stack: stack.catalogue.ask(stack.catalogue.stub.Reindex, wanted))
    roots = [{"path": os.fsdecode(one.root), "items": one.items, "running": one.running} for one in told.roots]
    lines = [f"{one['path']}: {one['items']} items{', running' if one['running'] else ''}" for one in roots]
    show({"waiting": told.waiting, "running": told.running, "roots": roots}, as_json, ["reindexing", *lines])


@imports.command("exquisitor")
def import_exquisitor(
    file: Annotated[Path, typer.Argument(help="The collection's SQLite database.")],
    collection: Annotated[str, typer.Option(help="What requests call it.")],
    thumbnails: Annotated[str, typer.Option(metavar="URL", help="What comes before each thumbnail_uri.")],
    originals: Annotated[str, typer.Option(metavar="URL", help="What comes before each uri.")],
    vectors: Annotated[Path | None, typer.Option(metavar="FILE", help="Its vectors; not taken yet.")] = None,
    as_json: AsJson = False,
) -> None:
    """Take a collection of Exquisitor into the catalogue, with its ids: all of it or nothing."""
    if vectors is not None:
        typer.echo(f"framewell: {NO_VECTORS}", err=True)
        raise typer.Exit(1)
    addresses = Addresses(originals, thumbnails)
    with bar_for(people=not as_json) as bar:
        told = asked(lambda stack: imported(stack, file, collection, addresses, bar))
    counts = ", ".join(f"{told[name]} {name}" for name in ("items", "groups", "tagsets", "tags"))
    show(told, as_json, [f"imported {told['collection']['slug']}: {counts}"])


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Look whether services, roots and disks are well; exit status 1 when one is not."""
    checks = asked(examined)
    well = all(check.ok for check in checks)
    lines = [f"{'ok ' if check.ok else 'BAD'}  {check.name}: {check.told}" for check in checks]
    show({"ok": well, "checks": [check.out() for check in checks]}, as_json, lines)
    if not well:
        raise typer.Exit(1)


def _here(path: str) -> bytes:
    """The path as review paths are kept, from wherever the command is called."""
    return plain(os.fsencode(os.path.abspath(os.path.expanduser(path))))


async def _slugs(stack: Stack) -> dict[int, str]:
    return {one.id: one.slug for one in (await stack.catalogue.collections()).collections}


def _key_line(key: dict[str, Any]) -> str:
    limited = "all collections" if key["collections"] is None else ", ".join(key["collections"])
    return f"{key['id']}  {key['name']}  {', '.join(key['scopes'])}  {limited}  expires {key['expiresAt'] or 'never'}"


def main() -> None:
    app()

"""Backup and restore of a state directory on which nothing runs; of a running stack: tests/e2e/test_backup.py."""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import tarfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from backup_rig import (
    ABOUT,
    MARKS,
    at_every_step,
    edited,
    filled,
    make,
    members,
    name_uploads,
    put,
    tree,
    truth,
    written,
)
from gateway.command import state_dir
from gateway.command.archive import FORM, Damaged, Writer
from gateway.command.restore import restored, verified
from gateway.command.stack import Refused
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from media_common import kept
from media_common.blobs.folder import FolderStore
from media_common.kept import KeptFile


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return filled(tmp_path / "state")


@pytest.fixture(params=["a.tar", "a.tar.gz", "a.tgz"])
def archive(request: pytest.FixtureRequest, state: Path, tmp_path: Path) -> Path:
    file = tmp_path / str(request.param)
    make(state, file)
    return file


def test_what_is_restored_is_what_was_backed_up(state: Path, archive: Path, tmp_path: Path) -> None:
    before = truth(state)
    told = restored(archive, tmp_path / "new/place", replace=False)
    assert truth(tmp_path / "new/place") == before
    names = {name.split("/")[0] for name in tree(tmp_path / "new/place")}
    assert names == {*(name.split("/")[0] for name in before), *MARKS}
    assert (told["previous"], told["left"], told["blobs"]["count"]) == (None, [], 3)


#: Each starts the command several times, which a busy machine takes its time over.
several_processes = pytest.mark.timeout(600)


def command(state: Path, *arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    environment |= {"FRAMEWELL_STATE_DIR": str(state), "TMPDIR": str(state.parent)}
    line = [sys.executable, "-m", "gateway.command", *arguments]
    return subprocess.run(line, env=environment, input=given, capture_output=True, timeout=120, check=False)


@several_processes
@pytest.mark.parametrize("options", [(), ("--gzip",)], ids=["plain", "gzipped"])
def test_a_stream_out_is_a_backup_and_comes_back_by_a_stream(state: Path, tmp_path: Path, options: list[str]) -> None:
    before, around = truth(state), set(os.listdir(tmp_path))
    made = command(state, "backup", "-", "--json", *options)
    assert made.returncode == 0, made.stderr
    assert (made.stdout[:2] == b"\x1f\x8b") == bool(options)
    assert json.loads(made.stderr)["blobs"]["count"] == 3

    checked = command(state, "restore", "-", "--verify", "--json", given=made.stdout)
    assert json.loads(checked.stdout)["members"].keys() == json.loads(made.stderr)["members"].keys()
    assert set(os.listdir(tmp_path)) == around, "nothing is kept of it on the way"
    back = command(tmp_path / "new", "restore", "-", given=made.stdout)
    assert back.returncode == 0, back.stderr
    assert truth(tmp_path / "new") == before


@several_processes
# The last 1,024 are zeros, behind everything.
@pytest.mark.parametrize("end", [0, 1, 2, 511, -1025, -20_000])
def test_a_stream_that_was_cut_off_is_refused(state: Path, tmp_path: Path, end: int) -> None:
    whole = command(state, "backup", "-").stdout
    refused = command(tmp_path / "new", "restore", "-", given=whole[:end])
    assert refused.returncode == 1
    assert refused.stderr.startswith(b"framewell: ")
    assert not (tmp_path / "new").exists()


@several_processes
def test_a_backup_that_fails_says_so_by_its_status_and_its_stream_is_none(state: Path, tmp_path: Path) -> None:
    (state / "config.yaml").write_text("[")
    failed = command(state, "backup", "-")
    assert failed.returncode == 1
    assert b"config.yaml" in failed.stderr
    assert command(tmp_path / "new", "restore", "-", "--verify", given=failed.stdout).returncode == 1


def test_a_reader_that_leaves_ends_the_backup_with_a_sentence(state: Path) -> None:
    name_uploads(state / "catalogue.db", put(FolderStore(state / "blobs"), os.urandom(3_000_000)))
    environment = {**os.environ, "FRAMEWELL_STATE_DIR": str(state)}
    line = [sys.executable, "-m", "gateway.command", "backup", "-"]
    with subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as leaving:
        assert leaving.stdout is not None
        assert leaving.stderr is not None
        leaving.stdout.read(512)
        leaving.stdout.close()
        assert leaving.stderr.read() == b"framewell: The backup cannot be written to standard output: Broken pipe.\n"
        assert leaving.wait(60) == 1


def test_no_backup_is_shown_on_a_terminal(state: Path) -> None:
    ours, theirs = os.openpty()
    try:
        environment = {**os.environ, "FRAMEWELL_STATE_DIR": str(state)}
        line = [sys.executable, "-m", "gateway.command", "backup", "-"]
        refused = subprocess.run(line, env=environment, stdout=theirs, stderr=subprocess.PIPE, timeout=60, check=False)
    finally:
        os.close(ours)
        os.close(theirs)
    assert (refused.returncode, refused.stderr[:31]) == (1, b"framewell: A backup is no text ")


def test_an_archive_and_what_comes_out_of_it_are_for_their_owner_alone(archive: Path, tmp_path: Path) -> None:
    restored(archive, tmp_path / "new", replace=False)
    for path in (archive, tmp_path / "new", *(tmp_path / "new").rglob("*")):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path


def test_verifying_tells_what_is_in_it_and_writes_nothing(state: Path, archive: Path, tmp_path: Path) -> None:
    before = {one: (tree(one), sorted(os.listdir(one))) for one in (tmp_path, state)}
    told = verified(archive)
    assert {one: (tree(one), sorted(os.listdir(one))) for one in (tmp_path, state)} == before
    assert told["members"]["catalogue.db"]["schema"] == 1
    with tarfile.open(archive) as plain:  # and any tar reads it
        content = plain.extractfile("config.yaml")
        assert content is not None
        assert told["members"]["config.yaml"]["sha256"] == hashlib.sha256(content.read()).hexdigest()
        assert plain.getnames()[0] == "about.json"
        assert plain.getnames()[-1] == "manifest.json"


def test_the_log_that_a_killed_process_left_beside_a_database_is_in_the_backup(state: Path, tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        connection = sqlite3.connect(state / "catalogue.db", isolation_level=None)
        connection.execute("INSERT INTO things (text) VALUES ('last')")
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert (state / "catalogue.db-wal").stat().st_size
    make(state, tmp_path / "a.tar")
    restored(tmp_path / "a.tar", tmp_path / "new", replace=False)
    assert truth(tmp_path / "new")["catalogue.db"][-1][1] == "last"


def test_what_was_there_is_moved_aside_and_only_when_that_is_asked_for(
    state: Path, archive: Path, tmp_path: Path
) -> None:
    before = truth(state)
    (state / "config.yaml").write_text("known_paths: []\n")
    now = tree(state)
    with pytest.raises(Refused, match="not empty; with --replace"):
        restored(archive, state, replace=False)
    assert tree(state) == now
    told = restored(archive, state, replace=True, clock=lambda: 1_776_030_619.0)
    assert truth(state) == before
    assert told["previous"] == str(tmp_path / "state.before-20260412T215019Z")
    assert tree(Path(told["previous"])) == now
    again = restored(archive, state, replace=True, clock=lambda: 1_776_030_619.0)
    assert again["previous"] == f"{told['previous']}-2"


def test_a_link_to_the_state_directory_stays_one(state: Path, archive: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(state)
    told = restored(archive, tmp_path / "link", replace=True)
    assert (tmp_path / "link").is_symlink()
    assert Path(told["previous"]).parent == tmp_path
    assert set(os.listdir(tmp_path / "link")) >= MARKS


def test_an_empty_folder_is_replaced_without_a_word(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert restored(archive, tmp_path / "empty", replace=False)["previous"] is None
    assert (tmp_path / "empty/journal.db").exists()


@pytest.mark.parametrize("lock", state_dir.LOCKS)
def test_a_running_stack_is_neither_replaced_nor_taken_for_a_stopped_one(state: Path, archive: Path, lock: str) -> None:
    with state_dir.uploads_stay(state):
        before = tree(state)
    with (state / lock).open("r+b") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        with pytest.raises(Refused, match="is running on the state directory"):
            restored(archive, state, replace=True)
        with pytest.raises(Refused, match=r"does not tell|not running"):
            make(state, state.parent / "other.tar")
    assert tree(state) == before
    assert not (state.parent / "other.tar").exists()


def test_nothing_can_be_started_on_a_state_directory_that_is_being_backed_up(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    add = Writer.add

    def watched(self: Writer, part: KeptFile | bytes) -> None:
        seen.append(state_dir.is_held(state))
        add(self, part)

    monkeypatch.setattr(Writer, "add", watched)
    make(state, tmp_path / "a.tar")
    assert seen
    assert all(seen)
    assert not state_dir.is_held(state)


def test_a_name_that_is_taken_or_cannot_be_written_is_refused(state: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(Refused, match="is there already"):
        make(state, tmp_path / "taken")
    assert (tmp_path / "taken").read_text() == "mine"
    with pytest.raises(Refused, match="cannot be written"):
        make(state, tmp_path / "nowhere/a.tar")
    with pytest.raises(Refused, match="nothing to back up"):
        make(tmp_path / "nowhere", tmp_path / "a.tar")
    assert sorted(os.listdir(tmp_path)) == ["state", "taken"]


def test_a_missing_or_damaged_database_is_no_backup(state: Path, tmp_path: Path) -> None:
    (state / "catalogue.db").write_bytes(b"x" * 5000)
    with pytest.raises(Refused, match=r"catalogue\.db cannot be copied"):
        make(state, tmp_path / "a.tar")
    (state / "catalogue.db").unlink()
    with pytest.raises(Refused, match=r"catalogue\.db cannot be copied"):
        make(state, tmp_path / "a.tar")
    assert os.listdir(tmp_path) == ["state"]


# Archives that are not as they should be


def hostile(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", data: bytes = b"x") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, len(data)
    return info


@pytest.mark.parametrize(
    "info",
    [
        hostile("../escaped"),
        hostile("/tmp/escaped"),
        hostile("blobs/../../escaped"),
        hostile("blobs/aa/bb/" + "c" * 64),
        hostile("run.json"),
        hostile("catalogue.db-wal"),
        hostile("admin.key", tarfile.SYMTYPE, "/etc/passwd"),
        hostile("admin.key", tarfile.LNKTYPE, "about.json"),
        hostile("admin.key", tarfile.CHRTYPE),
        hostile("blobs", tarfile.DIRTYPE, data=b""),
        hostile("config.yaml", tarfile.GNUTYPE_SPARSE),
        hostile("admin.key", data=b"x" * 5000),
        hostile("about.json"),
        hostile("config.yaml"),
        hostile("n" * 300),
    ],
    ids=lambda info: f"{info.name[:20]}-{info.type!r}-{info.size}",
)
def test_a_member_that_no_backup_has_is_refused_and_leaves_nothing(tmp_path: Path, info: tarfile.TarInfo) -> None:
    file = tmp_path / "a.tar"
    written(file, {"config.yaml": b"a: 1\n", **members(tmp_path / "parts")})

    def with_another(one: tarfile.TarInfo, data: bytes) -> list[tuple[tarfile.TarInfo, bytes]]:
        more = [(info, b"x" * info.size)] if one.name == "journal.db" else []
        return [(one, data), *more]

    edited(file, with_another)
    before = sorted(str(one) for one in tmp_path.rglob("*"))
    with pytest.raises(Refused):
        verified(file)
    with pytest.raises(Refused):
        restored(file, tmp_path / "deep/state", replace=False)
    (tmp_path / "deep").rmdir()
    assert sorted(str(one) for one in tmp_path.rglob("*")) == before
    assert not Path("/tmp/escaped").exists()


def test_an_upload_that_is_not_what_it_is_called_is_refused(tmp_path: Path) -> None:
    name = hashlib.sha256(b"bytes").hexdigest()
    place = f"blobs/{name[:2]}/{name[2:4]}/{name}"
    parts = members(tmp_path / "parts")
    written(tmp_path / "good.tar", {**parts, place: b"bytes"})
    assert verified(tmp_path / "good.tar")["blobs"]["count"] == 1
    with pytest.raises(Damaged, match="not those that it is named after"):
        written(tmp_path / "bad.tar", {**parts, place: b"other"})
    written(tmp_path / "bad.tar", {**parts, place: b"bytes"})
    edited(tmp_path / "bad.tar", lambda one, data: [(one, b"other" if one.name == place else data)])
    with pytest.raises(Refused, match="have changed"):
        verified(tmp_path / "bad.tar")


def test_a_missing_upload_is_noticed(state: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.tar"
    make(state, file)
    dropped: list[str] = []

    def without_one(one: tarfile.TarInfo, data: bytes) -> list[tuple[tarfile.TarInfo, bytes]]:
        if one.name.startswith("blobs/") and not dropped:
            dropped.append(one.name)
            return []
        return [(one, data)]

    edited(file, without_one)
    assert dropped
    with pytest.raises(Refused, match="uploads are missing"):
        verified(file)


@pytest.mark.parametrize("name", ["catalogue", "journal"])
def test_a_newer_database_is_named_with_both_versions(tmp_path: Path, name: str) -> None:
    written(tmp_path / "a.tar", members(tmp_path / "parts", **{name: 99}))
    with pytest.raises(Refused, match=rf"The {name} in the archive is of version 99; .* newer one"):
        restored(tmp_path / "a.tar", tmp_path / "state", replace=False)
    assert not (tmp_path / "state").exists()


def test_a_newer_form_of_archive_is_named_with_its_program(tmp_path: Path) -> None:
    written(tmp_path / "a.tar", members(tmp_path / "parts"), {**ABOUT, "form": FORM + 1, "version": "9.1"})
    with pytest.raises(Refused, match=r"form 3, made by Framewell 9\.1"):
        verified(tmp_path / "a.tar")


def test_a_database_that_is_damaged_inside_is_refused_though_its_hash_is_right(tmp_path: Path) -> None:
    parts = members(tmp_path / "parts")
    content = bytearray(parts["catalogue.db"])
    content[3 * 4096 + 8 : 3 * 4096 + 600] = b"\xee" * 592
    written(tmp_path / "a.tar", {**parts, "catalogue.db": bytes(content)})
    with pytest.raises(Refused, match=r"catalogue\.db in the archive is damaged"):
        verified(tmp_path / "a.tar")
    written(tmp_path / "b.tar", {**parts, "catalogue.db": b"no database"})
    with pytest.raises(Refused, match=r"catalogue\.db in the archive is damaged"):
        verified(tmp_path / "b.tar")
    written(tmp_path / "c.tar", {**parts, "journal.db": b""})
    with pytest.raises(Refused, match=r"journal\.db in the archive is damaged"):
        verified(tmp_path / "c.tar")
    del parts["journal.db"]
    written(tmp_path / "d.tar", parts)
    with pytest.raises(Refused, match=r"journal\.db is missing"):
        verified(tmp_path / "d.tar")


@pytest.mark.parametrize("one", [kept.JOURNAL, kept.CATALOGUE], ids=lambda one: one.name)
def test_a_database_without_a_table_it_must_have_is_refused(tmp_path: Path, one: kept.KeptDatabase) -> None:
    parts = members(tmp_path / "parts")
    table = max(one.tables)
    with closing(sqlite3.connect(tmp_path / "parts" / one.name)) as connection:
        connection.execute(f'DROP TABLE "{table}"')
        connection.execute("PRAGMA journal_mode = DELETE")
    written(tmp_path / "a.tar", {**parts, one.name: (tmp_path / "parts" / one.name).read_bytes()})
    with pytest.raises(Refused, match=rf"{one.name} in the archive is damaged: it has no table {table}\."):
        restored(tmp_path / "a.tar", tmp_path / "state", replace=False)
    assert not (tmp_path / "state").exists()


UNUSABLE = [
    ("config.yaml", b"known_paths: [/photos"),
    ("config.yaml", b"- a list"),
    ("config.yaml", b"[" * 20_000),
    ("config.yaml", b"a: \xff"),
    ("roots.json", b""),
    ("roots.json", b"[]"),
    ("roots.json", b"[" * 200_000),
    ("admin.key", b" \n"),
    ("admin.key", "clé".encode()),
    ("blob.key", b""),
]


@pytest.mark.parametrize(("name", "content"), UNUSABLE, ids=lambda value: str(value[:12]))
def test_a_file_that_nobody_could_read_is_neither_backed_up_nor_restored(
    state: Path, tmp_path: Path, name: str, content: bytes
) -> None:
    written(tmp_path / "a.tar", {name: content, **members(tmp_path / "parts")})
    for work in (verified, lambda file: restored(file, tmp_path / "new", replace=False)):
        with pytest.raises(Refused, match=rf"^{name} cannot be used: it is .*\.$"):
            work(tmp_path / "a.tar")
    assert not (tmp_path / "new").exists()

    (state / name).write_bytes(content)
    with pytest.raises(Refused, match=rf"^{name} cannot be used: .* Mend it or remove it first"):
        make(state, tmp_path / "b.tar")
    assert sorted(os.listdir(tmp_path)) == ["a.tar", "parts", "state"]


def test_an_empty_config_is_one(state: Path, tmp_path: Path) -> None:
    (state / "config.yaml").write_bytes(b"# nothing yet\n")
    make(state, tmp_path / "a.tar")
    assert verified(tmp_path / "a.tar")["members"]["config.yaml"]["bytes"] == 14


@pytest.mark.parametrize("text", ["\ud800", "\x1b[2J", "a\nb", "x" * 101, 5])
@pytest.mark.parametrize("name", ["version", "createdAt", "uploads"])
def test_what_cannot_be_printed_is_told_by_no_backup(tmp_path: Path, name: str, text: object) -> None:
    written(tmp_path / "a.tar", members(tmp_path / "parts"), {**ABOUT, name: text})
    with pytest.raises(Refused, match="no backup of Framewell"):
        restored(tmp_path / "a.tar", tmp_path / "state", replace=False)
    assert not (tmp_path / "state").exists()


def test_what_an_archive_tells_beside_that_is_not_taken_for_our_own_words(tmp_path: Path) -> None:
    written(tmp_path / "a.tar", members(tmp_path / "parts"), {**ABOUT, "file": 5, "left": 5, "previous": "\ud800"})
    told = verified(tmp_path / "a.tar")
    assert told["file"] == str(tmp_path / "a.tar")
    assert told.keys() == {"file", "form", *ABOUT, "holdsUploads", "members", "blobs"}


@pytest.mark.parametrize(
    "content",
    [b"", b"x", b"\0" * 2048, b"text " * 1000, gzip.compress(b"text " * 1000), b"\x1f\x8b", json.dumps(ABOUT).encode()],
)
def test_what_is_no_backup_is_said_to_be_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(Refused, match=r"no backup of Framewell|cut off"):
        verified(tmp_path / "file")


def test_an_archive_that_cannot_be_opened_is_a_sentence(tmp_path: Path) -> None:
    for place in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(Refused, match="cannot be read"):
            verified(place)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A folder with an archive of either kind, and what verifying tells of it."""
    folder = tmp_path_factory.mktemp("small")
    state = filled(folder / "state", uploads=2)
    for name in ("a.tar", "a.tar.gz"):
        make(state, folder / name)
    return folder, {name: verified(folder / name) for name in ("a.tar", "a.tar.gz")}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_archive_is_refused_or_nothing_of_it_differs(
    small: tuple[Path, dict[str, Any]], data: st.DataObject, tmp_path: Path
) -> None:
    folder, told = small
    name = data.draw(st.sampled_from(["a.tar", "a.tar.gz"]))
    content = bytearray((folder / name).read_bytes())
    match data.draw(st.sampled_from(["change", "cut", "double", "drop"])):
        case "change":
            content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
        case "cut":
            del content[data.draw(st.integers(0, len(content) - 1)) :]
        case "double":
            at = data.draw(st.integers(0, len(content) // 512)) * 512
            content[at:at] = content[at : at + 512]
        case _:
            at = data.draw(st.integers(0, len(content) // 512)) * 512
            del content[at : at + 512]
    file = tmp_path / name
    file.write_bytes(content)
    try:
        found = verified(file)
    except Refused:
        return
    assert {**found, "file": ""} == {**told[name], "file": ""}


# Cut off


@pytest.mark.parametrize("can_exchange", [True, False])
def test_a_restore_cut_off_anywhere_leaves_the_old_or_the_new_and_deletes_neither(
    tmp_path: Path, can_exchange: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not can_exchange:

        def cannot(one: Path, other: Path) -> None:
            raise OSError(22, "the file system cannot")

        monkeypatch.setattr(state_dir.replace, "__defaults__", (cannot,))
    archive = tmp_path / "a.tar"
    make(filled(tmp_path / "source"), archive)
    new = truth(tmp_path / "source")
    home = tmp_path / "home"
    old = tree(filled(home / "state"))
    aside = {"state.before-20260412T215019Z"}
    outcomes = []

    def check(killed: bool) -> None:
        places = {one.name: one for one in home.iterdir()}
        at_place = places.pop("state", None)
        if at_place is None:
            assert not can_exchange
            outcomes.append("between")
            kept_old = [one for one in places.values() if tree(one) == old]
            assert len(kept_old) == 1
            assert any(truth(one) == new for one in places.values())
            kept_old[0].rename(home / "state")
        elif truth(at_place) == new and set(os.listdir(at_place)) >= MARKS:
            outcomes.append("new")
            (kept_old,) = [one for one in places.values() if tree(one) == old]
            if not killed:
                assert kept_old.name in aside
            for path in at_place.rglob("*"):
                assert not stat.S_IMODE(path.stat().st_mode) & 0o077
            at_place.rename(tmp_path / f"restored-{len(outcomes)}")
            kept_old.rename(home / "state")
        else:
            outcomes.append("old")
            assert tree(at_place) == old
        for one in home.iterdir():  # what the test of this step leaves, for the next one
            if one.name != "state":
                one.rename(tmp_path / f"left-{len(outcomes)}-{one.name}")

    steps = at_every_step(lambda: restored(archive, home / "state", replace=True, clock=lambda: 1_776_030_619.0), check)
    assert steps > 30
    assert outcomes[0] == "old"
    assert outcomes[-1] == "new"
    assert outcomes == sorted(outcomes, key=["old", "between", "new"].index)


def test_a_restore_tells_what_one_before_it_has_left(state: Path, archive: Path, tmp_path: Path) -> None:
    (tmp_path / "state.restoring-abc").mkdir()
    assert restored(archive, state, replace=True)["left"] == [str(tmp_path / "state.restoring-abc")]
    assert (tmp_path / "state.restoring-abc").is_dir()


def test_a_backup_cut_off_anywhere_is_not_there(tmp_path: Path) -> None:
    state = filled(tmp_path / "state")
    before = truth(state)
    file = tmp_path / "out/a.tar"
    file.parent.mkdir()
    there = []

    def check(killed: bool) -> None:
        assert truth(state) == before
        there.append(file.exists())
        if file.exists():
            verified(file)
            file.unlink()

    assert at_every_step(lambda: make(state, file), check) > 10
    assert there[-1]
    assert not there[0]


def test_an_exchange_that_the_file_system_refuses_changes_nothing(tmp_path: Path) -> None:
    def refused(one: Path, other: Path) -> None:
        raise PermissionError(13, "no")

    (tmp_path / "new").mkdir()
    (tmp_path / "place").mkdir()
    (tmp_path / "place/thing").touch()
    with pytest.raises(PermissionError):
        state_dir.replace(tmp_path / "new", tmp_path / "place", tmp_path / "aside", refused)
    assert (tmp_path / "place/thing").exists()
    assert sorted(os.listdir(tmp_path)) == ["new", "place"]

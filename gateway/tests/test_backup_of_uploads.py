"""Uploads in a backup, from a folder or from S3, and their way back into either."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import secrets
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from backup_rig import ABOUT, TO_A_SERVER, at_every_step, filled, members, name_uploads, put, tree, truth, written
from gateway.command import state_dir
from gateway.command.archive import IN_S3, LEFT_OUT, Writer, blob_name
from gateway.command.backup import backed_up
from gateway.command.moving_uploads import MUCH_BYTES, add_uploads
from gateway.command.restore import restored, verified
from gateway.command.stack import Refused
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from media_common.blobs import BlobStore, Listed, StoreUnreachable, open_store
from media_common.blobs.folder import FolderStore
from media_common.config import PublicSettings
from media_common.testing import quick_folder
from servers import Address

MIB = 2**20
#: Empty, small, and in parts.
CONTENTS = (b"", b"one", os.urandom(100_000), os.urandom(17 * MIB))


def settings_of(state: Path, s3: Address | None) -> PublicSettings:
    """With S3 in a bucket of its own."""
    if s3 is None:
        return PublicSettings(state_dir=state)
    bucket = f"test-{secrets.token_hex(8)}"
    return PublicSettings(
        state_dir=state, s3_endpoint=s3.url, s3_access_key=s3.user, s3_secret_key=s3.secret, s3_bucket=bucket
    )


@pytest.fixture(autouse=True)
def _no_settings_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("S3_ENDPOINT", "S3_ACCESS_KEY", "S3_SECRET_KEY", "S3_BUCKET", "S3_REGION"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(params=["folder", "s3"])
def public(request: pytest.FixtureRequest, tmp_path: Path) -> PublicSettings:
    """A state directory without uploads, and the store where they belong."""
    state = filled(tmp_path / "state", uploads=0)
    return settings_of(state, request.getfixturevalue("s3_address") if request.param == "s3" else None)


@pytest.fixture
def quick() -> Iterator[Path]:
    """A folder for a test that writes durably a thousand times."""
    with tempfile.TemporaryDirectory(dir=quick_folder()) as folder:
        yield Path(folder)


@pytest.fixture
def store(public: PublicSettings) -> Iterator[BlobStore]:
    with closing(open_store(public)) as found:
        yield found


@pytest.fixture
def in_s3(s3_address: Address, tmp_path: Path) -> PublicSettings:
    return settings_of(filled(tmp_path / "state", uploads=0), s3_address)


@pytest.fixture
def quickly_in_s3(s3_address: Address, quick: Path) -> PublicSettings:
    return settings_of(filled(quick / "state", uploads=0), s3_address)


def uploaded(public: PublicSettings, *contents: bytes) -> list[bytes]:
    """They are in the store, and the catalogue names them."""
    with closing(open_store(public)) as store:
        found = [put(store, content) for content in contents]
    name_uploads(public.state_path / "catalogue.db", *found)
    return found


def make(public: PublicSettings, file: Path, **how: Any) -> dict[str, Any]:
    return asyncio.run(backed_up(file, public, **how))


def put_back(file: Path, public: PublicSettings, *, replace: bool = False) -> dict[str, Any]:
    """As the command does it."""
    if not public.s3_endpoint:
        return restored(file, public.state_path, replace=replace)
    with closing(open_store(public)) as store:
        return restored(file, public.state_path, replace=replace, store=store)


def contents(public: PublicSettings) -> dict[bytes, bytes]:
    """What is in the store, by its name."""
    with closing(open_store(public)) as store:
        return {one.sha256: b"".join(store.read(one.sha256, 0, one.size_bytes)) for one in store.listed()}


def counts(told: dict[str, Any]) -> tuple[int, int, int]:
    return told["uploadsWritten"], told["uploadsPresent"], told["uploadsMissing"]


def spoil(store: BlobStore, sha256: bytes, content: bytes) -> None:
    """Other bytes under its name."""
    if isinstance(store, FolderStore):
        store.place(sha256).write_bytes(content)
    else:
        store._client.put_object(  # type: ignore[attr-defined]
            store._bucket, f"blobs/{sha256.hex()}", io.BytesIO(content), len(content)  # type: ignore[attr-defined]
        )  # fmt: skip


def lose(public: PublicSettings, sha256: bytes) -> None:
    with closing(open_store(public)) as store:
        (one,) = (one for one in store.listed() if one.sha256 == sha256)
        assert store.remove(one)


@pytest.mark.parametrize("target", ["folder", "s3"])
@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz"])
def test_uploads_come_back_into_the_store_that_is_set_up_wherever_they_were(
    public: PublicSettings, target: str, name: str, s3_address: Address, tmp_path: Path
) -> None:
    uploaded(public, *CONTENTS)
    told = make(public, tmp_path / name)
    assert (told["blobs"]["count"], told["blobs"]["bytes"]) == (4, sum(map(len, CONTENTS)))
    assert told["holdsUploads"]
    assert verified(tmp_path / name)["blobs"] == told["blobs"]
    fresh = settings_of(tmp_path / "fresh", s3_address if target == "s3" else None)
    assert counts(put_back(tmp_path / name, fresh)) == (4, 0, 0)
    assert contents(fresh) == {hashlib.sha256(content).digest(): content for content in CONTENTS}
    assert (tmp_path / "fresh/blobs").exists() == (target == "folder")


def test_what_is_in_the_bucket_stays_and_what_is_damaged_there_is_healed(in_s3: PublicSettings, tmp_path: Path) -> None:
    whole, damaged, lost = uploaded(in_s3, b"whole", b"damaged", b"lost")
    make(in_s3, tmp_path / "a.tar")
    lose(in_s3, lost)
    (later,) = uploaded(in_s3, b"later")
    with closing(open_store(in_s3)) as store:
        spoil(store, damaged, b"DAMAGED")
        before = {one.sha256: one.written_s for one in store.listed()}
        while time.time() < before[whole] + 1.1:  # S3 tells an object's age in whole seconds
            os.sched_yield()
        told = put_back(tmp_path / "a.tar", in_s3, replace=True)
        assert counts(told) == (2, 1, 0)
        after = {one.sha256: one.written_s for one in store.listed()}
    assert contents(in_s3) == {whole: b"whole", damaged: b"damaged", lost: b"lost", later: b"later"}
    assert (after[whole], after[later]) == (before[whole], before[later])
    assert counts(put_back(tmp_path / "a.tar", in_s3, replace=True)) == (0, 3, 0)


def test_an_upload_that_the_catalogue_names_and_the_store_has_not_is_told_and_there_is_no_backup(
    public: PublicSettings, tmp_path: Path
) -> None:
    uploaded(public, b"there")
    lost = hashlib.sha256(b"lost").digest()
    name_uploads(public.state_path / "catalogue.db", lost)
    with closing(sqlite3.connect(public.state_path / "catalogue.db")) as catalogue:
        ((uuid,),) = catalogue.execute("SELECT uuid FROM node WHERE sha256 = ?", (lost,))
    with pytest.raises(Refused, match=rf"not in the blob store: {uuid.hex()} \(SHA-256 {lost.hex()}\)\."):
        make(public, tmp_path / "a.tar")
    assert not (tmp_path / "a.tar").exists()
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".a.tar")]
    told = make(public, tmp_path / "a.tar", with_blobs=False)
    assert told["uploads"] == LEFT_OUT


def test_a_store_that_has_none_of_them_is_likely_to_be_another(public: PublicSettings, tmp_path: Path) -> None:
    name_uploads(public.state_path / "catalogue.db", *(secrets.token_bytes(32) for _ in range(7)))
    with pytest.raises(Refused, match=r"and 2 more\. Are S3_ENDPOINT and S3_BUCKET what Framewell runs with\?"):
        make(public, tmp_path / "a.tar")


def test_what_was_purged_is_not_missed(public: PublicSettings, tmp_path: Path) -> None:
    name_uploads(public.state_path / "catalogue.db", secrets.token_bytes(32), marks=2 | 16)
    make(public, tmp_path / "a.tar")
    verified(tmp_path / "a.tar")


def test_bytes_that_changed_in_the_store_are_told_and_there_is_no_backup(
    public: PublicSettings, store: BlobStore, tmp_path: Path
) -> None:
    sha256, _ = uploaded(public, b"as it was", b"another")
    spoil(store, sha256, b"AS IT WAS")
    with pytest.raises(Refused, match=rf"SHA-256 {sha256.hex()}\) have changed in the blob store"):
        make(public, tmp_path / "a.tar")
    assert not (tmp_path / "a.tar").exists()
    put(store, b"as it was")
    make(public, tmp_path / "a.tar")


def test_uploads_may_be_left_out_and_a_restore_says_what_is_then_missing(
    public: PublicSettings, tmp_path: Path
) -> None:
    there, lost = uploaded(public, b"there", b"lost")
    told = make(public, tmp_path / "a.tar", with_blobs=False)
    assert (told["blobs"]["count"], told["holdsUploads"]) == (0, False)
    assert not verified(tmp_path / "a.tar")["holdsUploads"]
    lose(public, lost)
    back = put_back(tmp_path / "a.tar", public, replace=True)
    # A folder goes aside with the state directory that it was in.
    assert counts(back) == ((0, 0, 1) if public.s3_endpoint else (0, 0, 2))
    assert set(contents(public)) == ({there} if public.s3_endpoint else set())


def test_a_catalogue_that_names_what_is_not_in_the_archive_is_refused(tmp_path: Path) -> None:
    parts = members(tmp_path / "parts")
    sha256 = hashlib.sha256(b"bytes").digest()
    name_uploads(tmp_path / "parts/catalogue.db", sha256)
    parts["catalogue.db"] = (tmp_path / "parts/catalogue.db").read_bytes()
    written(tmp_path / "a.tar", {**parts, blob_name(sha256): b"bytes"})
    verified(tmp_path / "a.tar")
    written(tmp_path / "b.tar", parts)
    with pytest.raises(Refused, match="names 1 uploads that are not in it"):
        restored(tmp_path / "b.tar", tmp_path / "new", replace=False)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("where", ["folder", IN_S3])
def test_an_archive_of_the_first_form_is_taken_as_it_was_meant(where: str, tmp_path: Path) -> None:
    parts = members(tmp_path / "parts")
    name_uploads(tmp_path / "parts/catalogue.db", bytes(32))
    parts["catalogue.db"] = (tmp_path / "parts/catalogue.db").read_bytes()
    written(tmp_path / "a.tar", parts, {**ABOUT, "form": 1, "uploads": where})
    assert verified(tmp_path / "a.tar")["holdsUploads"] == (where == "folder")
    told = restored(tmp_path / "a.tar", tmp_path / "new", replace=False)
    assert told["uploadsMissing"] == (where == IN_S3)


def test_a_store_that_is_away_is_told_and_nothing_was_changed(tmp_path: Path, in_s3: PublicSettings) -> None:
    uploaded(in_s3, b"there")
    make(in_s3, tmp_path / "a.tar")
    away = in_s3.model_copy(update={"s3_endpoint": "http://127.0.0.1:1"})
    before = tree(away.state_path)
    with pytest.raises(Refused, match="blob store is not available"):
        make(away, tmp_path / "b.tar")
    with pytest.raises(Refused, match=r"cannot be restored: .*blob store is not available"):
        put_back(tmp_path / "a.tar", away, replace=True)
    assert tree(away.state_path) == before
    assert sorted(os.listdir(tmp_path)) == ["a.tar", "state"]


def test_no_upload_is_purged_while_it_is_backed_up(tmp_path: Path) -> None:
    with (
        state_dir.uploads_stay(tmp_path),
        state_dir.uploads_stay(tmp_path),
        pytest.raises(state_dir.Running, match="purge again"),
        state_dir.uploads_may_go(tmp_path),
    ):
        pass
    with state_dir.uploads_may_go(tmp_path):
        pass


# A store under which things change


class Odd(FolderStore):
    """Its blobs, and what becomes of them while they are read."""

    def __init__(self, folder: Path, *, sizes: int = 0, away: int = 0) -> None:
        super().__init__(folder)
        self.asked: list[int] = []
        self._size_bytes = sizes
        self._away = away

    def listed(self) -> Iterator[Listed]:
        for one in list(super().listed()):
            yield Listed(one.sha256, self._size_bytes or one.size_bytes, one.written_s)

    def read(self, sha256: bytes, offset: int, length: int) -> Iterator[bytes]:
        self.asked.append(offset)
        for piece in super().read(sha256, offset, length):
            yield piece
            if self._away:
                self._away -= 1
                raise StoreUnreachable


def added(store: BlobStore, named: Sequence[bytes], room_bytes: int = 2**40) -> tuple[bytes, list[str]]:
    """The archive, and what was told."""
    out, told = io.BytesIO(), list[str]()
    names = dict.fromkeys(named, b"\1" * 16)
    writer = Writer(out, ABOUT, 0.0)
    asyncio.run(add_uploads(writer, store, names, room_bytes=room_bytes, tell=told.append))
    writer.finish()
    return out.getvalue(), told


def test_a_store_that_comes_back_is_read_on_from_where_it_was(tmp_path: Path) -> None:
    store, content = Odd(tmp_path / "blobs", away=2), os.urandom(3 * MIB + 5)
    sha256 = put(store, content)
    archive, _ = added(store, [sha256])
    assert content in archive
    assert store.asked == [0, MIB, 2 * MIB]


def test_what_nobody_names_may_go_meanwhile_and_what_is_named_may_not(tmp_path: Path) -> None:
    class Emptied(Odd):
        def listed(self) -> Iterator[Listed]:
            found = list(super().listed())
            for one in found:
                assert self.remove(one)
            yield from found

    store = Emptied(tmp_path / "blobs")
    sha256 = put(store, b"going")
    added(store, [])
    put(store, b"going")
    with pytest.raises(Refused, match="not in the blob store"):
        added(store, [sha256])


def test_uploads_for_which_there_is_no_room_are_refused_before_one_is_read(tmp_path: Path) -> None:
    store = Odd(tmp_path / "blobs", sizes=2**40)
    sha256 = put(store, b"x")
    with pytest.raises(Refused, match=r"no room for 1 uploads of 1,099,511,627,776 bytes.* --without-blobs"):
        added(store, [sha256], room_bytes=2**40 - 1)
    assert store.asked == []


def test_much_is_said_beforehand(tmp_path: Path) -> None:
    store = Odd(tmp_path / "blobs", sizes=MUCH_BYTES + 1)
    sha256 = put(store, b"x")
    told: list[str] = []
    writer = Writer(io.BytesIO(), ABOUT, 0.0)
    with pytest.raises(Refused):  # it is not so long after all
        asyncio.run(add_uploads(writer, store, {sha256: b""}, room_bytes=2**50, tell=told.append))
    assert [sentence.partition(" go into")[0] for sentence in told] == ["1 uploads of 10,000,000,001 bytes"]


# Any uploads, any damage


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    given_contents=st.sets(st.binary(max_size=2000), max_size=6),
    there=st.sets(st.binary(max_size=20), max_size=4),
    data=st.data(),
)
def test_after_a_restore_the_store_holds_all_that_was_backed_up_and_all_that_it_had(
    given_contents: set[bytes], there: set[bytes], data: st.DataObject, quick: Path
) -> None:
    folder = quick / secrets.token_hex(8)
    source = PublicSettings(state_dir=filled(folder / "state", uploads=0))
    names = uploaded(source, *given_contents)
    make(source, folder / "a.tar")
    target = FolderStore(folder / "elsewhere")
    some = data.draw(st.sets(st.sampled_from(sorted(given_contents)), max_size=6)) if given_contents else set()
    for content in there | some:
        put(target, content)
    spoilt = data.draw(st.sets(st.sampled_from(sorted(some)), max_size=2)) if some else set()
    for content in spoilt:
        target.place(hashlib.sha256(content).digest()).write_bytes(data.draw(st.binary(max_size=2000)))

    told = restored(folder / "a.tar", folder / "new", replace=False, store=target)

    found = {one.sha256: target.place(one.sha256).read_bytes() for one in target.listed()}
    assert found == {hashlib.sha256(content).digest(): content for content in given_contents | there}
    assert told["uploadsWritten"] + told["uploadsPresent"] == len(names)
    assert truth(folder / "new") == {name: one for name, one in truth(source.state_path).items() if "blobs" not in name}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("archive")
    source = PublicSettings(state_dir=filled(folder / "state", uploads=0))
    uploaded(source, b"one", os.urandom(5000))
    make(source, folder / "a.tar")
    return (folder / "a.tar").read_bytes()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_archive_touches_neither_the_state_directory_nor_the_bucket(
    archive: bytes, data: st.DataObject, quick: Path
) -> None:
    content = bytearray(archive)
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    folder = quick / secrets.token_hex(8)
    state = folder / "state"
    state.mkdir(parents=True)
    (folder / "a.tar").write_bytes(content)
    (state / "config.yaml").write_text("mine")
    store = FolderStore(folder / "elsewhere")
    put(store, b"mine")
    before = tree(folder)
    try:
        restored(folder / "a.tar", state, replace=True, store=store)
    except Refused:
        assert tree(folder) == before


# Cut off


@pytest.mark.timeout(300)
def test_a_backup_from_s3_that_is_cut_off_anywhere_is_not_there(quickly_in_s3: PublicSettings, quick: Path) -> None:
    sha256, _ = uploaded(quickly_in_s3, b"one", b"")
    (quick / "out").mkdir()
    file, there = quick / "out/a.tar", []

    def check(killed: bool) -> None:
        there.append(file.exists())
        if file.exists():
            verified(file)
            file.unlink()

    assert at_every_step(lambda: make(quickly_in_s3, file), check, TO_A_SERVER) >= 4
    assert (there[0], there[-1]) == (False, True)
    assert contents(quickly_in_s3)[sha256] == b"one"


@pytest.mark.timeout(300)
def test_a_restore_into_s3_that_is_cut_off_anywhere_leaves_the_old_or_the_new_and_deletes_neither(
    quickly_in_s3: PublicSettings, s3_address: Address, quick: Path
) -> None:
    uploaded(quickly_in_s3, b"one", b"two")
    make(quickly_in_s3, quick / "a.tar")
    wanted, new = contents(quickly_in_s3), truth(quickly_in_s3.state_path)
    target = settings_of(filled(quick / "home/state", uploads=0), s3_address)
    (mine,) = uploaded(target, b"mine")
    home, old = target.state_path.parent, tree(target.state_path)
    outcomes: list[str] = []

    def check(killed: bool) -> None:
        found = contents(target)
        assert found[mine] == b"mine"
        assert all(hashlib.sha256(content).digest() == sha256 for sha256, content in found.items())
        places = {one.name: one for one in home.iterdir()}
        place = places.pop("state")
        if tree(place) == old:
            outcomes.append("old")
        else:
            outcomes.append("new")
            assert truth(place) == new
            assert wanted.items() <= found.items()
            (kept_old,) = [one for one in places.values() if tree(one) == old]
            place.rename(quick / f"restored-{len(outcomes)}")
            kept_old.rename(home / "state")
        for one in home.iterdir():  # what the test of this step leaves, for the next one
            if one.name != "state":
                one.rename(quick / f"left-{len(outcomes)}-{one.name}")
        for sha256 in wanted.keys() & found.keys():  # the next one begins as this one did
            lose(target, sha256)

    assert at_every_step(lambda: put_back(quick / "a.tar", target, replace=True), check, TO_A_SERVER) > 20
    assert (outcomes[0], outcomes[-1]) == ("old", "new")
    assert outcomes == sorted(outcomes, reverse=True)

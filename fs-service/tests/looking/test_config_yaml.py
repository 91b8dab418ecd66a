"""`config.yaml`: edited by hand and by the service, lost by neither."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from fs_service.domain.errors import ConfigBroken
from fs_service.store import config_yaml
from fs_service.store.config_yaml import ConfigFile
from ruamel.yaml.comments import CommentedMap

BY_HAND = """\
# my library
available_paths: [/home/me, /mnt]
known_paths:
  - /home/me/trailcam   # the one in the wood
server: {backend_host: 127.0.0.1, backend_port: 5000, trusted_hosts: [nas.local], video_preload_mb: 70}
mine: {kept: yes}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.yaml"


def test_without_a_file_there_are_no_roots_and_the_defaults_hold(path: Path) -> None:
    config = ConfigFile(path.parent)
    assert config.known_paths() == ()
    settings = config.settings()
    assert settings.video_preload_mb == 50
    assert settings.available_paths[-1] == b"/mnt"
    assert b"/proc" in settings.hidden_picker_paths
    assert settings.log_level == "INFO"
    assert not path.exists()


def test_a_hand_written_file_is_read(path: Path) -> None:
    path.write_text(BY_HAND)
    config = ConfigFile(path.parent)
    assert config.known_paths() == (b"/home/me/trailcam",)
    settings = config.settings()
    assert settings.available_paths == (b"/home/me", b"/mnt")
    assert (settings.video_preload_mb, settings.trusted_hosts) == (70, ("nas.local",))


def test_comments_and_unknown_keys_survive_a_rewrite(path: Path) -> None:
    path.write_text(BY_HAND)
    config = ConfigFile(path.parent)
    config.add_path(b"/a/b")
    config.set_video_preload_mb(90)
    text = path.read_text()
    for kept in ("# my library", "# the one in the wood", "mine: {kept: yes}", "backend_port: 5000", "nas.local"):
        assert kept in text
    assert config.known_paths() == (b"/a/b", b"/home/me/trailcam")
    assert config.settings().video_preload_mb == 90
    config.remove_path(b"/home/me/trailcam")
    assert config.known_paths() == (b"/a/b",)


def test_the_default_is_written_too_when_somebody_chose_it(path: Path) -> None:
    config = ConfigFile(path.parent)
    config.add_path(b"/a")
    config.set_video_preload_mb(50)
    assert "video_preload_mb: 50" in path.read_text()
    written = path.stat().st_ino
    config.set_video_preload_mb(50)
    assert path.stat().st_ino == written


def test_adding_again_and_removing_the_unknown_change_nothing(path: Path) -> None:
    path.write_text(BY_HAND)
    config = ConfigFile(path.parent)
    config.add_path(b"/home/me/trailcam")
    config.remove_path(b"/nowhere")
    assert path.read_text() == BY_HAND


@pytest.mark.parametrize("name", [b"/a/\xff\xfe", b"/a/new\nline", "/ä/ö".encode(), b"/a: b #c", b"/a/'\"\\"])
def test_any_directory_name_survives_the_file(path: Path, name: bytes) -> None:
    ConfigFile(path.parent).add_path(name)
    assert ConfigFile(path.parent).known_paths() == (name,)
    ConfigFile(path.parent).remove_path(name)
    assert ConfigFile(path.parent).known_paths() == ()


def test_an_edit_by_hand_is_seen_at_once(path: Path) -> None:
    config = ConfigFile(path.parent)
    for number in range(20):
        path.write_text(f"known_paths: [/r{number % 10}]\n")
        assert config.known_paths() == (b"/r%d" % (number % 10),)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("known_paths: [/a\nserver: {}\n", 2),
        ("a: 1\nknown_paths: 5\n", 2),
        ("\n\nknown_paths:\n  - /a\n  - relative\n", 5),
        ("known_paths:\n  - {a: b}\n", 2),
        ("known_paths:\n  - /x\n  - /\n", 3),
        ("known_paths:\n  - /proc/1\n", 2),
        ("x: 1\nserver:\n  video_preload_mb: many\n", 3),
        ("x: 1\nserver: 7\n", 2),
        ("server:\n  trusted_hosts: nas\n", 2),
        ("a: 1\na: 2\n", 2),
        ("a: 1\nb: \xff\n", 2),
        ("- a\n", 1),
        ("a: *nobody\n", 1),
    ],
)
def test_a_broken_file_is_reported_with_its_line_and_left_as_it_is(path: Path, text: str, line: int) -> None:
    path.write_bytes(text.encode("latin-1"))
    config = ConfigFile(path.parent)
    for use in (config.known_paths, config.settings, lambda: config.add_path(b"/b"), lambda: config.remove_path(b"/a")):
        with pytest.raises(ConfigBroken, match=f"line {line}:"):
            use()
    assert path.read_bytes() == text.encode("latin-1")
    path.write_text("known_paths: [/mended]\n")
    assert config.known_paths() == (b"/mended",)


def test_a_file_that_nobody_wrote_by_hand_is_refused_unparsed_and_kept(path: Path) -> None:
    text = "known_paths: [/a]\n#" + "x" * (1 << 20)
    path.write_text(text)
    config = ConfigFile(path.parent)
    for use in (config.known_paths, lambda: config.add_path(b"/b")):
        with pytest.raises(ConfigBroken, match="larger than"):
            use()
    assert path.read_text() == text


def test_a_broken_file_is_parsed_once_however_often_it_is_asked_for(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text("known_paths: 5\n")
    time.sleep(0.1)  # a file written just now is read again in any case
    parsed: list[bytes] = []
    parse = config_yaml._document

    def counted(text: bytes) -> CommentedMap:
        parsed.append(text)
        return parse(text)

    monkeypatch.setattr(config_yaml, "_document", counted)
    config = ConfigFile(path.parent)
    for _ in range(5):
        with pytest.raises(ConfigBroken, match="line 1:"):
            config.known_paths()
    assert len(parsed) == 1


@pytest.mark.parametrize("text", ["a: \0", "[" * 5000, "a: 2001-99-99", "a: !!int x", "a: !!binary =", "? ["])
def test_no_file_makes_anything_but_a_named_error(path: Path, text: str) -> None:
    path.write_text(text)
    with suppress(ConfigBroken):
        ConfigFile(path.parent).known_paths()
    assert path.read_text() == text


def test_two_writers_at_once_lose_no_path(path: Path) -> None:
    configs = [ConfigFile(path.parent) for _ in range(4)]

    def add(number: int) -> None:
        for step in range(10):
            configs[number].add_path(b"/r%d-%d" % (number, step))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ConfigFile(path.parent).known_paths()) == 40


def test_a_config_that_is_a_link_stays_one(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "dotfiles.yaml"
    target.write_text(BY_HAND)
    path.symlink_to(target)
    ConfigFile(path.parent).add_path(b"/b")
    assert path.is_symlink()
    assert "/b" in target.read_text()

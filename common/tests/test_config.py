"""Settings: what is wrong is said in a sentence, before anything starts."""

from __future__ import annotations

import os
import traceback
from pathlib import Path

import pytest
from media_common.config import PublicSettings, SettingsError, loaded, secrets_of
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("FRAMEWELL_") or name in ("NATS_URL", "QDRANT_URL") or name.startswith(("S3_", "GRPC_")):
            monkeypatch.delenv(name)


def test_nothing_has_to_be_set() -> None:
    settings = PublicSettings.load()
    assert (settings.host, settings.port, settings.auth) == ("127.0.0.1", 8080, "auto")
    assert settings.state_path == Path.home() / ".mediareviewer"


def test_an_unknown_setting_is_named_with_the_ones_that_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMEWELL_PROT", "8081")
    with pytest.raises(SettingsError, match=r"^Unknown setting FRAMEWELL_PROT\. Known are: .*FRAMEWELL_PORT.*\.$"):
        PublicSettings.load()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FRAMEWELL_PORT", "http"),
        ("FRAMEWELL_PORT", "0"),
        ("FRAMEWELL_PORT", "65536"),
        ("FRAMEWELL_AUTH", "off"),
        ("FRAMEWELL_RATE_LIMIT", "many"),
        ("FRAMEWELL_RATE_LIMIT", "0/hour"),
        ("FRAMEWELL_MAX_UPLOAD_BYTES", "-1"),
        ("FRAMEWELL_BLOB_TTL_S", "soon"),
        ("FRAMEWELL_LOG_LEVEL", "LOUD"),
        ("FRAMEWELL_LOG_FORMAT", "xml"),
        ("FRAMEWELL_HOST", ""),
        ("FRAMEWELL_STATE_DIR", "~nobody-of-this-name/state"),
    ],
)
def test_a_value_out_of_its_range_is_named_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=rf"^{name}='?{value}'? is not valid: .*\.$"):
        PublicSettings.load()


def test_a_wrong_rate_is_told_with_an_example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMEWELL_RATE_LIMIT", "10000 per hour")
    with pytest.raises(SettingsError) as error:
        PublicSettings.load()
    assert str(error.value) == (
        "FRAMEWELL_RATE_LIMIT='10000 per hour' is not valid: "
        "it must be a number and a unit, such as 10000/hour, 600/minute or 20/second."
    )


class Secrets(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="TEST_", populate_by_name=True)

    key: str = Field(default="", max_length=3, repr=False)
    other: str = Field(default="", max_length=3, repr=False, validation_alias="OTHER_SECRET")


@pytest.mark.parametrize("name", ["TEST_KEY", "OTHER_SECRET"])
def test_a_wrong_secret_is_named_and_not_shown(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "s3cret")
    with pytest.raises(SettingsError, match=rf"^{name} is not valid: .*\.$") as error:
        loaded(Secrets)
    assert "s3cret" not in "".join(traceback.format_exception(error.value))


SECRETS = {
    "FRAMEWELL_ADMIN_KEY": "admin_key",
    "GRPC_TOKEN": "grpc_token",
    "NATS_URL": "nats_url",
    "S3_ACCESS_KEY": "s3_access_key",
    "S3_SECRET_KEY": "s3_secret_key",
}


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_may_be_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    file = tmp_path / "secret"
    file.write_text("s3cret\n")
    monkeypatch.setenv(f"{name}_FILE", str(file))
    assert getattr(PublicSettings.load(), SECRETS[name]) == "s3cret"


def test_every_secret_of_the_public_settings_is_known_to_be_one() -> None:
    assert set(secrets_of(PublicSettings).values()) == SECRETS.keys()


def test_an_empty_name_of_a_file_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMEWELL_ADMIN_KEY_FILE", "")
    monkeypatch.setenv("FRAMEWELL_ADMIN_KEY", "given")
    assert PublicSettings.load().admin_key == "given"


def test_a_secret_in_a_file_and_in_the_environment_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("s3cret")
    monkeypatch.setenv("S3_SECRET_KEY_FILE", str(file))
    monkeypatch.setenv("S3_SECRET_KEY", "another")
    with pytest.raises(SettingsError, match=r"^S3_SECRET_KEY and S3_SECRET_KEY_FILE are both set") as error:
        PublicSettings.load()
    assert "another" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "cannot be read: No such file"), (b" \n", "is an empty file"), (b"\xff\xfe", "is no file of text")],
)
def test_a_file_of_a_secret_that_cannot_be_used_is_told_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, told: str
) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("FRAMEWELL_ADMIN_KEY_FILE", str(file))
    with pytest.raises(SettingsError, match=rf"^FRAMEWELL_ADMIN_KEY_FILE='.*' {told}.*\.$"):
        PublicSettings.load()


def test_a_wrong_secret_in_a_file_is_named_by_the_file_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    file.write_text("s3cret")
    monkeypatch.setenv("TEST_KEY_FILE", str(file))
    with pytest.raises(SettingsError, match=r"^TEST_KEY_FILE is not valid: .*\.$") as error:
        loaded(Secrets)
    assert "s3cret" not in "".join(traceback.format_exception(error.value))


def test_what_is_no_secret_is_not_read_from_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMEWELL_PORT_FILE", "/dev/null")
    with pytest.raises(SettingsError, match=r"^Unknown setting FRAMEWELL_PORT_FILE\."):
        PublicSettings.load()


@pytest.mark.parametrize("name", ["FRAMEWELL_ADMIN_KEY", "S3_SECRET_KEY"])
def test_settings_that_are_printed_hold_no_secret(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "s3cret")
    assert "s3cret" not in repr(PublicSettings.load())


def test_the_addresses_of_outside_parts_have_their_usual_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NATS_URL", "nats://queue:4222")
    assert PublicSettings.load().nats_url == "nats://queue:4222"


@pytest.mark.parametrize("name", ["FRAMEWELL_NATS_URL", "FRAMEWELL_QDRANT_URL", "FRAMEWELL_S3_ENDPOINT"])
def test_an_outside_address_under_a_name_that_nobody_reads_is_an_unknown_setting(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "nats://queue:4222")
    with pytest.raises(SettingsError, match=rf"^Unknown setting {name}\."):
        PublicSettings.load()


@pytest.mark.parametrize("name", ["FRAMEWELL_URL", "FRAMEWELL_KEY", "FRAMEWELL_KEY_FILE"])
def test_what_the_client_reads_does_not_stop_a_service(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "x")
    PublicSettings.load()


def test_the_state_directory_is_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FRAMEWELL_STATE_DIR", "here/../state")
    assert PublicSettings.load().state_path == tmp_path / "state"

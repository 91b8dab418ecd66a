"""Secrets that are made at first start and kept in the state directory, each in a file for its owner alone."""

from __future__ import annotations

import logging
import os
import secrets
import stat
from pathlib import Path
from typing import Final

from media_common.config import SettingsError

logger = logging.getLogger(__name__)

SIGNING_KEY_FILE: Final = "blob.key"


def kept_secret(file: Path, spoken: str, prefix: str = "") -> str:
    """What the file says; a new random secret is written to it first when there is no file.

    Args:
        spoken: what a sentence calls it.
    Raises:
        SettingsError: the file is there and cannot be used.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not file.exists():
            _make(file, prefix)
            logger.warning("made %s; it is in %s", spoken, file)
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            logger.warning("%s can be read by others; its mode should be 600", file)
        secret = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"The file {file} of {spoken} cannot be used: {error}.") from error
    if not secret:
        raise SettingsError(f"The file {file} of {spoken} is empty; remove the file and a new one is made.")
    return secret


def _make(file: Path, prefix: str) -> None:
    """Write a new secret whole or not at all; one that somebody else made in the meantime stays."""
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as out:
            out.write(f"{prefix}{secrets.token_urlsafe(32)}\n")
            out.flush()
            os.fsync(out.fileno())
        try:
            os.link(temporary, file)
        except FileExistsError:
            return
    finally:
        temporary.unlink()

"""Which encoder is wanted, and how the encoder of any space is loaded again: a small file in the state directory.

The file outlives the process, so that after a restart with another setting the old model goes on answering until the
new one covers everything. What answers is not in it: that is an alias in the vector store.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from media_common.errors import InvalidArgument

from search_service.domain.errors import EncoderUnavailable, StoreUnavailable
from search_service.encoders.kept import KeptEncoder
from search_service.encoders.port import Encoder, Load

logger = logging.getLogger(__name__)

Candidates: TypeAlias = Callable[[str], Sequence[tuple[str, Load]]]

OFF: Final = "off"
_SETTING: Final = re.compile(r"auto|offline|open_clip:[^/]+/.+")


class Choosing:
    def __init__(self, configured: str, candidates: Candidates, file: Path | None = None) -> None:
        """
        Args:
            configured: the setting. It decides when it is not what it was at the last start, else what was wanted
                since then does; `off` always decides.
            candidates: what can be loaded for a setting, in order of preference.
            file: where it is kept; None: nowhere.
        """
        self._candidates = candidates
        self._file = file
        self.wanted = configured
        self._configured = configured
        self._settings: dict[str, str] = {}  # by space
        if file is not None:
            self._read(file)

    def kept(self, setting: str, only: str = "") -> KeptEncoder:
        """The encoder of a setting, not loaded yet.

        Args:
            only: a space; what has another one is refused.
        """
        return KeptEncoder(
            [(called, _only(load, only) if only else load) for called, load in self._candidates(setting)]
        )

    def want(self, setting: str) -> None:
        self.wanted = setting
        self._write()

    @property
    def spaces(self) -> list[str]:
        """Of which there may be vectors."""
        return list(self._settings)

    def setting_of(self, space: str) -> str:
        """How its encoder is loaded; empty when nobody knows any more."""
        return self._settings.get(space, "")

    def is_another(self, space: str) -> bool:
        """Whether its encoder is surely not the wanted one: then that need not be loaded to answer."""
        known = self.setting_of(space)
        return known != "" and known != self.wanted and self.wanted != "auto"

    def remember(self, space: str, setting: str) -> None:
        """Before the first vector is written, so that all of them can be found and removed."""
        if self._settings.get(space) != setting:
            self._settings[space] = setting
            self._write()

    def forget(self, space: str) -> None:
        if self._settings.pop(space, None) is not None:
            self._write()

    def _read(self, file: Path) -> None:
        try:
            told = json.loads(file.read_text())
            self._settings = {str(space): str(setting) for space, setting in told["spaces"].items()}
            if told["configured"] != self._configured:
                self._write()
            elif self._configured != OFF:
                self.wanted = str(told["wanted"])
        except FileNotFoundError:
            pass
        except StoreUnavailable as error:
            logger.warning(error.message)
        except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
            # What answers is still known; only a model that is not the wanted one cannot be loaded again.
            logger.warning("%s cannot be read (%s): it is written anew", file, error)

    def _write(self) -> None:
        if self._file is None:
            return
        told = {"configured": self._configured, "wanted": self.wanted, "spaces": self._settings}
        fresh = self._file.with_suffix(".new")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with open(fresh, "w") as file:
                json.dump(told, file, indent=2)
                file.flush()
                os.fsync(file.fileno())
            os.replace(fresh, self._file)
        except OSError as error:
            raise StoreUnavailable(f"{self._file} cannot be written: {error.strerror}.") from error


def checked_setting(name: str) -> str:
    """`name`, when it is one that can be switched to.

    Raises:
        InvalidArgument: it is not.
    """
    if not _SETTING.fullmatch(name):
        raise InvalidArgument("An encoder is auto, offline or open_clip:<model>/<weights>.")
    return name


def _only(load: Load, space: str) -> Load:
    def loaded() -> Encoder:
        encoder = load()
        if encoder.space != space:
            raise EncoderUnavailable(
                f"{encoder.model} is not what it was: its vectors cannot be compared with the old."
            )
        return encoder

    return loaded

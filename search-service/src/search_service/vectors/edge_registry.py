"""What collections of vectors there are, where each is on the disk and what the aliases mean."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from search_service.domain.errors import NoSuchVectors, StoreUnavailable


class Registry:
    """`collections.json` in a folder, beside `shards/`. What it says changes with `write`, on the disk first."""

    def __init__(self, folder: Path) -> None:
        """
        Raises:
            OSError: the folder cannot be used.
            StoreUnavailable: the file is damaged.
        """
        self._file = folder / "collections.json"
        self._shards = folder / "shards"
        self._shards.mkdir(parents=True, exist_ok=True)
        facts = self._read()
        self.dimensions: Mapping[str, int] = facts.get("dimensions", {})
        self.aliases: Mapping[str, str] = facts.get("aliases", {})
        #: The folder of a collection, where it is not called by its name.
        self.places: Mapping[str, str] = facts.get("places", {})
        self._drop_unlisted()

    def place(self, name: str) -> Path:
        return self._shards / self.places.get(name, name)

    def meant(self, name: str) -> str:
        """The collection of this name or alias.

        Raises:
            NoSuchVectors: there is none.
        """
        meant = self.aliases.get(name, name)
        if meant not in self.dimensions:
            raise NoSuchVectors(f"There are no vectors of {name}.")
        return meant

    def write(
        self,
        dimensions: Mapping[str, int] | None = None,
        aliases: Mapping[str, str] | None = None,
        places: Mapping[str, str] | None = None,
    ) -> None:
        """Keep these from now on.

        Raises:
            OSError: nothing has changed.
        """
        dimensions = self.dimensions if dimensions is None else dimensions
        aliases = self.aliases if aliases is None else aliases
        places = self.places if places is None else places
        fresh = self._file.with_suffix(".new")
        with open(fresh, "w") as file:
            file.write(json.dumps({"dimensions": dimensions, "aliases": aliases, "places": places}, indent=2))
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, self._file)
        self.dimensions, self.aliases, self.places = dimensions, aliases, places

    def _read(self) -> dict[str, Any]:
        try:
            facts: dict[str, Any] = json.loads(self._file.read_text())
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise StoreUnavailable(f"{self._file} is damaged: {error}.") from error
        return facts

    def _drop_unlisted(self) -> None:
        listed = {self.place(name) for name in self.dimensions}
        for place in self._shards.iterdir():
            if place not in listed:
                shutil.rmtree(place, ignore_errors=True)

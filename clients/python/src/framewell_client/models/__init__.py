"""What the server answers, a module a dialect. Keys that a model does not know are ignored, so that a newer server
breaks nothing; names are Python's, and the one in the JSON stands beside it where it differs by more than its case."""

from __future__ import annotations

from typing import dataclass_transform

from msgspec import Struct, field


# Said once here and inherited, as msgspec does; type checkers inherit only what this decorator says.
@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class Model(Struct, frozen=True, rename="camel"):
    """A part of an answer; equal when its fields are."""

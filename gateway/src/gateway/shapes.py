"""JSON schemas from examples: the example is written once, and what it says of types and names is held to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

Schema = dict[str, Any]

_NAMES: Final[tuple[tuple[type, str], ...]] = ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"))


@dataclass(frozen=True, slots=True)
class Loose:
    """What one example cannot say, by the names of fields, wherever they stand; names parted by spaces.

    Attributes:
        nullable: may be null.
        optional: may be missing.
        maps: objects whose names are data; the values are all alike.
    """

    nullable: str = ""
    optional: str = ""
    maps: str = ""


def shape_of(examples: Sequence[Any], loose: Loose) -> Schema:
    """What each of the examples fits, and what has their types and names.

    A null in an example says nothing of the field's type, and an empty list nothing of its entries'.
    """
    shapes: list[Schema] = []
    for example in examples:
        shape = _shape(example, loose)
        if shape not in shapes:
            shapes.append(shape)
    if not shapes or {} in shapes:
        return {}
    return shapes[0] if len(shapes) == 1 else {"anyOf": shapes}


def _shape(example: Any, loose: Loose) -> Schema:
    if isinstance(example, dict):
        return _object(example, loose)
    if isinstance(example, list | tuple):
        entries = shape_of(example, loose)
        return {"type": "array", "items": entries} if entries else {"type": "array"}
    return next(({"type": word} for kind, word in _NAMES if isinstance(example, kind)), {})


def _object(example: dict[str, Any], loose: Loose) -> Schema:
    properties = {name: _field(name, value, loose) for name, value in example.items()}
    optional = loose.optional.split()
    shape: Schema = {"type": "object", "properties": properties}
    if required := [name for name in example if name not in optional]:
        shape["required"] = required
    return shape


def _field(name: str, value: Any, loose: Loose) -> Schema:
    if name in loose.maps.split() and isinstance(value, dict):
        shape: Schema = {"type": "object", "additionalProperties": shape_of(list(value.values()), loose)}
    else:
        shape = _shape(value, loose)
    if shape and name in loose.nullable.split():
        return {"anyOf": [shape, {"type": "null"}]}
    return shape

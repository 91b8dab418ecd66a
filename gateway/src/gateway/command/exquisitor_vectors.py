"""The vectors of a collection of Exquisitor: a matrix in a file, and which row is whose."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gateway.command.exquisitor_file import Collection, Unreadable

#: The tagset whose values are row numbers, from 0.
INDEX_TAGSET: Final = "CLIP Index ID"
#: Rows of one message: half a megabyte at 512 numbers each.
ROWS: Final = 256

#: What the readers of files raise at one that is broken.
_UNREADABLE: Final = (OSError, ValueError, TypeError, LookupError, RuntimeError, EOFError)

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Vectors:
    """A table that has been gone through: every row that an item has is there, finite and not zero."""

    matrix: Any  # an array, or what reads like one: of `.npy` and zarr alike
    rows: Sequence[tuple[int, int]]  # item, row

    @property
    def dimensions(self) -> int:
        return int(self.matrix.shape[1])

    def batches(self) -> Iterator[tuple[list[int], Matrix]]:
        """Items and their vectors, of unit length."""
        for first in range(0, len(self.rows), ROWS):
            some = self.rows[first : first + ROWS]
            taken = _taken(self.matrix, [row for _, row in some])
            scaled = taken / np.abs(taken).max(axis=1, keepdims=True)  # no square of it is too large or too small
            yield [item_id for item_id, _ in some], scaled / np.linalg.norm(scaled, axis=1, keepdims=True)


def vectors_of(collection: Collection, file: Path) -> Vectors:
    """
    Raises:
        Unreadable: the file holds no vectors, or they do not fit the collection.
    """
    matrix = _opened(file)
    if len(matrix.shape) != 2 or np.dtype(matrix.dtype).kind != "f" or not matrix.shape[1]:
        raise Unreadable(f"{file} holds no vectors: it must be a table of floating-point numbers, a row a vector.")
    rows = _rows(collection)
    for item_id, row in rows:
        if not 0 <= row < matrix.shape[0]:
            raise Unreadable(f"The media {item_id} has the {INDEX_TAGSET} {row}; {file} has {matrix.shape[0]} rows.")
    for first in range(0, len(rows), ROWS):
        some = rows[first : first + ROWS]
        taken = _taken(matrix, [row for _, row in some])
        sound = np.isfinite(taken).all(axis=1) & taken.any(axis=1)
        if not sound.all():
            raise Unreadable(f"The row {some[int(np.argmin(sound))][1]} of {file} is no vector.")
    return Vectors(matrix, rows)


def _opened(file: Path) -> Any:
    if not file.exists():
        raise Unreadable(f"There is no file {file}.")
    if file.is_file() and file.suffix == ".npy":
        try:
            return np.load(file, mmap_mode="r", allow_pickle=False)
        except _UNREADABLE as error:
            raise Unreadable(f"{file} cannot be read: it is no array of NumPy.") from error
    if file.is_dir():
        return _zarr(file)
    raise Unreadable(f"{file} holds no vectors that can be read: neither .npy nor a folder of zarr.")


def _zarr(file: Path) -> Any:
    import zarr  # half a second, for who imports vectors

    try:
        found = zarr.open(str(file), mode="r")
        if not isinstance(found, zarr.Group):
            return found
        arrays = [array for _, array in found.arrays() if len(array.shape) == 2]
    except _UNREADABLE as error:
        raise Unreadable(f"{file} cannot be read: it is no array of zarr.") from error
    if len(arrays) != 1:
        raise Unreadable(f"{file} holds {len(arrays)} tables; it must be one.")
    return arrays[0]


def _rows(collection: Collection) -> list[tuple[int, int]]:
    """The row of every item that has one, by row: a file is read from its beginning to its end."""
    tagset = next((one for one in collection.tagsets if one.name.strip().casefold() == INDEX_TAGSET.casefold()), None)
    if tagset is None:
        raise Unreadable(f"There is no tagset '{INDEX_TAGSET}', which would tell whose the vectors are.")
    values: dict[int, Any] = {}
    for table in collection.value_tables:
        statement = f"SELECT id, value FROM {table} WHERE tagset_id = ?"  # noqa: S608 - a name of our own
        values |= dict(collection.connection.execute(statement, (tagset.id,)))
    rows: dict[int, int] = {}
    for item_id, tag_id in collection.connection.execute(
        "SELECT DISTINCT media_id, tag_id FROM taggings JOIN tags ON tags.id = tag_id WHERE tagset_id = ? "
        "AND media_id NOT IN (SELECT group_id FROM medias WHERE group_id IS NOT NULL)",
        (tagset.id,),
    ):
        if item_id in rows:
            raise Unreadable(f"The media {item_id} has more than one {INDEX_TAGSET}.")
        rows[item_id] = _row(item_id, values[tag_id])
    if not rows:
        raise Unreadable(f"No media has a {INDEX_TAGSET}.")
    return sorted(rows.items(), key=lambda pair: (pair[1], pair[0]))


def _row(item_id: int, value: Any) -> int:
    text = str(value).strip()
    if isinstance(value, float) or not text.isdecimal() or not text.isascii() or len(text) > 18:
        raise Unreadable(f"The {INDEX_TAGSET} of the media {item_id}, {value!r}, is no row number.")
    return int(text)


def _taken(matrix: Any, rows: Sequence[int]) -> Matrix:
    """Rows in ascending order. Read from the first to the last at once where they lie close together.

    Raises:
        Unreadable: a part of the file is broken.
    """
    first, last = rows[0], rows[-1]
    try:
        if last - first < 4 * len(rows):
            block = np.asarray(matrix[first : last + 1], dtype=np.float64)
            return block[[row - first for row in rows]]
        return np.stack([np.asarray(matrix[row], dtype=np.float64) for row in rows])
    except _UNREADABLE as error:
        raise Unreadable(f"The rows {first} to {last} of the vectors cannot be read.") from error

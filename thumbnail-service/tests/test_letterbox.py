"""The geometry of a thumbnail, as properties."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from thumbnail_service.domain.letterbox import corner, fit

sides = st.integers(1, 100_000)
boxes = st.integers(1, 1024)


@given(sides, sides, boxes)
def test_the_picture_is_inside_the_box_and_never_enlarged(width: int, height: int, box: int) -> None:
    shown = fit(width, height, box)
    assert 1 <= shown[0] <= min(width, box)
    assert 1 <= shown[1] <= min(height, box)


@given(sides, sides, boxes)
def test_the_aspect_is_kept_within_a_pixel(width: int, height: int, box: int) -> None:
    scale = min(1, box / width, box / height)
    shown = fit(width, height, box)
    assert abs(shown[0] - width * scale) <= 1
    assert abs(shown[1] - height * scale) <= 1


@given(sides, sides, boxes)
def test_a_picture_larger_than_the_box_touches_two_of_its_edges(width: int, height: int, box: int) -> None:
    if max(width, height) >= box:
        assert max(fit(width, height, box)) == box


@given(sides, sides, boxes)
def test_the_picture_is_in_the_middle(width: int, height: int, box: int) -> None:
    shown = fit(width, height, box)
    left, top = corner(*shown, box)
    assert 0 <= box - shown[0] - 2 * left <= 1
    assert 0 <= box - shown[1] - 2 * top <= 1

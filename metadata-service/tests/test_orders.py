"""A page of an order, however it is come by, is the slice of the whole."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from metadata_service.store import orders
from metadata_service.store.orders import Order
from pyroaring import BitMap


@given(
    order=st.permutations(range(60)),
    members=st.sets(st.integers(0, 59)),
    wanted=st.sets(st.integers(0, 59)),
    window=st.tuples(st.integers(0, 70), st.integers(1, 70)),
    descending=st.booleans(),
    near=st.sampled_from([0, 3, 1000]),
    sparse=st.sampled_from([1, 4]),
    block=st.sampled_from([1, 7, 100]),
)
def test_a_page_is_a_slice_of_what_is_wanted_in_order(
    order: list[int],
    members: set[int],
    wanted: set[int],
    window: tuple[int, int],
    descending: bool,
    near: int,
    sparse: int,
    block: int,
) -> None:
    positions = np.array([one for one in order if one in members], dtype=np.uint32)
    wanted &= members
    if not wanted:
        return
    there = Order(1, positions, BitMap(positions))
    whole = [one for one in (reversed(positions.tolist()) if descending else positions.tolist()) if one in wanted]
    offset, limit = window

    with patch.multiple(orders, NEAR=near, SPARSE=sparse):
        page = there.page(BitMap(wanted), offset, limit, descending, block)

    assert page == whole[offset : offset + limit]


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("share", [2, 7, 50, 500])
@pytest.mark.parametrize("together", [True, False])
def test_of_a_large_order_too(share: int, descending: bool, together: bool) -> None:
    """With the limits as they are: what is wanted lies all over the order, or all at its middle."""
    positions = np.random.default_rng(share).permutation(50_000).astype(np.uint32)
    there = Order(1, positions, BitMap(positions))
    count = len(positions) // share
    chosen = positions[20_000 : 20_000 + count] if together else positions[::share]
    among = set(chosen.tolist())
    whole = [one for one in (positions[::-1] if descending else positions).tolist() if one in among]
    for offset, limit in ((0, 20), (50, 100), (count // 2, 20), (count - 3, 20), (0, count), (count, 20)):
        page = there.page(BitMap(chosen), offset, limit, descending, 1 << 15)
        assert page == whole[offset : offset + limit]

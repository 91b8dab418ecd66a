"""When a file is from: the one rule for counts, listings and searches."""

from __future__ import annotations

import time
from datetime import date
from typing import Final

DAY_US: Final = 86_400_000_000
_EPOCH: Final = date(1970, 1, 1).toordinal()
#: What can be written as a date; beyond it clocks are wrong anyway.
FIRST_US: Final = (date.min.toordinal() - _EPOCH) * DAY_US
LAST_US: Final = (date.max.toordinal() - _EPOCH + 1) * DAY_US - 1


def dated_us(taken_us: int | None, modified_us: int) -> int:
    """On the file's own clock as if that were UTC: as the camera wrote it, else when the file was modified, on this
    machine's clock (`TZ`). Between the years 1 and 9999."""
    if taken_us is None:
        try:
            ahead_s = time.localtime(modified_us // 1_000_000).tm_gmtoff
        except (OverflowError, OSError, ValueError):  # a year that the calendar of the system does not have
            ahead_s = 0
        taken_us = modified_us + ahead_s * 1_000_000
    return min(max(taken_us, FIRST_US), LAST_US)

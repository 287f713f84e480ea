"""The slots of a calendar on the wall clock, as tables: look-ups in them take whole arrays to positions and back."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from forecaster.errors import DataError
from pipelines.clock.zone import DAY, HOUR, Times

FIRST_DAY, LAST_DAY = (int(np.datetime64(day, "D").astype(np.int64)) for day in ("1700-01-01", "2201-01-01"))


@dataclass(frozen=True, eq=False)
class Slots:
    """The slots of a calendar: its days (or hours) on the wall clock, in units since 1700, ascending."""

    unit: int  # nanoseconds
    begins: Times

    @cached_property
    def _rows(self) -> NDArray[np.int32]:
        marks = np.zeros((LAST_DAY - FIRST_DAY) * (DAY // self.unit), dtype=np.int32)
        marks[self.begins] = 1
        return np.cumsum(marks, dtype=np.int32) - np.int32(1)

    def split(self, wall: Times) -> tuple[Times, Times]:
        """The last slot at or before each wall time, and the nanoseconds since it began."""
        unit = wall // self.unit - FIRST_DAY * (DAY // self.unit)
        if unit.size and (unit.min() < self.begins[0] or unit.max() >= len(self._rows)):
            raise beyond()
        row = self._rows[unit].astype(np.int64)
        return row, wall - self.wall(row)

    def wall(self, row: Times) -> Times:
        """The wall time at which each slot begins."""
        if row.size and (row.min() < 0 or row.max() >= len(self.begins)):
            raise beyond()
        return (self.begins[row] + FIRST_DAY * (DAY // self.unit)) * self.unit


@lru_cache(maxsize=64)
def slots_of(base: str) -> Slots:
    """The slots of a calendar frequency without its multiple: its days, or its hours of business."""
    if base == "bh":  # nine to five on business days, as pandas has it
        return Slots(HOUR, np.add.outer(slots_of("B").begins * 24, np.arange(9, 17)).ravel())
    days = np.arange(FIRST_DAY, LAST_DAY)
    weekdays = {"D": "Mon Tue Wed Thu Fri Sat Sun", "B": "Mon Tue Wed Thu Fri"}.get(base)
    if weekdays is None and base.startswith("W-"):
        weekdays = base[2:].title()
    if weekdays is not None:
        days = days[np.is_busday(days.astype("datetime64[D]"), weekmask=weekdays)]
    else:
        named = pd.date_range("1699-01-01", "2201-12-31", freq=base, unit="s").to_numpy()
        days = named.astype("datetime64[D]").astype(np.int64)
        days = days[(days >= FIRST_DAY) & (days < LAST_DAY)]
    return Slots(DAY, days - FIRST_DAY)


def beyond() -> DataError:
    """What is raised for a time that no calendar here reaches."""
    return DataError("a time outside the years 1700 to 2200", remedy="check the stamps, or take fewer steps")

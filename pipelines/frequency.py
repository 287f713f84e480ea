"""The regular grids on which series live: every pandas frequency, or the integer step.

Ticks are fixed durations in UTC. All else (days, weeks, months, business days ...) steps on the wall clock: a
grid is a table of its days (or business hours), and positions are look-ups in it, for whole arrays.
"""

import re
import warnings
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.tseries import offsets as pandas_offsets
from pandas.tseries.frequencies import to_offset

from forecaster.errors import DataError
from pipelines.zone import DAY, SECOND, Times, local, stamp, utc, zone_info

MINUTE, HOUR = 60 * SECOND, 3600 * SECOND
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_TICKS = {"h": HOUR, "min": MINUTE, "s": SECOND, "ms": 10**6, "us": 10**3, "ns": 1}
_TICK_TYPES = tuple(getattr(pandas_offsets, name) for name in ("Hour", "Minute", "Second", "Milli", "Micro", "Nano"))
FIRST_DAY, LAST_DAY = (int(np.datetime64(day, "D").astype(np.int64)) for day in ("1700-01-01", "2201-01-01"))
# fmt: off
# Names that pandas has given up or is about to, and names that without a list of holidays mean the same.
_RENAMED = {
    "H": "h", "T": "min", "MIN": "min", "S": "s", "L": "ms", "U": "us", "N": "ns", "BH": "bh", "CBH": "bh",
    "cbh": "bh", "d": "D", "w": "W", "b": "B", "c": "B", "C": "B", "M": "ME", "Q": "QE", "Y": "YE", "A": "YE",
    "AS": "YS", "BM": "BME", "BQ": "BQE", "BY": "BYE", "BA": "BYE", "BAS": "BYS", "SM": "SME",
    "CBM": "BME", "CBME": "BME", "CBMS": "BMS",
}
# How many steps of a calendar make a season: business hours a day and a week, days a week, weeks a year ...
_SEASONS: dict[str, tuple[int, ...]] = {
    "bh": (8, 40), "D": (7,), "B": (5,), "W-.*": (52,), "SM[SE].*": (24,), "B?M[SE]|L?WOM.*": (12,),
    "(B?Q|REQ).*": (4,), ".*": (1,),
}
# fmt: on


@dataclass(frozen=True)
class Frequency:
    """A pandas frequency ('h', '30min', 'MS', '2W-WED' ...) by its canonical name, or the integer 'step'.

    Times are int64: UTC nanoseconds where the zone is known, wall-clock nanoseconds where it is None, the
    integer itself for 'step'. A grid has the phase of its start: hours at half past, days at 06:00.

    >>> Frequency.parse("60T").name, Frequency.parse("QS-OCT").name, Frequency.parse("M").season
    ('h', 'QS-JAN', (12,))
    """

    name: str

    @classmethod
    def parse(cls, name: str) -> "Frequency":
        """The frequency of a pandas alias, deprecated ones included; DataError if pandas does not know it."""
        return cls(_canonical(name))

    @cached_property
    def is_step(self) -> bool:
        """Whether times are integers that count steps."""
        return self.name == "step"

    @cached_property
    def width(self) -> int:
        """The duration of a step in nanoseconds where it is fixed, else 0."""
        return self.multiple * _TICKS.get(self.base, 0)

    @cached_property
    def is_fixed(self) -> bool:
        """Whether a step is a fixed duration in UTC; if not, it follows the calendar on the wall."""
        return self.width > 0

    @cached_property
    def season(self) -> tuple[int, ...]:
        """The usual season lengths in steps, shortest first; (1,) where there is none."""
        if self.is_fixed:
            cycles: tuple[int, ...] = (
                (DAY, 7 * DAY) if self.width >= MINUTE else (HOUR, DAY) if self.width >= SECOND else ()
            )
            counts = [cycle // self.width for cycle in cycles if cycle % self.width == 0]
        elif self.name == "7D":
            counts = [52]
        else:
            cycles = next(season for kind, season in _SEASONS.items() if re.fullmatch(kind, self.base))
            counts = [cycle // self.multiple for cycle in cycles if cycle % self.multiple == 0]
        return tuple(count for count in counts if count > 1) or (1,)

    def locate(
        self, times: Times, start: Times, zone: str | None, series: NDArray[np.integer] | None = None
    ) -> tuple[Times, NDArray[np.bool_]]:
        """How many steps after `start` each time comes, and whether it is on that grid at all.

        `start` broadcasts to `times`, or holds one per series, and `series` the number of that of each time.
        """
        of = slice(None) if series is None else series
        if self.is_step:
            steps = times - start[of]
            return steps, np.ones(steps.shape, dtype=bool)
        if self.is_fixed:
            start = start[of]
            # Not (times - start) // width: a difference of 500 years does not fit into 64 bits.
            return times // self.width - start // self.width, times % self.width == start % self.width
        grid = _grid(self.base)
        origin, phase = (part[of] for part in grid.split(_opening(start, zone)))
        wall = local(times, zone)
        row, since = grid.split(wall - phase)
        steps, rest = np.divmod(row - origin, self.multiple)
        late = np.flatnonzero(since)  # clocks may have left out the very time at which a step begins
        begins = since == 0
        begins[late] = utc((wall - since)[late], zone)[0] == times[late]
        return steps, begins & (rest == 0) & (phase < grid.unit)

    def index(self, times: Times, start: Times, zone: str | None) -> Times:
        """How many steps after `start` (broadcast) each time comes; DataError names a time off the grid."""
        steps, on_grid = self.locate(times, start, zone)
        if not on_grid.all():
            time = int(np.broadcast_to(times, on_grid.shape)[~on_grid][0])
            raise DataError(f"off the {self.name!r} grid", place=f"ds {self.text(time, zone)}")
        return steps

    def advance(self, start: Times, steps: Times, zone: str | None) -> Times:
        """The time `steps` after `start` (broadcast), exactly; DataError beyond the years 1700 to 2200."""
        if self.is_step:
            return start + steps
        if self.is_fixed:
            reach = start.astype(np.float64) + steps.astype(np.float64) * self.width
            if reach.size and (reach.min() < FIRST_DAY * DAY or reach.max() >= LAST_DAY * DAY):
                raise _beyond()
            return start + steps * self.width
        grid = _grid(self.base)
        origin, phase = grid.split(_opening(start, zone))
        return utc(grid.wall(origin + steps * self.multiple) + phase, zone)[0]

    def stamps(self, times: Times, zone: str | None) -> pd.DatetimeIndex | Times:
        """Times as a table shows them: in their zone where it is known, integers for 'step'."""
        if self.is_step:
            return times
        index = pd.DatetimeIndex(times.view("datetime64[ns]"))
        return index if zone is None else index.tz_localize("UTC").tz_convert(zone_info(zone))

    def text(self, time: int, zone: str | None) -> str:
        """A time on this grid as people write it."""
        return str(time) if self.is_step else stamp(time, zone)

    @cached_property
    def multiple(self) -> int:
        """How many of `base` make a step."""
        return int(self.name.removesuffix(self.base) or 1)

    @cached_property
    def base(self) -> str:
        """The alias without its multiple: 'W-WED' of '2W-WED'."""
        return self.name.lstrip("0123456789")


@dataclass(frozen=True, eq=False)
class _Grid:
    """The slots of a calendar: its days (or hours) on the wall clock, in units since 1700, ascending."""

    unit: int  # nanoseconds
    slots: Times

    @cached_property
    def _rows(self) -> NDArray[np.int32]:
        marks = np.zeros((LAST_DAY - FIRST_DAY) * (DAY // self.unit), dtype=np.int32)
        marks[self.slots] = 1
        return np.cumsum(marks, dtype=np.int32) - np.int32(1)

    def split(self, wall: Times) -> tuple[Times, Times]:
        """The last slot at or before each wall time, and the nanoseconds since it began."""
        unit = wall // self.unit - FIRST_DAY * (DAY // self.unit)
        if unit.size and (unit.min() < self.slots[0] or unit.max() >= len(self._rows)):
            raise _beyond()
        row = self._rows[unit].astype(np.int64)
        return row, wall - self.wall(row)

    def wall(self, row: Times) -> Times:
        """The wall time at which each slot begins."""
        if row.size and (row.min() < 0 or row.max() >= len(self.slots)):
            raise _beyond()
        return (self.slots[row] + FIRST_DAY * (DAY // self.unit)) * self.unit


@lru_cache(maxsize=64)
def _grid(base: str) -> _Grid:
    if base == "bh":  # nine to five on business days, as pandas has it
        return _Grid(HOUR, np.add.outer(_grid("B").slots * 24, np.arange(9, 17)).ravel())
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
    return _Grid(DAY, days - FIRST_DAY)


def _opening(start: Times, zone: str | None) -> Times:
    """The wall time that a start means: midnight too, where clocks leave it out and the day begins later."""
    wall = local(start, zone)
    before = np.minimum(wall, local(start - 1, zone) + 1)
    return np.where(before % DAY == 0, before, wall)


def _beyond() -> DataError:
    return DataError("a time outside the years 1700 to 2200", remedy="check the stamps, or take fewer steps")


def _unknown(name: str) -> DataError:
    return DataError(f"unknown frequency {name!r}", remedy="use one of pandas: h, 30min, D, B, W-SUN, MS")


@lru_cache(maxsize=1024)
def _canonical(name: str) -> str:
    if name == "step":
        return name
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            offset = to_offset(re.sub(r"[A-Za-z]+", lambda word: _RENAMED.get(word[0], word[0]), name, count=1))
    except (ValueError, TypeError, OverflowError, Warning) as error:
        raise _unknown(name) from error
    ticks = isinstance(offset, _TICK_TYPES)
    size = offset.nanos if ticks else offset.n * DAY
    if not 0 < size < 2**62:  # times are counted in 64 bits
        raise _unknown(name)
    if ticks:
        base = next(unit for unit, width in _TICKS.items() if size % width == 0)
        count = size // _TICKS[base]
    else:
        count, base = offset.n, re.sub(r"^\d+", "", offset.freqstr)
    if match := re.fullmatch(r"(B?Q[SE])-([A-Z]{3})", base):  # QS-OCT is the grid of QS-JAN
        turn = MONTHS.index(match[2]) % 3
        base = f"{match[1]}-{MONTHS[turn] if match[1].endswith('S') else MONTHS[(turn - 3) % 12]}"
    return f"{count if count > 1 else ''}{base}"

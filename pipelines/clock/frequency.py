"""The regular grids on which series live: every pandas frequency, or the integer step.

Ticks are fixed durations in UTC. All else (days, weeks, months, business days ...) steps on the wall clock: a
grid is a table of its days (or business hours), and positions are look-ups in it, for whole arrays.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from forecaster.errors import DataError
from pipelines.clock.alias import TICKS, canonical
from pipelines.clock.slots import FIRST_DAY, LAST_DAY, beyond, slots_of
from pipelines.clock.zone import DAY, HOUR, MINUTE, SECOND, Times, local, stamp, utc, zone_info

# fmt: off
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
        return cls(canonical(name))

    @cached_property
    def is_step(self) -> bool:
        """Whether times are integers that count steps."""
        return self.name == "step"

    @cached_property
    def width(self) -> int:
        """The duration of a step in nanoseconds where it is fixed, else 0."""
        return self.multiple * TICKS.get(self.base, 0)

    @cached_property
    def is_fixed(self) -> bool:
        """Whether a step is a fixed duration in UTC; if not, it follows the calendar on the wall."""
        return self.width > 0

    @cached_property
    def season(self) -> tuple[int, ...]:
        """The usual season lengths in steps, shortest first; (1,) where there is none."""
        if self.is_fixed:
            cycles: tuple[int, ...] = ()
            if self.width >= SECOND:
                cycles = (DAY, 7 * DAY) if self.width >= MINUTE else (HOUR, DAY)
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
        """How many whole steps after `start` each time comes, and whether it is on that grid at all.

        `start` broadcasts to `times`, or holds one per series, and `series` the number of that of each time.
        """
        of = slice(None) if series is None else series
        if self.is_step:
            steps = times - start[of]
            return steps, np.ones(steps.shape, dtype=bool)
        if self.is_fixed:
            # Not (times - start) // width: a difference of 500 years does not fit into 64 bits.
            (steps, since), (before, phase) = np.divmod(times, self.width), np.divmod(start[of], self.width)
            return steps - before - (since < phase), since == phase
        grid = slots_of(self.base)
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
                raise beyond()
            return start + steps * self.width
        grid = slots_of(self.base)
        origin, phase = grid.split(_opening(start, zone))
        return utc(grid.wall(origin + steps * self.multiple) + phase, zone)[0]

    def check(self, start: Times, steps: Times, zone: str | None, ids: Iterable[str], place: str) -> None:
        """Raises DataError that names the first series which leaves the years 1700 to 2200 within its steps."""
        try:
            self.advance(start, steps, zone)
        except DataError as error:
            for one, name in enumerate(ids):
                try:
                    self.advance(start[[one]], steps[[one]], zone)
                except DataError:
                    raise DataError(error.message, series=str(name), place=place, remedy=error.remedy) from None
            raise

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


def _opening(start: Times, zone: str | None) -> Times:
    """The wall time that a start means: midnight too, where clocks leave it out and the day begins later."""
    wall = local(start, zone)
    before = np.minimum(wall, local(start - 1, zone) + 1)
    return np.where(before % DAY == 0, before, wall)

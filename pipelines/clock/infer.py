"""The frequency that time stamps follow."""

import numpy as np
from numpy.typing import NDArray

from forecaster.errors import DataError
from pipelines.clock.alias import MONTHS
from pipelines.clock.frequency import Frequency
from pipelines.clock.slots import FIRST_DAY, LAST_DAY
from pipelines.clock.zone import DAY, Times, local

_SAMPLE = 200_000  # rows that are looked at together
_SPARSE = 100  # steps of a divisor between two stamps, above which they follow no frequency
_WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")


def infer_frequency(times: Times, series: NDArray[np.integer], zone: str | None) -> Frequency:
    """The coarsest frequency on whose grid all stamps lie, gaps allowed.

    `times [rows]` in any order, `series [rows]` numbers the series from 0. Business days need ten days and no
    weekend; a fixed duration is the most common difference. Raises DataError where no series has two stamps, and
    where stamps are irregular: three differences or more, and none of them a step of a calendar.
    """
    rows = sample(series)
    rows = rows[np.lexsort((times[rows], series[rows]))]
    some, of = times[rows], series[rows]
    within = (np.diff(of) == 0) & (np.diff(some) > 0)
    steps = np.diff(some)[within]
    if not steps.size:
        raise DataError("the frequency cannot be seen: no series has two time stamps", remedy="give the frequency")
    start = some[np.searchsorted(of, of)]
    if steps.min() < DAY // 2 or not Frequency("D").locate(some, start, zone)[1].all():
        return Frequency.parse(f"{_most_common(steps)}ns")
    base = _calendar(_days(times, zone))
    if len(steps) < 3:  # two or three stamps say nothing of every second week or third year
        return Frequency.parse(base)
    apart = np.diff(Frequency.parse(base).locate(some, start, zone)[0])[within]
    every = int(np.gcd.reduce(apart))
    weeks = base == "B" and every % 5 == 0  # of series whose weeks begin on different days
    frequency = Frequency.parse(f"{7 * every // 5}D" if weeks else f"{every}{base}")
    if (apart != every).all():
        raise DataError(
            f"the time stamps are irregular: no two are one step of {frequency.name!r} apart",
            remedy="give the frequency; stamps on the 15th can be written as the first of the month, with MS",
        )
    return frequency


def sample(series: NDArray[np.integer]) -> NDArray[np.intp]:
    """The rows of the first series that have several, and so differences."""
    sizes = np.bincount(series)
    seen = np.where(sizes > 1, sizes, 0).cumsum() - sizes
    return np.flatnonzero(((sizes > 1) & (seen < _SAMPLE))[series])


def _days(times: Times, zone: str | None) -> Times:
    """The days on the wall clock that there are, since 1970, ascending."""
    there = np.zeros(LAST_DAY - FIRST_DAY, dtype=bool)
    for begin in range(0, len(times), _SAMPLE):
        there[local(times[begin : begin + _SAMPLE], zone) // DAY - FIRST_DAY] = True
    return np.flatnonzero(there) + FIRST_DAY


def _most_common(steps: Times) -> int:
    """The most common step; where it is no majority and others do not fit, their greatest common divisor."""
    sizes, counts = np.unique(steps, return_counts=True)
    common = sizes[counts.argmax()]
    if (sizes % common == 0).all() or counts.max() > len(steps) / 2:
        return int(common)
    divisor = int(np.gcd.reduce(sizes))
    if steps.sum() > _SPARSE * len(steps) * divisor:
        raise DataError("the time stamps are irregular", remedy="round them to a frequency, and give it")
    return divisor


def _calendar(days: Times) -> str:
    """The coarsest calendar alias on which all `days` (since 1970, ascending, distinct) lie."""
    for year, quarter, month in (
        ("YS", "QS", "MS"),
        ("YE", "QE", "ME"),
        ("BYS", "BQS", "BMS"),
        ("BYE", "BQE", "BME"),
    ):
        if Frequency(month).locate(days * DAY, days[:1] * DAY, None)[1].all():
            months = np.unique(days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12)
            if len(months) == 1:
                return f"{year}-{MONTHS[months[0]]}"
            return f"{quarter}-{MONTHS[months[0]]}" if len(np.unique(months % 3)) == 1 else month
    weekdays = np.unique((days + 3) % 7)
    if len(weekdays) == 1:
        return f"W-{_WEEKDAYS[weekdays[0]]}"
    return "B" if len(days) >= 10 and weekdays.max() < 5 else "D"

"""One frequency for all series of a table: those that follow another are named."""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from forecaster.errors import DataError
from pipelines.clock.frequency import Frequency
from pipelines.clock.infer import infer_frequency, sample
from pipelines.clock.stamps import Who
from pipelines.clock.zone import Times

_ENOUGH = 10
"""Stamps that tell which frequency a series follows by itself."""
_ASKED = 100
"""Series that are asked by themselves, at most."""


def common_frequency(times: Times, series: NDArray[np.integer], zone: str | None, who: Who) -> Frequency:
    """As `infer_frequency`, for series that are alike.

    Where most series follow a frequency by themselves, and another is off its grid, all together may follow none, or a
    finer one in which most values of most series are missing, as weeks are among days. Raises DataError then, which
    names that other one.
    """
    rows = sample(series)
    rows = rows[np.lexsort((times[rows], series[rows]))]
    try:
        frequency = infer_frequency(times, series, zone)
    except DataError as error:
        raise _odd(times, series, rows, zone, who, "") or error from None
    begins = np.flatnonzero(np.diff(series[rows], prepend=-1))
    sizes = np.diff([*begins, len(rows)])
    near = np.diff(frequency.locate(times[rows], np.repeat(times[rows[begins]], sizes), zone)[0], prepend=0) == 1
    near[begins] = False
    apart = ~np.logical_or.reduceat(near, begins)[sizes >= _ENOUGH]
    if 2 * apart.sum() > len(apart):
        remedy = f", or give the frequency {frequency.name} if what lies between is missing"
        if odd := _odd(times, series, rows, zone, who, remedy):
            raise odd
    return frequency


def _odd(
    times: Times, series: NDArray[np.integer], rows: NDArray[np.intp], zone: str | None, who: Who, remedy: str
) -> DataError | None:
    """The first stamp that is off the grid which most series follow by themselves; None where there is no such grid."""
    each = np.split(rows, np.flatnonzero(np.diff(series[rows])) + 1)
    long = [one for one in each if len(one) >= _ENOUGH]
    asked = long[:: -(-len(long) // _ASKED) or 1]
    followed = Counter(own for own in (_alone(times[one], zone) for one in asked) if own is not None)
    for common, count in followed.most_common(1):
        if 2 * count <= len(asked) or count < 2:
            continue
        for one in each:
            on_grid = common.locate(times[one], times[one[:1]], zone)[1]
            if not on_grid.all():
                row = int(one[on_grid.argmin()])
                return DataError(
                    f"off the grid of {common.name!r}, which {count} of {len(asked)} series follow",
                    series=who(row),
                    place=f"ds {common.text(int(times[row]), zone)}",
                    remedy="correct the time, or forecast this series apart" + remedy,
                )
    return None


def _alone(times: Times, zone: str | None) -> Frequency | None:
    """What the ordered stamps of a series follow by themselves: a frequency of which most are one step apart."""
    try:
        own = infer_frequency(times, np.zeros(len(times), dtype=np.int64), zone)
    except DataError:
        return None
    steps = np.diff(own.locate(np.unique(times), times[:1], zone)[0])
    return own if np.mean(steps == 1) > 0.5 else None

"""One frequency for all series of a table: where one of them follows another, it is named."""

from collections import Counter
from collections.abc import Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from forecaster.errors import DataError
from pipelines.calendar import infer_frequency, sample
from pipelines.frequency import Frequency
from pipelines.stamps import Who
from pipelines.zone import Times

ENOUGH = 10
"""Stamps that tell which frequency a series follows by itself."""
_ASKED = 100
"""Series that are asked by themselves, at most."""


def common_frequency(times: Times, series: NDArray[np.integer], zone: str | None, who: Who) -> Frequency:
    """As `infer_frequency`, for series that are alike.

    Raises DataError that names a series which by itself follows a coarser frequency than all together (months among
    days would be days, nearly all of them missing), or, where all together follow none, another one than most. It
    looks at those of `sample`.
    """
    try:
        frequency = infer_frequency(times, series, zone)
    except DataError as error:
        raise _stranger(times, series, zone, who) or error from None
    for rows in islice(_scattered(times, series, zone, frequency), _ASKED):
        if own := coarser(times[rows], zone):
            raise DataError(
                f"its time stamps are {own.name!r}, beside series of {frequency.name!r}",
                series=who(int(rows[0])),
                place=f"ds {frequency.text(int(times[rows[0]]), zone)}",
                remedy=f"forecast it apart, or give the frequency {frequency.name} if what lies between is missing",
            )
    return frequency


def coarser(times: Times, zone: str | None) -> Frequency | None:
    """The frequency of which most of the ordered stamps of a series are one step apart, if there is one."""
    own = _alone(times, zone)
    return own if own is not None and _single(times, zone, own).mean() > 0.5 else None


def _stranger(times: Times, series: NDArray[np.integer], zone: str | None, who: Who) -> DataError | None:
    """The first series that is off the grid which most of them follow; None where there is no such."""
    asked = [(rows, _alone(times[rows], zone)) for rows in islice(_each(times, series), _ASKED)]
    for common, count in Counter(own for _, own in asked if own is not None).most_common(1):
        for rows, own in asked:
            on_grid = common.locate(times[rows], times[rows[:1]], zone)[1]
            if not on_grid.all():
                row = int(rows[on_grid.argmin()])
                return DataError(
                    f"its time stamps are {'irregular' if own is None else repr(own.name)},"
                    f" beside {count} series of {common.name!r}",
                    series=who(row),
                    place=f"ds {common.text(int(times[row]), zone)}",
                    remedy="forecast it apart, or write its stamps as those of the others",
                )
    return None


def _scattered(
    times: Times, series: NDArray[np.integer], zone: str | None, frequency: Frequency
) -> Iterator[NDArray[np.intp]]:
    """The rows of each series of ten stamps and more of which no two are a step apart."""
    for rows in _each(times, series):
        if len(rows) >= ENOUGH and not _single(times[rows], zone, frequency).any():
            yield rows


def _each(times: Times, series: NDArray[np.integer]) -> Iterator[NDArray[np.intp]]:
    """The rows of each series in the order of time."""
    rows = sample(series)
    rows = rows[np.lexsort((times[rows], series[rows]))]
    yield from np.split(rows, np.flatnonzero(np.diff(series[rows])) + 1)


def _alone(times: Times, zone: str | None) -> Frequency | None:
    """What a series follows by itself, if anything."""
    try:
        return infer_frequency(times, np.zeros(len(times), dtype=np.int64), zone)
    except DataError:
        return None


def _single(times: Times, zone: str | None, frequency: Frequency) -> NDArray[np.bool_]:
    """Which neighbours of the ordered stamps of a series are one step apart."""
    return np.asarray(np.diff(frequency.locate(times, times[:1], zone)[0]) == 1)

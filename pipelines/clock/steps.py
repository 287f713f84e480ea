"""Integer time stamps: whether they count steps, or are dates and clocks written as numbers."""

import numpy as np
from numpy.typing import NDArray

from forecaster.errors import DataError
from pipelines.clock.infer import sample
from pipelines.clock.stamps import Who
from pipelines.clock.zone import Times

_REMEDY = "write dates as 2024-01-31, or number the rows 0, 1, 2 ...; if steps are missing, give the frequency step"


def check_steps(times: Times, series: NDArray[np.integer], who: Who) -> None:
    """Raise DataError on integers that do not count steps; `times [rows]` in any order, `series [rows]` from 0.

    They do not where some series has three distinct stamps and no two neighbours of any series are one step apart:
    0, 10, 20 or the seconds of a clock. And not where there are three distinct stamps or more and each is a date
    YYYYMMDD of the years 1700 to 2200, not all of one month, or a month YYYYMM, not all of one year: a counter goes
    on after the 31st with 32, and after the twelfth month with 13.
    """
    if written := _dates(times):
        raise _refusal(f"integers count steps, and these are dates written as {written}", times, 0, who)
    if np.bincount(series).max() < 3 or (_ordered(times, series, sample(series))[1] == 1).any():
        return  # most often some series tell, and the others need not be sorted
    rows, steps = _ordered(times, series, np.arange(len(series)))
    more = np.bincount(series[rows[1:]][steps > 0], minlength=1)
    if more.max() > 1 and not (steps == 1).any():
        row = int(rows[np.searchsorted(series[rows], more.argmax())])
        raise _refusal("integers count steps, and no two stamps are one step apart", times, row, who)


def _ordered(
    times: Times, series: NDArray[np.integer], rows: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """`rows` by series and time, and how far each but the first is from the one before it, 0 from another series."""
    rows = rows[np.lexsort((times[rows], series[rows]))]
    return rows, np.where(np.diff(series[rows]) == 0, np.diff(times[rows]), 0)


def _dates(times: Times) -> str | None:
    """How the dates that all stamps are were written, None where they are none."""
    least, most = int(times.min()), int(times.max())
    if least >= 1700_01_01 and most <= 2200_12_31 and least // 100 < most // 100:
        stamps = np.unique(times)
        months, days = _months(stamps // 100), stamps % 100
        lengths = (months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")
        valid = _are_months(stamps // 100) & (days >= 1) & (days <= lengths.astype(np.int64))
        return "YYYYMMDD" if len(stamps) > 2 and valid.all() else None
    if least >= 1700_01 and most <= 2200_12 and least // 100 < most // 100:
        stamps = np.unique(times)
        return "YYYYMM" if len(stamps) > 2 and _are_months(stamps).all() else None
    return None


def _are_months(stamps: Times) -> NDArray[np.bool_]:
    return np.asarray((stamps % 100 >= 1) & (stamps % 100 <= 12))


def _months(stamps: Times) -> NDArray[np.datetime64]:
    return ((stamps // 100 - 1970) * 12 + stamps % 100 - 1).astype("datetime64[M]")


def _refusal(message: str, times: Times, row: int, who: Who) -> DataError:
    return DataError(message, series=who(row), place=f"ds {times[row]}", remedy=_REMEDY)

"""What was known at an origin, for many origins of many series at once: as if the panel had been cut at each."""

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from pipelines.panel import Panel

_SEASONS = 4  # how many seasons back seasonal naive looks for one that is no gap, as forecaster.pointwise does


def unit(
    panel: Panel, season: int, series: Int64[ndarray, " rows"], origin: Int64[ndarray, " rows"]
) -> Float64[ndarray, " rows"]:
    """The mean absolute difference to one season before, of the first `origin` values of a series; NaN where there is
    none: `pipelines.unit.naive_error` of what was known."""
    place = np.arange(panel.total) - np.repeat(panel.indptr[:-1], panel.lengths)
    change = np.full(panel.total, np.nan)
    change[season:] = np.abs(panel.values[season:] - panel.values[:-season])
    change[place < season] = np.nan
    total = np.append(0.0, np.cumsum(np.nan_to_num(change)))
    count = np.append(0, np.cumsum(~np.isnan(change)))
    begin = panel.indptr[series]
    much, many = total[begin + origin] - total[begin], count[begin + origin] - count[begin]
    return np.asarray(np.divide(much, many, out=np.full(len(series), np.nan), where=many > 0))


def seasonal_naive(
    panel: Panel,
    season: int,
    series: Int64[ndarray, " rows"],
    origin: Int64[ndarray, " rows"],
    step: Int64[ndarray, " rows"],
) -> Float64[ndarray, " rows"]:
    """What `forecaster.pointwise.SeasonalNaive` says for `step` (from 1), knowing the first `origin` values.

    The last season again; over a gap one of the three seasons before, or else the last known value.
    """
    begin = panel.indptr[series]
    place = np.arange(panel.total)
    latest = np.maximum.accumulate(np.where(np.isnan(panel.values), -1, place))
    last = np.append(latest, -1)[begin + origin - 1]
    said = np.where((last >= begin) & (origin > 0), panel.values[last], np.nan)
    for back in range(_SEASONS, 0, -1):  # the nearest comes last and stays
        at = origin - back * season + (step - 1) % season
        value = panel.values[begin + np.clip(at, 0, np.maximum(origin - 1, 0))]
        said = np.where((at >= 0) & (at < origin) & ~np.isnan(value), value, said)
    return said

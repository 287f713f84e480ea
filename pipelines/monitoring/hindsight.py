"""What was known at an origin, for many origins of many series at once: as if the panel had been cut at each."""

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int64
from numpy import ndarray

from pipelines.data.panel import Panel
from pipelines.evaluation.unit import changes

_SEASONS = 4  # how many seasons back seasonal naive looks for one that is no gap, as forecaster.models.pointwise does


def naive_error_at(
    panel: Panel, season: int, series: Int64[ndarray, " rows"], origin: Int64[ndarray, " rows"]
) -> Float64[ndarray, " rows"]:
    """The mean absolute difference to one season before, of the first `origin` values of a series; NaN where there is
    none: `pipelines.evaluation.unit.naive_error` of what was known."""
    known = changes(panel, season)
    # Not one sum over all series: beside large ones, small ones would lose their digits.
    total = np.append(pd.Series(known.share).groupby(known.series).cumsum(), np.nan)
    count = np.append(0, np.cumsum(np.bincount(known.place, minlength=panel.total)))
    begin = panel.indptr[series]
    last = count[begin + origin]
    many = last - count[begin]
    return np.where(many > 0, total[last - 1] * (known.counts[series] / np.maximum(many, 1)), np.nan)


def seasonal_naive(
    panel: Panel,
    season: int,
    series: Int64[ndarray, " rows"],
    origin: Int64[ndarray, " rows"],
    step: Int64[ndarray, " rows"],
) -> Float64[ndarray, " rows"]:
    """What `forecaster.models.pointwise.SeasonalNaive` says for `step` (from 1), knowing the first `origin` values.

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

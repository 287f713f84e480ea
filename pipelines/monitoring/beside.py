"""Forecasts beside what came."""

import numpy as np
import pandas as pd
from jaxtyping import Int64
from numpy import ndarray

from forecaster.metrics import scaled_quantile_loss
from pipelines.clock.frequency import Frequency
from pipelines.clock.zone import DAY, local
from pipelines.data.panel import Panel
from pipelines.monitoring.hindsight import naive_error_at, seasonal_naive
from pipelines.monitoring.kept import KEPT_LEVELS


def beside(kept: pd.DataFrame, panel: Panel, season: int, days: int, group: str | None = None) -> pd.DataFrame:
    """A row per forecast that is due: that is of a time up to the newest actual value of all series.

    As in `kept`, and `actual` (NaN where it has not come), `group` (the series, or its value of a static column), `day`
    (on the clock of the panel; the step where those are counted), `block`, and in the unit of the series, its in-sample
    error of seasonal naive up to the origin: `error` of the median, `bias` of the mean, `quantile_loss` over the three
    levels and `naive_error` of seasonal naive. `inside` is whether the 80 % interval held. Blocks are so many days as
    the longest forecast reaches, for errors of one forecast go together. The last `days` are there, and eight blocks
    at least.
    """
    series = pd.Index(panel.ids).get_indexer(pd.Index(kept["unique_id"]))
    kept = kept.assign(series=series)
    kept = kept[kept["ds"] <= _newest(panel)]
    day = _days(kept["ds"].to_numpy(), panel)
    number = np.unique(day, return_inverse=True)[1]
    age = number.max(initial=0) - number
    reach = -(-int(kept["step"].max() if len(kept) else 1) // _per_day(panel.frequency))
    recent = age < max(days, 8 * reach)
    kept = kept.assign(day=day, block=age // reach)[recent]
    values = _scored(kept, panel, season)
    names = kept["unique_id"].to_numpy()
    if group is not None:
        names = np.append(panel.static[:, panel.static_names.index(group)], "")[kept["series"]]
    return kept.drop(columns="series").assign(group=names, **values)


def _scored(kept: pd.DataFrame, panel: Panel, season: int) -> dict[str, ndarray]:
    """What came, and what the forecasts were worth."""
    series, step = kept["series"].to_numpy(), kept["step"].to_numpy()
    there = np.flatnonzero(series >= 0)
    at, on_grid = panel.frequency.locate(kept["ds"].to_numpy()[there], panel.start, panel.zone, series[there])
    lived = on_grid & (at >= 0) & (at < panel.lengths[series[there]])
    there, at = there[lived], at[lived]
    series, step = series[there], step[there]
    origin = np.maximum(at + 1 - step, 0)
    actual = panel.values[panel.indptr[series] + at]
    size = naive_error_at(panel, season, series, origin)
    size[~(size > 0)] = np.nan
    quantiles = kept[[f"q{level:g}" for level in KEPT_LEVELS]].to_numpy()[there]
    low, median, high = quantiles.T
    inside = (actual >= low) & (actual <= high)
    values = {
        "actual": actual,
        "error": np.abs(actual - median) / size,
        "bias": (kept["mean"].to_numpy()[there] - actual) / size,
        "quantile_loss": scaled_quantile_loss(actual[:, None], quantiles[:, None], KEPT_LEVELS, size),
        "naive_error": np.abs(actual - seasonal_naive(panel, season, series, origin, step)) / size,
        "inside": np.where(np.isnan(actual), np.nan, inside),
    }
    spread = {name: np.full(len(kept), np.nan) for name in values}
    for name, value in values.items():
        spread[name][there] = value
    return spread


def _newest(panel: Panel) -> int:
    """The time of the last value of all series."""
    place = np.where(np.isnan(panel.values), -1, np.arange(panel.total))
    last = np.maximum.reduceat(place, panel.indptr[:-1]) - panel.indptr[:-1]
    some = last >= 0
    times = panel.frequency.advance(panel.start[some], last[some], panel.zone)
    return int(times.max(initial=np.iinfo(np.int64).min))


def _days(times: Int64[ndarray, " rows"], panel: Panel) -> ndarray:
    if panel.frequency.is_step:
        return times
    return (local(times, panel.zone) // DAY).astype("datetime64[D]")


def _per_day(frequency: Frequency) -> int:
    return max(1, DAY // frequency.width) if frequency.is_fixed else 1

"""Accuracy of forecasts, as the M competitions define it. NaN marks what is not known and is left out."""

import numpy as np
from jaxtyping import Float64
from numpy import ndarray


def smape(
    actual: Float64[ndarray, "series horizon"], point: Float64[ndarray, "series horizon"]
) -> Float64[ndarray, "series"]:
    """Symmetric mean absolute percentage error of each series, from 0 to 200 (Makridakis et al. 2020).

    >>> smape(np.array([[1.0, 1.0]]), np.array([[3.0, 1.0]])).tolist()
    [50.0]
    """
    total = np.abs(actual) + np.abs(point)
    ratio = np.divide(np.abs(actual - point), total, out=np.zeros_like(total), where=total != 0)
    return mean_known(np.where(np.isnan(actual), np.nan, 200 * ratio))


def mase(
    actual: Float64[ndarray, "series horizon"],
    point: Float64[ndarray, "series horizon"],
    unit: Float64[ndarray, "series"],
) -> Float64[ndarray, "series"]:
    """Mean absolute error of each series over `unit`, the in-sample error of seasonal naive (Hyndman, Koehler 2006).

    NaN where the unit is zero or unknown: a series that never moved has no scale.
    """
    return _ratio(mean_known(np.abs(actual - point)), unit)


def pinball(
    actual: Float64[ndarray, "series horizon"],
    quantiles: Float64[ndarray, "series horizon levels"],
    levels: tuple[float, ...],
) -> Float64[ndarray, "series horizon levels"]:
    """Pinball loss of each quantile."""
    error = actual[..., None] - quantiles
    return np.asarray(error * (np.asarray(levels) - (error < 0)))


def scaled_quantile_loss(
    actual: Float64[ndarray, "series horizon"],
    quantiles: Float64[ndarray, "series horizon levels"],
    levels: tuple[float, ...],
    unit: Float64[ndarray, "series"],
) -> Float64[ndarray, "series"]:
    """2 x the mean pinball loss of all levels over `unit`, for each series: MASE for a whole distribution."""
    return _ratio(mean_known(2 * pinball(actual, quantiles, levels).mean(-1)), unit)


def weighted_quantile_loss(
    actual: Float64[ndarray, "series horizon"],
    quantiles: Float64[ndarray, "series horizon levels"],
    levels: tuple[float, ...],
) -> float:
    """2 x the sum of pinball losses over the sum of |actual|, pooled over all series, mean over 0.1, 0.2, ... 0.9."""
    tenths = [levels.index(k / 10) for k in range(1, 10)]
    loss = pinball(actual, quantiles[..., tenths], tuple(levels[k] for k in tenths))
    total = np.nansum(np.abs(actual))
    return float(2 * np.nansum(loss) / len(tenths) / total) if total > 0 else float("nan")


def coverage(
    actual: Float64[ndarray, "series horizon"],
    low: Float64[ndarray, "series horizon"],
    high: Float64[ndarray, "series horizon"],
) -> Float64[ndarray, "horizon"]:
    """Share of the series inside their interval, by step."""
    inside = np.where(np.isnan(actual), np.nan, (actual >= low) & (actual <= high))
    return mean_known(inside.T)


def msis(
    actual: Float64[ndarray, "series horizon"],
    low: Float64[ndarray, "series horizon"],
    high: Float64[ndarray, "series horizon"],
    unit: Float64[ndarray, "series"],
    alpha: float = 0.05,
) -> Float64[ndarray, "series"]:
    """Mean scaled interval score of each series: width plus misses times 2 / alpha (Gneiting, Raftery 2007; M4)."""
    missed = np.maximum(low - actual, 0) + np.maximum(actual - high, 0)
    return _ratio(mean_known(high - low + 2 / alpha * missed), unit)


def mean_known(values: Float64[ndarray, "rows columns"]) -> Float64[ndarray, "rows"]:
    """Row means of what is not NaN; NaN where a row has nothing."""
    known = ~np.isnan(values)
    return _ratio(np.where(known, values, 0.0).sum(1), known.sum(1))


def _ratio(total: ndarray, unit: ndarray) -> ndarray:
    """total / unit, NaN where there is no unit."""
    return np.asarray(np.divide(total, unit, out=np.full(total.shape, np.nan), where=unit > 0))

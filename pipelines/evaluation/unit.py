"""The unit in which errors of a series are judged, and in which they are learned from: the error of seasonal naive."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from pipelines.data.panel import Panel

SMALL = 0.01
"""Share of the change from step to step below which the change from season to season is none."""


class Changes(NamedTuple):
    """The absolute differences to one season before, where both values are known, in the order of the panel."""

    place: Int64[ndarray, "known"]
    """Of the later value, in the panel."""
    series: Int64[ndarray, "known"]
    share: Float64[ndarray, "known"]
    """The difference over the count of its series: a sum of values near 1e308 would overflow."""
    counts: Int64[ndarray, "series"]


def changes(panel: Panel, season: int) -> Changes:
    """What the error of seasonal naive is the mean of."""
    number = np.repeat(np.arange(len(panel)), panel.lengths)
    change = np.abs(panel.values[season:] - panel.values[:-season])
    usable = (number[season:] == number[:-season]) & ~np.isnan(change)
    series = number[season:][usable]
    counts = np.bincount(series, minlength=len(panel))
    return Changes(season + np.flatnonzero(usable), series, change[usable] / counts[series], counts)


def naive_error(panel: Panel, season: int) -> Float64[ndarray, "series"]:
    """Mean absolute difference to one season before, of each series; NaN where a series is shorter than that."""
    _, series, share, counts = changes(panel, season)
    return np.where(counts > 0, np.bincount(series, share, minlength=len(panel)), np.nan)


def unit(panel: Panel, season: int) -> Float64[ndarray, "series"]:
    """A positive one to learn in, or NaN: of naive where a series is too short for its season or repeats it."""
    error, change = naive_error(panel, season), naive_error(panel, 1)
    known = np.where(np.isnan(error) | (error <= SMALL * change), change, error)
    return np.where(known > 0, known, np.nan)

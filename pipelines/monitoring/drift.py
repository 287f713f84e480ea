"""Whether the series still look as they did when the model was trained."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float64
from numpy import ndarray
from scipy import stats

from pipelines.data.panel import Panel
from pipelines.evaluation.split import after

_MOST = 10_000  # values on each side, drawn evenly: up to so many the test is exact


@dataclass(frozen=True)
class Drift:
    """How the values since training differ from those in training, each in deviations from the median of its series.

    `distance` is Wasserstein's: how far a value has moved on average, in deviations. `likely` is by the test of
    Kolmogorov and Smirnov how likely values as different as these are where nothing has moved.
    """

    before: Float64[ndarray, " trained"]
    since: Float64[ndarray, " recent"]
    gaps: float
    """Share of the steps in training that have no value."""

    @property
    def distance(self) -> float:
        """NaN where there is nothing to compare."""
        if not (self.before.size and self.since.size):
            return float("nan")
        return float(stats.wasserstein_distance(self.before, self.since))

    @property
    def likely(self) -> float:
        """1 where there is nothing to compare."""
        if not (self.before.size and self.since.size):
            return 1.0
        return float(stats.ks_2samp(self.before, self.since).pvalue)


def drift(panel: Panel, until: str | None) -> Drift:
    """The values up to `until`, the last time in training, against those after it."""
    series = np.repeat(np.arange(len(panel)), panel.lengths)
    place = np.arange(panel.total) - panel.indptr[series]
    trained = place < (panel.lengths - after(panel, until))[series]
    told = pd.Series(np.where(trained, panel.values, np.nan)).groupby(series)
    spread = told.std().to_numpy()
    spread[~(spread > 0)] = np.nan
    moved = (panel.values - told.median().to_numpy()[series]) / spread[series]
    gaps = float(np.isnan(panel.values[trained]).mean()) if trained.any() else 0.0
    return Drift(_some(moved[trained]), _some(moved[~trained]), gaps)


def _some(values: Float64[ndarray, " many"]) -> Float64[ndarray, " few"]:
    known = values[~np.isnan(values)]
    return np.asarray(known[:: max(1, -(-len(known) // _MOST))])

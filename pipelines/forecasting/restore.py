"""From a network that fills gaps to values: each series in its own units, each gap read with what is around it."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float64
from numpy import ndarray

from forecaster.batch import Forecast
from forecaster.cores.scale import BOUND
from forecaster.models.filler import Filler
from forecaster.quantiles import LEVELS
from pipelines.batches.gaps import Gaps
from pipelines.data.panel import Panel

WINDOWS = 256
"""Windows that are read side by side."""


@dataclass(frozen=True)
class Units:
    """The mean of each series and the mean distance from it, at each of its steps; zero where it has no value."""

    level: Float64[ndarray, "total"]
    scale: Float64[ndarray, "total"]

    @classmethod
    def of(cls, panel: Panel) -> "Units":
        """The units of the known values of a panel."""
        known = ~np.isnan(panel.values)
        count = np.maximum(np.add.reduceat(known, panel.indptr[:-1], dtype=np.int64), 1)

        def mean(values: Float64[ndarray, "total"]) -> Float64[ndarray, "total"]:
            shares = np.where(known, values, 0.0) / np.repeat(count, panel.lengths)  # a sum could overflow
            return np.asarray(np.repeat(np.add.reduceat(shares, panel.indptr[:-1]), panel.lengths))

        level = mean(panel.values)
        return cls(level, mean(np.abs(panel.values - level)))

    def small(self, values: Float64[ndarray, "total"]) -> Float64[ndarray, "total"]:
        """Values in these units, bounded; zero for a series that does not move."""
        distance = values - self.level
        z = np.divide(distance, self.scale, out=0.0 * distance, where=self.scale > 0)
        return np.asarray(np.clip(z, -BOUND, BOUND))

    def large(
        self, z: Float64[ndarray, "wanted levels"], at: Bool[ndarray, "total"]
    ) -> Float64[ndarray, "wanted levels"]:
        """The inverse, for the steps `at`."""
        return np.asarray(self.level[at, None] + self.scale[at, None] * z)


@torch.inference_mode()
def tell(model: Filler, gaps: Gaps, values: Float64[ndarray, "total"], at: Bool[ndarray, "total"]) -> Forecast:
    """What the model says of the steps `at` of a panel with these values, each as a forecast of one step.

    A window is read for each half of a window that has such a step, with a quarter more on both sides.
    """
    table, body = gaps.seen(values), gaps.time // 2
    place = np.flatnonzero(at)
    series = np.searchsorted(gaps.panel.indptr, place, side="right") - 1
    step = place - gaps.panel.indptr[series]
    windows, number = np.unique(np.stack([series, step // body], 1), axis=0, return_inverse=True)
    column = step % body + gaps.time // 4
    quantiles, mean = torch.zeros(len(place), 1, len(LEVELS)).double(), torch.zeros(len(place), 1).double()
    for first in range(0, len(windows), WINDOWS):
        chosen, block = windows[first : first + WINDOWS].T
        batch = table.gather(chosen, block * body - gaps.time // 4, gaps.time, 0, reset=True)
        made = model.fill(batch.to(next(model.parameters()).device))
        here = np.flatnonzero((number >= first) & (number < first + WINDOWS))
        row, step_of = torch.from_numpy(number[here] - first), torch.from_numpy(column[here])
        quantiles[here, 0], mean[here, 0] = made.quantiles.cpu()[row, step_of], made.mean.cpu()[row, step_of]
    return Forecast(LEVELS, quantiles, mean)

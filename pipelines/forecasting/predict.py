"""From a panel of numbers to their forecasts."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float64, Int64
from numpy import ndarray

from forecaster.artifact import Artifact
from forecaster.batch import Forecast
from forecaster.model import Numeric
from forecaster.paths import sample
from forecaster.quantiles import LEVELS, interpolate
from forecaster.support import Support
from pipelines.clock.frequency import Frequency
from pipelines.data.panel import Panel
from pipelines.forecasting.distribution import distribution
from pipelines.forecasting.memory import Memory

TENTHS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True)
class Predictions:
    """Forecasts of a panel, from the step after each series' last."""

    ids: ndarray
    start: Int64[ndarray, "series"]
    frequency: Frequency
    zone: str | None
    levels: tuple[float, ...]
    mean: Float64[ndarray, "series horizon"]
    quantiles: Float64[ndarray, "series horizon levels"]
    paths: Float64[ndarray, "series paths horizon"]
    """Joint samples: each path is one way that the steps may go together."""

    def select(self, chosen: Int64[ndarray, "chosen"]) -> "Predictions":
        """Those of the series at these places."""
        return replace(
            self,
            ids=self.ids[chosen],
            start=self.start[chosen],
            mean=self.mean[chosen],
            quantiles=self.quantiles[chosen],
            paths=self.paths[chosen],
        )

    def frame(self) -> pd.DataFrame:
        """One row per series and step: unique_id, ds, mean, a column per level (q0.1) and one per path (path.1)."""
        series, horizon = self.mean.shape
        steps = np.tile(np.arange(horizon), series)
        times = self.frequency.advance(np.repeat(self.start, horizon), steps, self.zone)
        columns = {f"q{level:g}": self.quantiles[..., i].ravel() for i, level in enumerate(self.levels)}
        columns |= {f"path.{k + 1}": self.paths[:, k].ravel() for k in range(self.paths.shape[1])}
        ds = self.frequency.stamps(times, self.zone)
        return pd.DataFrame({"unique_id": np.repeat(self.ids, horizon), "ds": ds, "mean": self.mean.ravel(), **columns})


def predict(
    artifact: Artifact,
    panel: Panel,
    horizon: int,
    levels: tuple[float, ...] = TENTHS,
    paths: int = 0,
    temperature: float = 1.0,
    seed: int = 0,
    memory: Memory | None = None,
) -> Predictions:
    """Forecast every series of `panel`, at ascending quantile `levels` between 0 and 1, and in joint sample paths.

    Where the series are in `memory` the panel has no steps but those ahead.

    At a temperature below 1 paths stay nearer to the median, above they are bolder than the forecast.

    Raises DataError when the panel does not have the covariates that the model needs.
    """
    model, data = artifact.model, artifact.spec.data
    assert isinstance(model, Numeric)  # `pipelines.forecasting.ask` sees to it
    made = distribution(model, data, panel, horizon, artifact.calibrator, memory)

    def between(calibrated: Forecast, support: Support) -> torch.Tensor:
        return support.nearest(interpolate(calibrated.quantiles, LEVELS, levels))

    def drawn(calibrated: Forecast, support: Support) -> torch.Tensor:
        if not paths:
            return calibrated.mean.new_empty(len(calibrated.mean), 0, horizon)
        generator = torch.Generator().manual_seed(seed)
        served = replace(calibrated, quantiles=support.nearest(calibrated.quantiles))
        return sample(served, artifact.dependence, paths, generator, support, temperature)

    return Predictions(
        panel.ids,
        panel.ends(),
        panel.frequency,
        panel.zone,
        levels,
        made.like.mean.numpy(),
        made.told(between).numpy(),
        made.told(drawn).numpy(),
    )

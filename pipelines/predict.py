"""From a panel of numbers to their forecasts."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from forecaster.artifact import Artifact
from forecaster.batch import Forecast
from forecaster.conformal import Calibrator
from forecaster.manifest import DataSpec
from forecaster.model import Carry, Numeric
from forecaster.paths import sample
from forecaster.quantiles import LEVELS, interpolate
from forecaster.support import Support
from pipelines.calendar import Frequency
from pipelines.histories import at_the_end
from pipelines.panel import Panel

TENTHS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
SERIES = 512
"""Series that are read side by side: their gates fit into a core's own cache, which is a quarter faster than 2048."""


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
) -> Predictions:
    """Forecast every series of `panel`, at ascending quantile `levels` between 0 and 1, and in joint sample paths.

    At a temperature below 1 paths stay nearer to the median, above they are bolder than the forecast.

    Raises DataError when the panel does not have the covariates that the model needs.
    """
    model, data = artifact.model, artifact.spec.data
    assert isinstance(model, Numeric)  # `pipelines.ask` sees to it
    made = forecast(model, data, panel, horizon, artifact.calibrator)
    between = interpolate(made.quantiles, LEVELS, levels)

    def drawn(support: Support) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed)
        return sample(made, artifact.dependence, paths, generator, support, temperature)

    return Predictions(
        panel.ids,
        panel.ends(),
        panel.frequency,
        panel.zone,
        levels,
        made.mean.numpy(),
        _within(data, _told(model, data, panel, lambda support: support.nearest(between)), panel).numpy(),
        _within(data, _told(model, data, panel, drawn), panel).numpy(),
    )


def forecast(
    model: Numeric, data: DataSpec, panel: Panel, horizon: int, calibrator: Calibrator | None = None
) -> Forecast:
    """The distribution of the next `horizon` steps of every series, calibrated and of such values as the data."""
    made = raw_forecast(model, data, panel, horizon)
    quantiles = _told(model, data, panel, lambda support: support.nearest(made.quantiles))
    if calibrator is not None:
        moved = calibrator.apply(replace(made, quantiles=quantiles)).quantiles
        quantiles = _told(model, data, panel, lambda support: support.nearest(moved))
    return replace(made, quantiles=_within(data, quantiles, panel), mean=_within(data, made.mean, panel))


def support(model: Numeric, data: DataSpec) -> Support:
    """The values that forecasts of series like the data take: whole ones where all data was."""
    return model.support.integers() if data.integral else model.support


def _told(model: Numeric, data: DataSpec, panel: Panel, tell: Callable[[Support], torch.Tensor]) -> torch.Tensor:
    """[series, ...] told within the support of the data, of series that have other values within the model's own."""
    told = tell(support(model, data))
    if data.integral and (broken := _having(panel, panel.values % 1 > 0, told)).any():
        return torch.where(broken, tell(model.support), told)
    return told


def _within(data: DataSpec, values: torch.Tensor, panel: Panel) -> torch.Tensor:
    """[series, ...] not below zero where no data was, but for series that have been."""
    return (
        torch.where(_having(panel, panel.values < 0, values), values, values.clamp(min=0)) if data.positive else values
    )


def _having(panel: Panel, values: Bool[ndarray, " total"], like: torch.Tensor) -> torch.Tensor:
    """[series, 1, ...] which series have such a value."""
    found = np.logical_or.reduceat(np.append(values, False), panel.indptr[:-1])
    return torch.from_numpy(found).view(-1, *[1] * (like.dim() - 1))


def raw_forecast(model: Numeric, data: DataSpec, panel: Panel, horizon: int) -> Forecast:
    """The model's own distribution of the next `horizon` steps of every series, on the CPU, in the panel's order."""

    def ask(carry: Carry, known: torch.Tensor) -> tuple[torch.Tensor, ...]:
        made = model.forecast(carry, horizon, known)
        return made.quantiles, made.mean

    told = at_the_end(model, data, panel, horizon, ask, SERIES)
    if data.whole is not None:
        told = tuple(data.whole.mean + data.whole.deviation * values for values in told)
    return Forecast(LEVELS, *told)

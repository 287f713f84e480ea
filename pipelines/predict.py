"""The one way from a panel to forecasts: command line, backtest, MLflow and the service all come through here."""

from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float64, Int64
from numpy import ndarray

from forecaster.artifact import Artifact
from forecaster.batch import Forecast
from forecaster.conformal import Calibrator
from forecaster.model import Model
from forecaster.paths import sample
from forecaster.quantiles import LEVELS, interpolate
from forecaster.spec import DataSpec
from forecaster.state import take
from pipelines.calendar import Frequency
from pipelines.panel import Panel
from pipelines.windows import Table

TENTHS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
SERIES = 2048
"""Series that are read side by side."""
SEGMENTS = 256
"""Recurrent steps that are read at a time, which bounds the memory of a long history."""


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
    seed: int = 0,
) -> Predictions:
    """Forecast every series of `panel`, at ascending quantile `levels` between 0 and 1, and in joint sample paths.

    Raises DataError when the panel does not have the covariates or the frequency that the model needs.
    """
    model, data = artifact.model, artifact.spec.data
    made = forecast(model, data, panel, horizon, artifact.calibrator)
    quantiles = model.support.nearest(interpolate(made.quantiles, LEVELS, levels))
    samples = sample(made, artifact.dependence, paths, torch.Generator().manual_seed(seed), model.support)
    return Predictions(
        panel.ids,
        panel.ends(),
        panel.frequency,
        panel.zone,
        levels,
        made.mean.numpy(),
        _within(data, quantiles, panel).numpy(),
        _within(data, samples, panel).numpy(),
    )


def forecast(
    model: Model, data: DataSpec, panel: Panel, horizon: int, calibrator: Calibrator | None = None
) -> Forecast:
    """The distribution of the next `horizon` steps of every series, calibrated and within the range of the data."""
    made = raw_forecast(model, data, panel, horizon)
    made = calibrator.apply(made) if calibrator is not None else made
    quantiles = _within(data, model.support.nearest(made.quantiles), panel)
    return replace(made, quantiles=quantiles, mean=_within(data, made.mean, panel))


def _within(data: DataSpec, values: torch.Tensor, panel: Panel) -> torch.Tensor:
    """[series, ...] not below zero where no data was, but for series that have been."""
    if not data.positive:
        return values
    below = np.logical_or.reduceat(np.append(panel.values, 0) < 0, panel.indptr[:-1])
    return torch.where(torch.from_numpy(below).view(-1, *[1] * (values.dim() - 1)), values, values.clamp(min=0))


@torch.inference_mode()
def raw_forecast(model: Model, data: DataSpec, panel: Panel, horizon: int) -> Forecast:
    """The model's own distribution of the next `horizon` steps of every series, on the CPU, in the panel's order."""
    device = next(chain(model.parameters(), model.buffers())).device
    table = Table(panel, data, horizon, device)
    segments = -(-panel.lengths // model.stride)
    order = np.argsort(segments, kind="stable")
    blocks, places = [], []
    for begin in range(0, len(order), SERIES):
        series = order[begin : begin + SERIES]
        carry, done = model.start(len(series), model.stride), 0
        while len(series):
            upto = min(int(segments[series[0]]), done + SEGMENTS)
            if upto > done:
                time = (upto - done) * model.stride
                first = panel.lengths[series] + (done - segments[series]) * model.stride
                carry = model.observe(carry, table.gather(series, first, time, 0, reset=False))
                done = upto
            ended = segments[series] == done
            if ended.any():
                last = series[ended]
                known = table.gather(last, panel.lengths[last], 0, horizon, reset=False).known
                blocks.append(model.forecast(take(carry, _lanes(ended, device)), horizon, known))
                places.append(last)
                carry, series = take(carry, _lanes(~ended, device)), series[~ended]
    back = torch.from_numpy(np.argsort(np.concatenate(places)))
    return Forecast(
        LEVELS,
        *(torch.cat([getattr(block, name) for block in blocks]).cpu()[back] for name in ("quantiles", "mean")),
    )


def _lanes(mask: ndarray, device: torch.device) -> torch.Tensor:
    return torch.from_numpy(np.flatnonzero(mask)).to(device)

"""How good forecasts were: rolling origins, and the scores of the field by series, by step and in all."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float64, Int64
from matplotlib.figure import Figure
from numpy import ndarray

from forecaster.batch import Forecast
from forecaster.conformal import Calibrator
from forecaster.manifest import DataSpec
from forecaster.metrics import coverage, mase, mean_known, msis, scaled_quantile_loss, smape, weighted_quantile_loss
from forecaster.model import Model, Numeric
from forecaster.models.labels import LabelModel
from forecaster.paths import Dependence
from forecaster.quantiles import LEVELS
from forecaster.support import REAL, Support
from pipelines.data.vocabulary import translate
from pipelines.evaluation import figures
from pipelines.evaluation.backtest_labels import LabelBacktest
from pipelines.evaluation.scores import Scores
from pipelines.evaluation.split import HeldOut
from pipelines.evaluation.unit import naive_error
from pipelines.forecasting.distribution import distribution
from pipelines.forecasting.predict_labels import predict_labels

MEDIAN = LEVELS.index(0.5)


def interval(percent: int) -> tuple[int, int]:
    """Places in `LEVELS` of the ends of the central interval that should hold `percent` of the values."""
    tail = round((1 - percent / 100) / 2, 6)
    return LEVELS.index(tail), LEVELS.index(round(1 - tail, 6))


@dataclass(frozen=True)
class Backtest(Scores):
    """Forecasts from held-out origins, what came after, and the in-sample error of seasonal naive.

    For numbers told of whole series the unit is their standard deviation over the series.
    """

    criterion: ClassVar[str] = "scaled_quantile_loss"
    shown: ClassVar[tuple[str, ...]] = (
        *("scaled_quantile_loss", "mase", "smape", "weighted_quantile_loss", "coverage_80", "coverage_95"),
    )

    forecast: Forecast
    actual: Float64[ndarray, "origins horizon"]
    unit: Float64[ndarray, "origins"]
    support: Support = REAL

    @classmethod
    def joined(cls, parts: Sequence["Backtest"]) -> "Backtest":
        quantiles = torch.cat([part.forecast.quantiles for part in parts])
        mean = torch.cat([part.forecast.mean for part in parts])
        actual, unit = (np.concatenate(cells) for cells in zip(*((p.actual, p.unit) for p in parts), strict=True))
        return cls(Forecast(LEVELS, quantiles, mean), actual, unit, parts[0].support)

    @property
    def quantiles(self) -> Float64[ndarray, "origins horizon levels"]:
        """The quantiles as an array."""
        return self.forecast.quantiles.numpy()

    def interval(self, percent: int) -> tuple[ndarray, ndarray]:
        """Ends of the central interval that should hold `percent` of the values."""
        low, high = interval(percent)
        return self.quantiles[..., low], self.quantiles[..., high]

    @property
    def loss(self) -> float:
        return _mean(self._losses())

    def metrics(self) -> dict[str, float]:
        """Every score in one number: the point scores judge the median; NaN where nothing is known."""
        point = self.quantiles[..., MEDIAN]
        return {
            "scaled_quantile_loss": _mean(self._losses()),
            "mase": _mean(mase(self.actual, point, self.unit)),
            "smape": _mean(smape(self.actual, point)),
            "mae": _mean(mean_known(np.abs(self.actual - point))),
            "weighted_quantile_loss": weighted_quantile_loss(self.actual, self.quantiles, LEVELS),
            "coverage_80": _mean(coverage(self.actual, *self.interval(80))),
            "coverage_95": _mean(coverage(self.actual, *self.interval(95))),
            "msis": _mean(msis(self.actual, *self.interval(95), self.unit)),
        }

    def by_step(self) -> dict[str, Float64[ndarray, "horizon"]]:
        """Scores of each step ahead."""
        return {
            "mase": mean_known(self._scaled(np.abs(self.actual - self.quantiles[..., MEDIAN])).T),
            "coverage_80": coverage(self.actual, *self.interval(80)),
            "coverage_95": coverage(self.actual, *self.interval(95)),
            "bias": mean_known(self._scaled(self.forecast.mean.numpy() - self.actual).T),
        }

    def by_row(self) -> dict[str, Float64[ndarray, "origins"]]:
        """The loss, the error of the median, and the unit of both."""
        return {
            "scaled_quantile_loss": self._losses(),
            "mase": mase(self.actual, self.quantiles[..., MEDIAN], self.unit),
            "unit": self.unit,
        }

    def figures(self) -> dict[str, Figure]:
        """Coverage by step."""
        by_step = self.by_step()
        shares = {0.8: by_step["coverage_80"], 0.95: by_step["coverage_95"]}
        return {"coverage_by_step": figures.coverage_by_step(shares)}

    def picture(
        self,
        row: int,
        history: Float64[ndarray, "context"],
        times: pd.DatetimeIndex | Int64[ndarray, "steps"],
        title: str,
    ) -> Figure:
        """The forecast as a fan."""
        return figures.fan(history, self.actual[row], self.quantiles[row], LEVELS, times, title)

    def residuals(self) -> tuple[Calibrator | None, Dependence]:
        """By how much the intervals should have been wider, and how errors go on from step to step."""
        moving = np.where(self.unit[:, None] == 0, np.nan, self.actual)  # of what never moves every interval is right
        calibrator = Calibrator.learn(self.forecast, moving, self.support)
        forecast = calibrator.apply(self.forecast) if calibrator is not None else self.forecast
        served = replace(forecast, quantiles=self.support.nearest(forecast.quantiles))
        return calibrator, Dependence.learn(served, self.actual, self.support)

    def miscovered(self) -> float:
        covered = self.metrics()["coverage_80"]
        return max(0.8 - covered, 0.0) if self.support.whole else abs(covered - 0.8)

    def _scaled(self, error: Float64[ndarray, "origins horizon"]) -> Float64[ndarray, "origins horizon"]:
        """In the series' unit, NaN where it has none."""
        unit = np.broadcast_to(self.unit[:, None], error.shape)
        return np.asarray(np.divide(error, unit, out=np.full(error.shape, np.nan), where=unit > 0))

    def _losses(self) -> Float64[ndarray, "origins"]:
        return scaled_quantile_loss(self.actual, self.quantiles, LEVELS, self.unit)


def criterion(data: DataSpec) -> str:
    """The metric by which models of such data are compared."""
    return (LabelBacktest if data.labels else Backtest).criterion


def backtest(
    model: Model, data: DataSpec, season: int, held_out: HeldOut, calibrator: Calibrator | None = None
) -> Scores:
    """Forecast from every origin as the model, with its calibration if there is one, would have done at the time."""
    panel, actual = held_out
    if isinstance(model, LabelModel):
        said = predict_labels(model, data, panel, actual.shape[1])
        return LabelBacktest(said.probabilities, translate(actual, panel.vocabulary, data.labels), data.labels)
    assert isinstance(model, Numeric)
    told = distribution(model, data, panel, actual.shape[1], calibrator)
    unit = naive_error(panel, season) if data.whole is None else np.full(len(panel), data.whole.deviation)
    return Backtest(told.forecast(), actual, unit, told.support)


def _mean(values: ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")

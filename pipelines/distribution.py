"""From a panel of numbers to the distribution of what comes, told in such values as the data has."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float64
from numpy import ndarray
from torch import Tensor

from forecaster.batch import Forecast
from forecaster.conformal import Calibrator
from forecaster.manifest import DataSpec
from forecaster.model import Carry, Numeric
from forecaster.quantiles import LEVELS
from forecaster.support import Support
from pipelines.histories import at_the_end
from pipelines.panel import Panel

SERIES = 512
"""Series that are read side by side: their gates fit into a core's own cache, which is a quarter faster than 2048."""


@dataclass(frozen=True)
class Distribution:
    """What a model says of the next steps of every series of a panel, before it is calibrated.

    It is told in whole numbers where all data was whole, and not below zero where none was: but for the series that
    have other values.
    """

    model: Numeric
    data: DataSpec
    panel: Panel
    raw: Forecast
    calibrator: Calibrator | None = None

    @property
    def support(self) -> Support:
        """The values that forecasts take of series like the data."""
        return support(self.model, self.data)

    def told(self, tell: Callable[[Forecast, Support], Tensor]) -> Float64[Tensor, "series ..."]:
        """What `tell` makes of the calibrated forecast and the support of each series."""

        def by(support: Support) -> Tensor:
            return tell(self._calibrated(support.unit), support)

        values = by(self.support)
        if self.data.integral and (broken := self._having(self.panel.values % 1 > 0, values)).any():
            values = torch.where(broken, by(self.model.support), values)
        return self._within(values)

    def forecast(self) -> Forecast:
        """At the levels that models are trained for."""
        quantiles = self.told(lambda made, support: support.nearest(made.quantiles))
        return replace(self.raw, quantiles=quantiles, mean=self.mean)

    @property
    def mean(self) -> Float64[Tensor, "series horizon"]:
        """The expectation, which of whole numbers is hardly ever one."""
        return self._within(self.raw.mean)

    def _calibrated(self, unit: float) -> Forecast:
        """Calibrated for series whose values lie so far apart at least, and not yet whole where only the data is."""
        made = self.raw
        if self.calibrator is not None:
            made = replace(self.calibrator, unit=min(unit, self.calibrator.unit)).apply(made)
        quantiles = self._within(self.model.support.nearest(made.quantiles))
        return replace(made, quantiles=quantiles, mean=self.mean)

    def _within(self, values: Float64[Tensor, "series ..."]) -> Float64[Tensor, "series ..."]:
        """Not below zero where no data was, but for series that have been."""
        if not self.data.positive:
            return values
        return torch.where(self._having(self.panel.values < 0, values), values, values.clamp(min=0))

    def _having(self, such: Bool[ndarray, " total"], like: Tensor) -> Bool[Tensor, "series ..."]:
        """Which series have such a value, with as many dimensions as `like`."""
        found = np.logical_or.reduceat(np.append(such, False), self.panel.indptr[:-1])
        return torch.from_numpy(found).view(-1, *[1] * (like.dim() - 1))


def support(model: Numeric, data: DataSpec) -> Support:
    """The values that forecasts of series like the data take: whole ones where all data was."""
    return model.support.integers() if data.integral else model.support


def distribution(
    model: Numeric, data: DataSpec, panel: Panel, horizon: int, calibrator: Calibrator | None = None
) -> Distribution:
    """What a model says of the next `horizon` steps of every series."""
    return Distribution(model, data, panel, raw_forecast(model, data, panel, horizon), calibrator)


def forecast(
    model: Numeric, data: DataSpec, panel: Panel, horizon: int, calibrator: Calibrator | None = None
) -> Forecast:
    """The distribution of the next `horizon` steps of every series, calibrated and in such values as the data has."""
    return distribution(model, data, panel, horizon, calibrator).forecast()


def raw_forecast(model: Numeric, data: DataSpec, panel: Panel, horizon: int) -> Forecast:
    """The model's own distribution of the next `horizon` steps of every series, on the CPU, in the panel's order."""

    def ask(carry: Carry, known: Tensor) -> tuple[Tensor, ...]:
        made = model.forecast(carry, horizon, known)
        return made.quantiles, made.mean

    told = at_the_end(model, data, panel, horizon, ask, SERIES)
    if data.whole is not None:
        told = tuple(data.whole.mean + data.whole.deviation * values for values in told)
    return Forecast(LEVELS, *told)

"""From a panel of numbers to the distribution of what comes, told in such values as the data has."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float64
from numpy import ndarray
from torch import Tensor

from forecaster.batch import Forecast
from forecaster.conformal import Calibrator
from forecaster.manifest import DataSpec
from forecaster.model import Carry, Numeric
from forecaster.quantiles import LEVELS, masses
from forecaster.support import Support
from pipelines.batches.histories import at_the_end
from pipelines.data.panel import Panel
from pipelines.forecasting.memory import Memory, Traits


@dataclass(frozen=True)
class Distribution:
    """What comes after each series of a panel, calibrated, and not yet in whole numbers where only the data is whole.

    It is told in whole numbers where all data was whole, and not below zero where none was: but for the series that
    have other values.
    """

    model: Numeric
    data: DataSpec
    traits: Traits
    like: Forecast
    """Of series like the data."""
    other: Forecast | None
    """Of series of other numbers, where there are such."""

    @property
    def support(self) -> Support:
        """The values that forecasts take of series like the data: whole ones where all data was."""
        return support(self.model, self.data)

    def told(self, tell: Callable[[Forecast, Support], Tensor]) -> Float64[Tensor, "series ..."]:
        """What `tell` makes of the forecast and the support of each series."""
        values = tell(self.like, self.support)
        if self.other is not None:
            values = torch.where(_aligned(self.traits.fractions, values), tell(self.other, self.model.support), values)
        return _within(self.data, self.traits, values)

    def forecast(self) -> Forecast:
        """At the levels that models are trained for; the mean is an expectation, of whole numbers hardly ever one."""
        return replace(self.like, quantiles=self.told(lambda made, support: support.nearest(made.quantiles)))


def distribution(
    model: Numeric,
    data: DataSpec,
    panel: Panel,
    horizon: int,
    calibrator: Calibrator | None = None,
    memory: Memory | None = None,
) -> Distribution:
    """What a model says of the next `horizon` steps of every series, or of those after what is in `memory`."""
    raw = raw_forecast(model, data, panel, horizon, memory)
    traits = Traits.of(panel) if memory is None else memory.traits

    def calibrated(unit: float) -> Float64[Tensor, "series horizon levels"]:
        """For series whose values are multiples of this unit; of 0, any values."""
        made = raw
        if calibrator is not None:
            made = replace(calibrator, unit=min(unit, calibrator.unit)).apply(raw, traits.lengths)
        return model.support.nearest(made.quantiles)

    other = calibrated(model.support.unit)
    like = calibrated(support(model, data).unit) if data.integral else other
    lifted = _within(data, traits, other) - other  # what cannot be below zero is zero, and the mean larger by that
    mean = _within(data, traits, raw.mean + lifted @ masses(LEVELS))

    def told(quantiles: Float64[Tensor, "series horizon levels"]) -> Forecast:
        return Forecast(LEVELS, _within(data, traits, quantiles), mean)

    broken = data.integral and traits.fractions.any()
    return Distribution(model, data, traits, told(like), told(other) if broken else None)


def support(model: Numeric, data: DataSpec) -> Support:
    """The values that forecasts of series like the data take."""
    return model.support.integers() if data.integral else model.support


def _within(data: DataSpec, traits: Traits, values: Float64[Tensor, "series ..."]) -> Float64[Tensor, "series ..."]:
    """Not below zero where no data was, but for series that have been."""
    if not data.positive:
        return values
    return torch.where(_aligned(traits.negative, values), values, values.clamp(min=0))


def _aligned(series: Bool[ndarray, "series"], like: Tensor) -> Bool[Tensor, "series ..."]:
    """With as many dimensions as `like`."""
    return torch.from_numpy(series).view(-1, *[1] * (like.dim() - 1))


def raw_forecast(model: Numeric, data: DataSpec, panel: Panel, horizon: int, memory: Memory | None = None) -> Forecast:
    """The model's own distribution of the next `horizon` steps of every series, on the CPU, in the panel's order."""

    def ask(carry: Carry, known: Tensor) -> tuple[Tensor, ...]:
        made = model.forecast(carry, horizon, known)
        return made.quantiles, made.mean

    told = at_the_end(model, data, panel, horizon, ask, None if memory is None else memory.carry)
    if data.whole is not None:
        told = tuple(data.whole.mean + data.whole.deviation * values for values in told)
    return Forecast(LEVELS, *told)

"""Calibration: quantiles moved so that they hold on data that the model has not seen."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from forecaster.batch import Forecast
from forecaster.spec import Spec
from forecaster.support import REAL, Support

ENOUGH = 50
"""Residuals that one step needs of its own; with fewer it borrows from its neighbours."""
CLAIM = 32
"""How many held-out origins the width that a model claims counts for."""
LEAST = 0.1
"""Share of its distance to the median that each end of an interval keeps."""
SIZE = 0.05
"""Share of the size of a series that a young one's interval is taken to be wider: of one value no model knows more."""

Shares = Float64[ndarray, "horizon intervals"]


class Young(Spec):
    """The shares of series of so many steps or more."""

    steps: int
    shares: tuple[tuple[float, ...], ...]


class Widening(Spec):
    """`Calibrator` as JSON."""

    levels: tuple[float, ...]
    shares: tuple[tuple[float, ...], ...]
    residuals: int
    unit: float = 0.0
    young: tuple[Young, ...] = ()


@dataclass(frozen=True, eq=False)
class Calibrator:
    """By which share of its own width to widen each central interval on both sides, at each step.

    The interval from level p to 1 - p is widened by the (1 - 2 p)-quantile of how far held-out actuals lay outside of
    it (negative inside), in units of its width, by which it would hold this share of them: conformalised quantile
    regression (Romano et al. 2019) in its relative form (Sesia and Candès 2020), which keeps what the model says of
    calm and lively hours. Few origins are few days and say little of others: a share counts n / (n + `CLAIM`), the
    credibility of n of them beside a claim (Bühlmann 1967), which is that of the model: to widen nothing. The median
    stays: the held-out days have a bias of their own, which would come back on other days as an error. Each end keeps
    a tenth of its distance to it, so that half of a skewed distribution does not fall onto it. Steps beyond the last
    one take its shares.

    A series that has just begun has wider intervals, by what held-out actuals tell where only the last few values
    before them were known. The less is known, the wider, and beside its own width a share of its median counts,
    since of one value, or of equal ones, a model may say that it never moves.

    Of whole values the width of an interval is how many of them are in it, so that one around a single count has a
    width too; one count more, where it is missing, is added by more than `CLAIM` origins only.
    """

    levels: tuple[float, ...]
    """Symmetric around the median."""
    shares: Shares
    """Of the widest interval first."""
    residuals: int
    """Number of held-out values it was learned from."""
    unit: float = 0.0
    """The least distance between two values: of whole numbers, an interval holds one more than its ends are apart."""
    young: Mapping[int, Shares] = field(default_factory=dict)
    """The shares of short series by the length from which they hold, ascending; from twice the last on `shares` do."""

    @classmethod
    def learn(
        cls, forecast: Forecast, actual: Float64[ndarray, "series horizon"], support: Support = REAL
    ) -> "Calibrator | None":
        """From forecasts and what came after them (NaN where unknown); None where there is nothing to learn from."""
        outside = _outside(forecast, actual, support.unit)
        known = np.isfinite(outside).all(-1)
        if not known.any():
            return None
        return cls(forecast.levels, _shares(outside, known, forecast.levels), int(known.sum()), support.unit)

    def with_young(self, told: Mapping[int, tuple[Forecast, Float64[ndarray, "series horizon"]]]) -> "Calibrator":
        """Also for series of few steps, from forecasts of the last so many of longer ones and what came after them."""
        young, shares = dict[int, Shares](), self.shares
        for steps in sorted(told, reverse=True):
            forecast, actual = told[steps]
            outside = _outside(forecast, actual, self.unit, SIZE)
            known = np.isfinite(outside).all(-1)
            if known.any():
                young[steps] = shares = np.maximum(shares, _shares(outside, known, forecast.levels))
        return replace(self, young=dict(sorted(young.items())))

    def apply(self, forecast: Forecast, lengths: Int64[ndarray, "series"] | None = None) -> Forecast:
        """The forecast with its intervals widened or narrowed, and sorted where that has crossed them.

        `lengths` are the steps that each series has had, many without them.
        """
        (low, high), middle = _ends(forecast.quantiles), len(self.levels) // 2
        median = forecast.quantiles[..., middle : middle + 1]
        shares, size = self._of(lengths)
        steps = np.minimum(np.arange(forecast.quantiles.shape[1]), len(self.shares) - 1)
        width = high - low + self.unit + torch.from_numpy(size).to(median) * median.abs()
        more = torch.from_numpy(shares[:, steps]).to(median) * width
        low = torch.minimum(low - more, torch.lerp(median, low, LEAST))
        high = torch.maximum(high + more, torch.lerp(median, high, LEAST))
        quantiles = torch.cat([low, median, high.flip(-1)], -1).sort(-1).values
        return Forecast(forecast.levels, quantiles, forecast.mean)

    def _of(
        self, lengths: Int64[ndarray, "series"] | None
    ) -> tuple[Float64[ndarray, "rows horizon intervals"], Float64[ndarray, "rows 1 1"]]:
        """The shares of each series, or of all, and how much of its size counts."""
        if lengths is None or not self.young:
            return self.shares[None], np.zeros((1, 1, 1))
        every = np.stack([*self.young.values(), self.shares])
        place = np.searchsorted([*list(self.young)[1:], 2 * max(self.young)], lengths, side="right")
        return every[place], np.where(place < len(self.young), SIZE, 0.0)[:, None, None]

    def to_json(self) -> str:
        """One JSON object, see `Widening`."""
        young = tuple(Young(steps=steps, shares=shares.tolist()) for steps, shares in self.young.items())
        told = {"levels": self.levels, "residuals": self.residuals, "unit": self.unit, "young": young}
        return Widening(shares=self.shares.tolist(), **told).model_dump_json(indent=1)

    @classmethod
    def from_json(cls, text: str) -> "Calibrator":
        """The inverse of `to_json`."""
        read = Widening.model_validate_json(text)
        young = {one.steps: np.array(one.shares) for one in read.young}
        return cls(read.levels, np.array(read.shares), read.residuals, read.unit, young)


Array = TypeVar("Array", ndarray, torch.Tensor)


def _ends(quantiles: Array) -> tuple[Array, Array]:
    """Lower and upper ends of the central intervals, the widest first."""
    count = quantiles.shape[-1]
    return quantiles[..., : count // 2], quantiles[..., list(range(count - 1, count // 2, -1))]


def _outside(
    forecast: Forecast, actual: Float64[ndarray, "series horizon"], unit: float, size: float = 0.0
) -> Float64[ndarray, "horizon series intervals"]:
    """How far actuals lie outside of each interval, in units of its width; none where that is not known."""
    low, high = _ends(forecast.quantiles.numpy())
    median = forecast.quantiles.numpy()[..., len(forecast.levels) // 2, None]
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        width = high - low + unit + size * np.abs(median)
        outside = np.maximum(low - actual[..., None], actual[..., None] - high) / width
    return np.asarray(outside.transpose(1, 0, 2))


def _shares(
    outside: Float64[ndarray, "horizon series intervals"],
    known: Bool[ndarray, "horizon series"],
    levels: tuple[float, ...],
) -> Shares:
    """By which to widen each interval at each step."""
    horizon = len(outside)
    reach = next(r for r in range(horizon + 1) if _counts(known, r).min() >= ENOUGH or r == horizon)
    shares = np.zeros((horizon, outside.shape[-1]))
    for step in range(horizon):
        near = slice(max(step - reach, 0), step + reach + 1)
        beyond, origins = outside[near][known[near]], known[near].any(0).sum()
        credible = origins / (origins + CLAIM)
        for interval, level in enumerate(levels[: outside.shape[-1]]):
            # Weibull's is the estimate by which a fresh value is inside with exactly that probability.
            found = np.quantile(beyond[:, interval], 1 - 2 * level, method="weibull")
            shares[step, interval] = credible * found
    return shares


def _counts(known: ndarray, reach: int) -> ndarray:
    """Known residuals within `reach` steps of each step."""
    total = np.concatenate([[0], known.sum(1).cumsum()])
    steps = np.arange(len(known))
    return np.asarray(total[np.minimum(steps + reach + 1, len(known))] - total[np.maximum(steps - reach, 0)])

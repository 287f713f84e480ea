"""Calibration: quantiles moved so that they hold on data that the model has not seen."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float64
from numpy import ndarray

from forecaster.batch import Forecast
from forecaster.spec import Spec
from forecaster.support import REAL, Support

ENOUGH = 50
"""Residuals that one step needs of its own; with fewer it borrows from its neighbours."""
CLAIM = 32
"""Held-out origins that the width which a model claims is worth."""


class Widening(Spec):
    """`Calibrator` as JSON."""

    levels: tuple[float, ...]
    shares: tuple[tuple[float, ...], ...]
    residuals: int
    unit: float = 0.0


@dataclass(frozen=True, eq=False)
class Calibrator:
    """By which share of its own width to widen each central interval on both sides, at each step.

    The interval from level p to 1 - p is widened by the (1 - 2 p)-quantile of how far held-out actuals lay outside of
    it (negative inside), in units of its width, by which it would hold this share of them: conformalised quantile
    regression (Romano et al. 2019) in its relative form (Sesia and Candès 2020), which keeps what the model says of
    calm and lively hours. Few origins are few days and say little of others: a share counts n / (n + `CLAIM`), the
    credibility of n of them beside a claim (Bühlmann 1967), which is that of the model: to widen nothing. The median
    stays: the held-out days have a bias of their own, which would come back on other days as an error. Steps beyond
    the last one take its shares.

    Of whole values the width of an interval is how many of them are in it, so that one around a single count has a
    width too; one count more, where it is missing, is added by more than `CLAIM` origins only.
    """

    levels: tuple[float, ...]
    """Symmetric around the median."""
    shares: Float64[ndarray, "horizon intervals"]
    """Of the widest interval first."""
    residuals: int
    """Number of held-out values it was learned from."""
    unit: float = 0.0
    """The least distance of two values, which each interval is wider by than its ends are apart."""

    @classmethod
    def learn(
        cls, forecast: Forecast, actual: Float64[ndarray, "series horizon"], support: Support = REAL
    ) -> "Calibrator | None":
        """From forecasts and what came after them (NaN where unknown); None where there is nothing to learn from."""
        low, high = _ends(forecast.quantiles.numpy())
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            outside = np.maximum(low - actual[..., None], actual[..., None] - high) / (high - low + support.unit)
        rows = outside.transpose(1, 0, 2)
        known = np.isfinite(rows).all(-1)
        if not known.any():
            return None
        horizon = len(rows)
        reach = next(r for r in range(horizon + 1) if _counts(known, r).min() >= ENOUGH or r == horizon)
        shares = np.zeros((horizon, rows.shape[-1]))
        for step in range(horizon):
            near = slice(max(step - reach, 0), step + reach + 1)
            beyond, origins = rows[near][known[near]], known[near].any(0).sum()
            credible = origins / (origins + CLAIM)
            for interval, level in enumerate(forecast.levels[: rows.shape[-1]]):
                # Weibull's is the estimate by which a fresh value is inside with exactly that probability.
                found = np.quantile(beyond[:, interval], 1 - 2 * level, method="weibull")
                shares[step, interval] = credible * found
        return cls(forecast.levels, shares, int(known.sum()), support.unit)

    def apply(self, forecast: Forecast) -> Forecast:
        """The forecast with its intervals widened or narrowed, and sorted where that has crossed them."""
        steps = np.minimum(np.arange(forecast.quantiles.shape[1]), len(self.shares) - 1)
        (low, high), middle = _ends(forecast.quantiles), len(self.levels) // 2
        median = forecast.quantiles[..., middle : middle + 1]
        more = torch.from_numpy(self.shares[steps]).to(median) * (high - low + self.unit)
        low, high = torch.minimum(low - more, median), torch.maximum(high + more, median)
        quantiles = torch.cat([low, median, high.flip(-1)], -1).sort(-1).values
        return Forecast(forecast.levels, quantiles, forecast.mean)

    def to_json(self) -> str:
        """One JSON object, see `Widening`."""
        rows = tuple(tuple(row) for row in self.shares.tolist())
        written = Widening(levels=self.levels, shares=rows, residuals=self.residuals, unit=self.unit)
        return written.model_dump_json(indent=1)

    @classmethod
    def from_json(cls, text: str) -> "Calibrator":
        """The inverse of `to_json`."""
        read = Widening.model_validate_json(text)
        return cls(read.levels, np.array(read.shares), read.residuals, read.unit)


Array = TypeVar("Array", ndarray, torch.Tensor)


def _ends(quantiles: Array) -> tuple[Array, Array]:
    """Lower and upper ends of the central intervals, the widest first."""
    count = quantiles.shape[-1]
    return quantiles[..., : count // 2], quantiles[..., list(range(count - 1, count // 2, -1))]


def _counts(known: ndarray, reach: int) -> ndarray:
    """Known residuals within `reach` steps of each step."""
    total = np.concatenate([[0], known.sum(1).cumsum()])
    steps = np.arange(len(known))
    return np.asarray(total[np.minimum(steps + reach + 1, len(known))] - total[np.maximum(steps - reach, 0)])

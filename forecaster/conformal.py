"""Calibration: quantiles moved so that they hold on data that the model has not seen."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64
from numpy import ndarray

from forecaster.batch import Forecast
from forecaster.spec import Spec

ENOUGH = 50
"""Residuals that one step needs of its own; with fewer it borrows from its neighbours."""


class Offsets(Spec):
    """`Calibrator` as JSON."""

    levels: tuple[float, ...]
    offsets: tuple[tuple[float, ...], ...]
    residuals: int


@dataclass(frozen=True)
class Calibrator:
    """By how much to widen each central interval at each step, in units of the series' scale.

    An interval from level p to 1 - p is widened on both sides by the (1 - 2 p)-quantile of how far held-out actuals lay
    outside of it (negative inside), so that this share of them is in it: conformalised quantile regression (Romano et
    al. 2019). The median stays: the held-out days have a bias of their own, which would come back on other days as an
    error. Steps beyond the last one take its widths.
    """

    levels: tuple[float, ...]
    """Symmetric around the median."""
    offsets: Float64[ndarray, "horizon levels"]
    residuals: int
    """Number of held-out values it was learned from."""

    @classmethod
    def learn(cls, forecast: Forecast, actual: Float64[ndarray, "series horizon"]) -> "Calibrator | None":
        """From forecasts and what came after them (NaN where unknown); None where there is nothing to learn from."""
        scale = forecast.scale.numpy()[:, None, None]
        with np.errstate(over="ignore"):  # a series that leaves its scale by 300 orders of magnitude
            distance = (actual[..., None] - forecast.quantiles.numpy()) / np.where(scale > 0, scale, np.nan)
        rows = distance.transpose(1, 0, 2)
        known = np.isfinite(rows).all(-1)
        if not known.any():
            return None
        outside = np.maximum(-rows, rows[..., ::-1])  # below the quantile, above its mirror image
        horizon, levels = len(rows), len(forecast.levels)
        reach = next(r for r in range(horizon + 1) if _counts(known, r).min() >= ENOUGH or r == horizon)
        offsets = np.zeros((horizon, levels))
        for step in range(horizon):
            near = slice(max(step - reach, 0), step + reach + 1)
            beyond = outside[near][known[near]]
            for lower in range(levels // 2):
                # Weibull's is the estimate by which a fresh value is inside with exactly that probability.
                width = np.quantile(beyond[:, lower], 1 - 2 * forecast.levels[lower], method="weibull")
                offsets[step, lower], offsets[step, levels - 1 - lower] = -width, width
        return cls(forecast.levels, offsets, int(known.sum()))

    def apply(self, forecast: Forecast) -> Forecast:
        """The forecast with its intervals widened or narrowed, and sorted where that has crossed them."""
        steps = np.minimum(np.arange(forecast.quantiles.shape[1]), len(self.offsets) - 1)
        offsets = torch.from_numpy(self.offsets[steps]).to(forecast.quantiles)
        quantiles = forecast.quantiles + offsets * forecast.scale[:, None, None]
        return Forecast(forecast.levels, quantiles.sort(-1).values, forecast.mean, forecast.scale)

    def to_json(self) -> str:
        """One JSON object, see `Offsets`."""
        rows = tuple(tuple(row) for row in self.offsets.tolist())
        return Offsets(levels=self.levels, offsets=rows, residuals=self.residuals).model_dump_json(indent=1)

    @classmethod
    def from_json(cls, text: str) -> "Calibrator":
        """The inverse of `to_json`."""
        read = Offsets.model_validate_json(text)
        return cls(read.levels, np.array(read.offsets), read.residuals)


def _counts(known: ndarray, reach: int) -> ndarray:
    """Known residuals within `reach` steps of each step."""
    total = np.concatenate([[0], known.sum(1).cumsum()])
    steps = np.arange(len(known))
    return np.asarray(total[np.minimum(steps + reach + 1, len(known))] - total[np.maximum(steps - reach, 0)])

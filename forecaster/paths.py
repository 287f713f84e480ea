"""Joint sample paths: a Gaussian copula over the quantiles of a forecast."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64
from numpy import ndarray
from safetensors.torch import load
from safetensors.torch import save as pack
from torch import Tensor

from forecaster.batch import Forecast
from forecaster.quantiles import along, interpolate, normal_quantiles
from forecaster.support import BINARY, Support

FARTHEST = 3.0
"""Bound of a normal score: what lies beyond all quantiles says little of how far."""
LONGEST = 512
"""Steps whose correlation is measured; a longer horizon goes on from there."""
CAUTION = 0.9
"""Correlation of neighbouring steps where none was measured: sums are rather too uncertain than too certain."""


@dataclass(frozen=True)
class Dependence:
    """How the errors of the steps ahead move together.

    Steps beyond those that were measured go on as an AR(1) process from the last one. Without anything measured, and
    in artifacts from before there were paths, that is all of it.
    """

    correlation: Float64[ndarray, "steps steps"]
    """Of the normal scores: positive definite, with ones on its diagonal."""

    @classmethod
    def learn(cls, forecast: Forecast, actual: Float64[ndarray, "series horizon"], support: Support) -> "Dependence":
        """From held-out forecasts and what came after them (NaN where unknown).

        The correlation of normal scores about zero, which is their mean where forecasts are calibrated, over the pairs
        that are known. It is shrunk towards an AR(1) process with the same correlation of neighbours, by the weight
        that makes up for its sampling error (Schaefer and Strimmer 2005).
        """
        scores = normal_scores(forecast, torch.from_numpy(actual), support).numpy()[:, :LONGEST]
        known, values = (~np.isnan(scores)).astype(float), np.nan_to_num(scores)
        count = known.T @ known
        size = np.sqrt((values**2).T @ known)
        if not count.diagonal().all() or not size.diagonal().all():
            return CAUTIOUS
        measured = np.divide(values.T @ values, size * size.T, out=np.zeros_like(count), where=size * size.T > 0)
        neighbours = measured.diagonal(1)[count.diagonal(1) > 0]
        apart = np.abs(np.subtract.outer(np.arange(len(count)), np.arange(len(count))))
        target = np.clip(neighbours.mean(), 0.0, 0.99) ** apart if len(neighbours) else np.eye(len(count))
        error = ((1 - measured**2) ** 2 / np.maximum(count, 1))[apart > 0].sum()
        distance = ((measured - target) ** 2)[apart > 0].sum()
        weight = min(1.0, error / distance) if distance > 0 else 1.0
        return cls(_positive(weight * target + (1 - weight) * measured))

    def to_bytes(self) -> bytes:
        """As a safetensors file."""
        return pack({"correlation": torch.from_numpy(self.correlation)})

    @classmethod
    def from_bytes(cls, content: bytes) -> "Dependence":
        """The inverse of `to_bytes`. Raises KeyError, SafetensorError or ValueError on anything else."""
        correlation = load(content)["correlation"].numpy()
        if (
            correlation.ndim != 2
            or not np.allclose(correlation.diagonal(), 1)
            or not (correlation == correlation.T).all()
        ):
            raise ValueError("the dependence of paths is no correlation matrix")
        np.linalg.cholesky(correlation)
        return cls(correlation)

    @property
    def decay(self) -> float:
        """Correlation of neighbouring steps beyond the measured ones."""
        neighbours = self.correlation.diagonal(1)
        return float(np.clip(neighbours.mean(), 0.0, 0.999)) if len(neighbours) else CAUTION

    def draw(
        self, series: int, paths: int, horizon: int, generator: torch.Generator
    ) -> Float64[Tensor, "series paths horizon"]:
        """Standard normal scores, independent between series and between paths, dependent between steps."""
        normal = torch.randn(series, paths, horizon, generator=generator, dtype=torch.float64)
        measured = min(horizon, len(self.correlation))
        root = torch.linalg.cholesky(torch.from_numpy(self.correlation[:measured, :measured]))
        steps = list((normal[..., :measured] @ root.T).unbind(-1))
        for step in range(measured, horizon):
            steps.append(self.decay * steps[-1] + (1 - self.decay**2) ** 0.5 * normal[..., step])
        return torch.stack(steps, -1)


CAUTIOUS = Dependence(np.ones((1, 1)))
"""Where nothing was measured."""


def sample(
    forecast: Forecast,
    dependence: Dependence,
    paths: int,
    generator: torch.Generator,
    support: Support,
    temperature: float = 1.0,
) -> Float64[Tensor, "series paths horizon"]:
    """Paths whose values at each step have the distribution of the forecast, and which move as errors did.

    A temperature T takes the density of the normal scores to the power of 1 / T, as a softmax of logits over T does
    with probabilities: they stay normal and joint, with T times the variance. At 0 each step is the median.

    Counts are whole: the line through the quantiles is rounded up from some part of a whole on, which leaves whole
    quantiles as they are and is chosen so that the paths have the mean of the forecast. Of 0 and 1 the mean is the
    whole distribution, and the quantiles tell less.
    """
    series, horizon = forecast.mean.shape
    z = temperature**0.5 * dependence.draw(series, paths, horizon, generator)
    if support == BINARY:
        tail: Tensor = torch.special.ndtr(-z)
        return (tail < forecast.mean.unsqueeze(1)).double()
    at = normal_quantiles(forecast.levels, forecast.quantiles)
    values = along(forecast.quantiles, at, z.transpose(1, 2)).transpose(1, 2)
    if support.whole:
        values = values.floor() + (values - values.floor() >= _part(forecast).unsqueeze(1))
    return support.nearest(values)


def normal_scores(
    forecast: Forecast, actual: Float64[Tensor, "series horizon"], support: Support
) -> Float64[Tensor, "series horizon"]:
    """Where in its forecast each value lies, as a standard normal number within `FARTHEST`.

    The middle of all scores that `sample` would turn into this value: a whole one stands for all that is rounded to
    it, and a value that has several quantiles for all of them.
    """
    if support == BINARY:
        zero = 1 - forecast.mean
        low = torch.special.ndtri(torch.where(actual > 0, zero, 0.0))
        high = torch.special.ndtri(torch.where(actual > 0, 1.0, zero))
    else:
        part = _part(forecast)
        least, most = (actual - 1 + part, actual + part) if support.whole else (actual, actual)
        low, high = _score(forecast, least, right=False), _score(forecast, most, right=True)
    middle = (low.clamp(-FARTHEST, FARTHEST) + high.clamp(-FARTHEST, FARTHEST)) / 2
    return torch.where(actual.isnan(), torch.nan, middle)


def _part(forecast: Forecast) -> Float64[Tensor, "series horizon"]:
    """From which part of a whole on values between the quantiles are rounded up, to have the forecast's mean."""
    values = interpolate(forecast.quantiles, forecast.levels, tuple((k + 0.5) / 100 for k in range(100)))
    parts = (values - values.floor()).sort(-1).values
    raised = (forecast.mean - values.floor().mean(-1)).clamp(0, 1)
    place = (100 * (1 - raised)).round().long().clamp(max=99)
    return parts.gather(-1, place.unsqueeze(-1)).squeeze(-1).clamp(min=1e-6)


def _score(
    forecast: Forecast, value: Float64[Tensor, "series horizon"], *, right: bool
) -> Float64[Tensor, "series horizon"]:
    """The least normal score whose quantile is the value, or the greatest one: `sample` read backwards."""
    quantiles, at = forecast.quantiles.contiguous(), normal_quantiles(forecast.levels, forecast.quantiles)
    place = torch.searchsorted(quantiles, value.unsqueeze(-1), right=right)
    upper = place.clamp(1, len(at) - 1)
    below, gap = quantiles.gather(-1, upper - 1), quantiles.gather(-1, upper) - quantiles.gather(-1, upper - 1)
    inside = at[upper - 1] + (value.unsqueeze(-1) - below) / gap * (at[upper] - at[upper - 1])
    outside = torch.where(place == 0, -torch.inf, torch.inf)
    return torch.where(gap > 0, inside, outside).squeeze(-1)


def _positive(correlation: Float64[ndarray, "steps steps"]) -> Float64[ndarray, "steps steps"]:
    """The matrix with eigenvalues kept above zero, which gaps in what is known can push them below."""
    values, vectors = np.linalg.eigh(correlation)
    positive = (vectors * values.clip(1e-6)) @ vectors.T
    size = np.sqrt(positive.diagonal())
    positive = positive / np.outer(size, size)
    return np.asarray((positive + positive.T) / 2)

"""Counts: the negative binomial distribution, plain and with extra zeros."""

import math
from abc import abstractmethod
from functools import cache
from typing import NamedTuple

import torch
from jaxtyping import Float, Float64
from torch import Tensor
from torch.nn.functional import softplus

from forecaster.head import Anchor, Head
from forecaster.quantiles import along, normal_quantiles
from forecaster.special import Nodes
from forecaster.support import COUNTS

SUMMED = 512
"""Count up to which probabilities are summed up; beyond, a gamma distribution has the same three moments."""
NODES = Nodes(math.log(0.02), math.log(1e4), 48)
"""Of the logarithm of a gamma distribution's shape."""
FINE = tuple(torch.special.ndtr(torch.linspace(-3.7, 3.7, 297, dtype=torch.float64)).tolist())
"""Levels between which a gamma distribution's quantiles are nearly straight."""


class Counted(NamedTuple):
    """Zero with the probability `zero`, else negative binomial with this mean and variance mean + mean^2 / size."""

    mean: Float64[Tensor, "*shape"]
    size: Float64[Tensor, "*shape"]
    zero: Float64[Tensor, "*shape"]


class _Counts(Head):
    """A count around unit * softplus((level + scale * centre) / unit + raw), which is never below zero.

    The unit is the scale or the root of the level, whichever is larger, since a count of that mean moves at least as
    much (Poisson); it makes sense of a series that is constant or all zeros. The variance is
    mean + (unit * softplus(raw))^2, and an excess of zeros leaves the mean of all as it is.
    """

    support = COUNTS

    @abstractmethod
    def excess(self, raw: Float64[Tensor, "*shape width"]) -> Float64[Tensor, "*shape"]:
        """Probability of a zero apart from those of the negative binomial."""

    def _counted(self, raw: Float[Tensor, "*shape width"], anchor: Anchor) -> Counted:
        unit = torch.maximum(anchor.scale, anchor.level.clamp(min=1e-30).sqrt())
        raw, zero = raw.double(), self.excess(raw.double())
        mean = softplus((anchor.level + anchor.scale * anchor.centre) / unit + raw[..., 0])
        size = (mean / softplus(raw[..., 1]).clamp(min=1e-9)).square().clamp(0.02, 1e4)
        return Counted((unit * mean / (1 - zero)).clamp(1e-30, self.support.high), size, zero)

    def loss(
        self, raw: Float[Tensor, "*shape width"], y: Float64[Tensor, "*shape"], anchor: Anchor
    ) -> Float[Tensor, "*shape"]:
        mean, size, zero = self._counted(raw, anchor)
        y = y.clamp(0, self.support.high)
        ways = torch.lgamma(y + size) - torch.lgamma(size) - torch.lgamma(y + 1)
        likelihood = ways - size * torch.log1p(mean / size) - y * torch.log1p(size / mean) + torch.log1p(-zero)
        return -torch.where(y == 0, torch.logaddexp(zero.log(), likelihood), likelihood).float()

    def quantile(
        self, raw: Float[Tensor, "*shape width"], levels: tuple[float, ...], anchor: Anchor
    ) -> Float64[Tensor, "*shape levels"]:
        mean, size, zero = self._counted(raw, anchor)
        level = torch.tensor(levels, dtype=torch.float64, device=raw.device)
        rest = (level - zero.unsqueeze(-1)) / (1 - zero.unsqueeze(-1))
        quantile = _summed(mean, size, rest)
        if (large := (quantile >= SUMMED).any(-1)).any():
            beyond = self.support.nearest(_gamma(mean[large], size[large], levels, rest[large]))
            quantile[large] = torch.where(quantile[large] < SUMMED, quantile[large], beyond.clamp(min=SUMMED))
        return quantile.cummax(-1).values

    def mean(self, raw: Float[Tensor, "*shape width"], anchor: Anchor) -> Float64[Tensor, "*shape"]:
        counted = self._counted(raw, anchor)
        return counted.mean * (1 - counted.zero)


def _summed(
    mean: Float64[Tensor, "*shape"], size: Float64[Tensor, "*shape"], level: Float64[Tensor, "*shape levels"]
) -> Float64[Tensor, "*shape levels"]:
    """The least count whose distribution function reaches each level, if it is less than `SUMMED`."""
    quantile, ratio = torch.zeros_like(level), mean / (mean + size)
    mass = torch.exp(-size * torch.log1p(mean / size))
    upto = mass.clone()
    for count in range(1, SUMMED + 1):
        beyond = upto.unsqueeze(-1) < level
        if not beyond.any():
            break
        quantile += beyond
        mass *= ratio * ((count - 1 + size) / count)
        upto += mass
    return quantile


def _gamma(
    mean: Float64[Tensor, "large"],
    size: Float64[Tensor, "large"],
    levels: tuple[float, ...],
    level: Float64[Tensor, "large levels"],
) -> Float64[Tensor, "large levels"]:
    """The quantile at each level of the gamma distribution with the same three moments: exact at `levels`."""
    known = tuple(sorted({*levels, *FINE}))
    deviation = (mean + mean.square() / size).sqrt()
    skewness = (1 + 2 * mean / size) / deviation
    shape = (4 / skewness.square()).clamp(0.02, 1e4)
    z = torch.special.ndtri(level.clamp(1e-4, 1 - 1e-4))
    ratio = along(NODES.read(gamma_quantiles(known), shape.log()), normal_quantiles(known, mean), z).exp()
    return mean.unsqueeze(-1) + (deviation * shape.sqrt()).unsqueeze(-1) * (ratio - 1)


@cache
def gamma_quantiles(levels: tuple[float, ...]) -> Float64[Tensor, "nodes levels"]:
    """Logarithms of the quantiles, in units of the mean, for the shape at each of the `NODES`, by bisection."""
    shape, level = NODES.places.exp()[:, None], torch.tensor(levels, dtype=torch.float64)
    low = torch.full((len(shape), len(level)), -700.0, dtype=torch.float64)
    high = -low / 50
    for _ in range(60):
        middle = (low + high) / 2
        below = torch.special.gammainc(shape, shape * middle.exp()) < level
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    return high


class NegativeBinomial(_Counts):
    """Counts whose variance exceeds their mean, trained by likelihood (Salinas et al. 2020, "DeepAR")."""

    name = "negative_binomial"
    width = 2

    def excess(self, raw: Float64[Tensor, "*shape width"]) -> Float64[Tensor, "*shape"]:
        return torch.zeros_like(raw[..., 0]).detach()


class ZeroInflatedNegativeBinomial(_Counts):
    """Intermittent demand: zeros more often than a negative binomial has them (Greene 1994)."""

    name = "zero_inflated_negative_binomial"
    width = 3

    def excess(self, raw: Float64[Tensor, "*shape width"]) -> Float64[Tensor, "*shape"]:
        return 0.01 + 0.94 * torch.sigmoid(raw[..., 2] - 1)

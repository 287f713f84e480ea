"""Positive values: the log-normal distribution."""

import math

import torch
from jaxtyping import Float, Float64
from torch import Tensor
from torch.nn.functional import softplus

from forecaster.cores.scale import BOUND
from forecaster.head import Anchor, Head
from forecaster.quantiles import normal_quantiles
from forecaster.support import POSITIVE

WIDEST = 1.5
"""Largest standard deviation of the logarithm."""


class LogNormal(Head):
    """A normal distribution of the logarithm, trained by its likelihood; its middle and its width are relative.

    Around m = scale * softplus((level + scale * centre) / scale), which is positive and nearly the centre of a series
    far above zero, the logarithm moves in units of scale / m: there it is a normal distribution of the value.
    """

    name = "log_normal"
    width = 2
    support = POSITIVE

    def _normal(self, raw: Float[Tensor, "*shape width"], anchor: Anchor) -> tuple[Tensor, Tensor, Tensor]:
        """The value m, and mean and standard deviation of the logarithm of value / m."""
        moves = anchor.scale > 0
        scale = torch.where(moves, anchor.scale, 1.0)
        around = scale * softplus((anchor.level + scale * anchor.centre) / scale)
        around = torch.where(moves, around, anchor.level).clamp(min=self.support.low)
        unit = (anchor.scale / around).clamp(max=1.0)
        deviation = WIDEST * torch.tanh(unit * (softplus(raw[..., 1]) + 1e-4) / WIDEST)
        return around, (unit * raw[..., 0]).clamp(-math.log(BOUND), math.log(BOUND)), deviation

    def loss(
        self, raw: Float[Tensor, "*shape width"], y: Float64[Tensor, "*shape"], anchor: Anchor
    ) -> Float[Tensor, "*shape"]:
        around, mean, deviation = self._normal(raw, anchor)
        deviation = deviation.clamp(min=1e-13)
        log_y = y.clamp(min=self.support.low).log()
        z = ((log_y - around.log() - mean) / deviation).clamp(-BOUND, BOUND)
        unit = torch.where(anchor.scale > 0, anchor.scale, 1.0)  # of the density, so that the loss has none
        return (z.square() / 2 + log_y - unit.log() + deviation.log() + math.log(2 * math.pi) / 2).float()

    def quantile(
        self, raw: Float[Tensor, "*shape width"], levels: tuple[float, ...], anchor: Anchor
    ) -> Float64[Tensor, "*shape levels"]:
        around, mean, deviation = self._normal(raw, anchor)
        z = normal_quantiles(levels, around)
        return self.support.nearest(around.unsqueeze(-1) * (mean.unsqueeze(-1) + deviation.unsqueeze(-1) * z).exp())

    def mean(self, raw: Float[Tensor, "*shape width"], anchor: Anchor) -> Float64[Tensor, "*shape"]:
        around, mean, deviation = self._normal(raw, anchor)
        return self.support.nearest(around * (mean + deviation.square() / 2).exp())

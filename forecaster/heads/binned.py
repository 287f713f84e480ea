"""A number as a token: a categorical distribution over bins."""

import math

import torch
from jaxtyping import Float
from pydantic import PositiveInt
from torch import Tensor

from forecaster.head import Standard

REACH = 20.0
"""Outer edge of the last bin, in units of the scale; values beyond count as inside of it."""


class Binned(Standard):
    """A categorical distribution over bins of the scaled value, trained by the cross entropy.

    (As van den Oord et al. 2016, "Pixel recurrent neural networks", and Ansari et al. 2024, "Chronos".) The bins lie
    evenly along asinh, fine in the middle and wide outside, and a value is anywhere in its bin. Raw outputs add to the
    logarithms of a logistic distribution's mass in each bin.
    """

    name = "binned"

    def __init__(self, bins: PositiveInt = 64) -> None:
        super().__init__()
        self.width = bins
        edges = torch.linspace(-math.asinh(REACH), math.asinh(REACH), bins + 1, dtype=torch.float64).sinh()
        self.register_buffer("edges", edges, persistent=False)
        self.register_buffer("usual", torch.sigmoid(2 * edges).diff().log().float(), persistent=False)

    def _logits(self, raw: Float[Tensor, "*shape width"]) -> Float[Tensor, "*shape width"]:
        return raw + self.get_buffer("usual").to(raw)

    def score(self, raw: Float[Tensor, "*shape width"], z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        token = torch.searchsorted(self.get_buffer("edges")[1:-1], z.double().contiguous())
        return -self._logits(raw).log_softmax(-1).gather(-1, token.unsqueeze(-1)).squeeze(-1)

    def quantiles(
        self, raw: Float[Tensor, "*shape width"], levels: tuple[float, ...]
    ) -> Float[Tensor, "*shape levels"]:
        """Along the straight lines of the distribution function through its bins."""
        level = torch.tensor(levels, dtype=torch.float64, device=raw.device).expand(*raw.shape[:-1], -1)
        mass = self._logits(raw).double().softmax(-1)
        upto = mass.cumsum(-1)
        token = torch.searchsorted(upto, level.contiguous()).clamp(max=self.width - 1)
        left, right = self.get_buffer("edges")[token], self.get_buffer("edges")[token + 1]
        rest = (upto.gather(-1, token) - level) / mass.gather(-1, token).clamp(min=1e-300)
        return torch.lerp(right, left, rest.clamp(0, 1)).to(raw).cummax(-1).values

    def expectation(self, raw: Float[Tensor, "*shape width"]) -> Float[Tensor, "*shape"]:
        edges = self.get_buffer("edges").to(raw)
        return self._logits(raw).softmax(-1) @ ((edges[:-1] + edges[1:]) / 2)

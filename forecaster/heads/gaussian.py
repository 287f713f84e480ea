"""The normal distribution."""

import math

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from forecaster.head import Standard
from forecaster.quantiles import normal_quantiles


class Gaussian(Standard):
    """Normal distribution, trained by its likelihood (as DeepAR: Salinas et al. 2020)."""

    name = "gaussian"
    width = 2

    def _normal(self, raw: Float[Tensor, "*shape width"]) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
        """Mean and standard deviation."""
        return raw[..., 0], softplus(raw[..., 1]) + 1e-4

    def score(self, raw: Float[Tensor, "*shape width"], z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        mean, deviation = self._normal(raw)
        return ((z - mean) / deviation).square() / 2 + deviation.log() + math.log(2 * math.pi) / 2

    def quantiles(
        self, raw: Float[Tensor, "*shape width"], levels: tuple[float, ...]
    ) -> Float[Tensor, "*shape levels"]:
        mean, deviation = self._normal(raw)
        return mean.unsqueeze(-1) + deviation.unsqueeze(-1) * normal_quantiles(levels, raw)

    def expectation(self, raw: Float[Tensor, "*shape width"]) -> Float[Tensor, "*shape"]:
        return raw[..., 0]

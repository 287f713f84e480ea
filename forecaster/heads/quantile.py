"""Quantiles at fixed levels."""

import torch
from jaxtyping import Float
from torch import Tensor

from forecaster.head import Standard
from forecaster.quantiles import LEVELS, along, interpolate, normal_quantiles


class Quantile(Standard):
    """Quantiles at fixed levels, trained by the pinball loss (Koenker and Bassett 1978).

    The middle one is free and each other is a positive distance away from its neighbour, so they cannot cross.
    Distances are squareplus of the raw outputs (Barron 2021), a softplus without transcendental functions, and they
    are summed up by one product with a triangular matrix, as few passes over memory as there can be: this loss takes
    as long as a small network.
    Levels in between are interpolated, and those beyond extrapolated, along the standard normal's quantiles.
    """

    name = "quantile"
    homogeneous = True

    def __init__(self, levels: tuple[float, ...] = LEVELS) -> None:
        super().__init__()
        self.levels = levels
        self.width = len(levels)
        self.middle = self.width // 2
        self.register_buffer("grid", torch.tensor(levels), persistent=False)
        number = torch.arange(self.width)
        above = (number[:, None] > self.middle) & (number[:, None] <= number)
        below = (number[:, None] < self.middle) & (number[:, None] >= number)
        evenly = tuple((k + 0.5) / 1000 for k in range(1000))
        mass = interpolate(torch.eye(self.width, dtype=torch.float64), levels, evenly).mean(-1)
        self.register_buffer("mass", mass, persistent=False)  # what each quantile adds to the expectation
        gaps = normal_quantiles(levels, self.get_buffer("grid")).diff()
        width = torch.cat([gaps[: self.middle], gaps.new_zeros(1), gaps[self.middle :]]) / 4
        self.register_buffer("outward", (above.float() - below.float()) * width[:, None], persistent=False)

    def _spread(self, raw: Float[Tensor, "*shape width"]) -> Float[Tensor, "*shape width"]:
        """How far each value lies from the middle one."""
        distance = raw + (raw * raw + 4).sqrt()  # twice the squareplus
        with torch.autocast(raw.device.type, enabled=False):  # a sum of many distances needs all digits
            return distance @ self.get_buffer("outward").to(raw)

    def _values(self, raw: Float[Tensor, "*shape width"]) -> Float[Tensor, "*shape width"]:
        return raw[..., self.middle, None] + self._spread(raw)

    def score(self, raw: Float[Tensor, "*shape width"], z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Twice the mean over the levels q of max(q e, (q - 1) e), for e = z - value, or relu(-e) - q (-e)."""
        excess = self._spread(raw) + (raw[..., self.middle] - z).unsqueeze(-1)
        with torch.autocast(raw.device.type, enabled=False):
            return 2 / self.width * (torch.relu(excess).sum(-1) - excess @ self.get_buffer("grid").to(excess))

    def quantiles(
        self, raw: Float[Tensor, "*shape width"], levels: tuple[float, ...]
    ) -> Float[Tensor, "*shape levels"]:
        values = self._values(raw).cummax(-1).values  # rounding alone can cross quantiles that nearly touch
        return values if levels == self.levels else interpolate(values, self.levels, levels)

    def expectation(self, raw: Float[Tensor, "*shape width"]) -> Float[Tensor, "*shape"]:
        return self._values(raw) @ self.get_buffer("mass").to(raw)

    def draw(self, raw: Float[Tensor, "*shape width"], generator: torch.Generator) -> Float[Tensor, "*shape"]:
        chance = torch.rand(raw.shape[:-1], generator=generator, device=raw.device, dtype=raw.dtype)
        normal = torch.special.ndtri(chance.clamp(1e-4, 1 - 1e-4))
        at = normal_quantiles(self.levels, raw)
        return along(self._values(raw), at, normal.unsqueeze(-1)).squeeze(-1)

"""Quantiles at fixed levels."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from forecaster.head import Standard
from forecaster.quantiles import LEVELS, interpolate, masses, normal_quantiles


class Quantile(Standard):
    """Quantiles at fixed levels, trained by the pinball loss (Koenker and Bassett 1978).

    The middle one is free and each other is a positive distance away from its neighbour, so they cannot cross.
    Distances are squareplus of the raw outputs (Barron 2021), a softplus without transcendental functions, and they
    are summed up by one product with a triangular matrix.
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
        self.register_buffer("mass", masses(levels), persistent=False)
        gaps = normal_quantiles(levels, self.get_buffer("grid")).diff()
        width = torch.cat([gaps[: self.middle], gaps.new_zeros(1), gaps[self.middle :]]) / 4
        self.register_buffer("outward", (above.float() - below.float()) * width[:, None], persistent=False)

    def _values(self, raw: Float[Tensor, "*shape width"]) -> Float[Tensor, "*shape width"]:
        return raw[..., self.middle, None] + (raw + _root(raw)) @ self.get_buffer("outward").to(raw)

    def score(self, raw: Float[Tensor, "*shape width"], z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Twice the mean over the levels q of max(q e, (q - 1) e), for e = z - value."""
        outward, grid = (self.get_buffer(name).to(raw) for name in ("outward", "grid"))
        with torch.autocast(raw.device.type, enabled=False):  # a sum of many distances needs all digits
            sums: Tensor = _Pinball.apply(raw, z, outward, grid)  # type: ignore[no-untyped-call]
        return 2 / self.width * sums

    def quantiles(
        self, raw: Float[Tensor, "*shape width"], levels: tuple[float, ...]
    ) -> Float[Tensor, "*shape levels"]:
        values = self._values(raw).cummax(-1).values  # rounding alone can cross quantiles that nearly touch
        return values if levels == self.levels else interpolate(values, self.levels, levels)

    def expectation(self, raw: Float[Tensor, "*shape width"]) -> Float[Tensor, "*shape"]:
        return self._values(raw) @ self.get_buffer("mass").to(raw)


class _Pinball(torch.autograd.Function):
    """Sum of |e| / 2 + (1/2 - q) e over the levels q in `grid`, where e is the excess of the value over z.

    The gradient is by hand: by autograd the two take twice as many passes over memory, and a training a fifth longer.
    """

    @staticmethod
    def forward(ctx: Any, raw: Tensor, z: Tensor, outward: Tensor, grid: Tensor) -> Tensor:
        root, tilt = _root(raw), 0.5 - grid
        distance = raw + root  # twice the squareplus
        excess = (distance @ outward).add_((raw[..., len(grid) // 2] - z).unsqueeze(-1))
        ctx.save_for_backward(excess, distance.div_(root), outward, tilt)
        return excess.abs().sum(-1) / 2 + excess @ tilt

    @staticmethod
    def backward(ctx: Any, *grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        excess, growth, outward, tilt = ctx.saved_tensors
        slope = excess.sign().div_(2).add_(tilt).mul_(grad[0].unsqueeze(-1))
        moved = slope.sum(-1)
        of_raw = (slope @ outward.T).mul_(growth)
        of_raw[..., len(tilt) // 2] += moved
        return of_raw, -moved, None, None


def _root(raw: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """sqrt(raw^2 + 4): with raw itself added twice the squareplus, whose derivative is it over this root."""
    return raw.square().add_(4).sqrt_()

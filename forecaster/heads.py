"""Heads: from raw outputs of a network to a distribution in scaled units. They know neither core nor trainer."""

import math
from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import softplus

LEVELS = (0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975)
"""The quantile levels that models are trained for and artifacts are calibrated at."""


class Head(nn.Module, ABC):
    """A distribution family. The contract in `tests/laws.py`: a proper loss, quantiles that never cross."""

    width: int
    """How many raw outputs describe one value."""

    @abstractmethod
    def loss(self, raw: Float[Tensor, "*shape width"], y: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """A proper score of each value; lower is better."""

    @abstractmethod
    def quantile(self, raw: Float[Tensor, "*shape width"], levels: tuple[float, ...]) -> Float[Tensor, "*shape levels"]:
        """Quantiles at the given levels (ascending), non-decreasing along them."""

    @abstractmethod
    def mean(self, raw: Float[Tensor, "*shape width"]) -> Float[Tensor, "*shape"]:
        """The expectation."""

    @abstractmethod
    def sample(self, raw: Float[Tensor, "*shape width"], generator: torch.Generator) -> Float[Tensor, "*shape"]:
        """One draw of each value."""


class Quantile(Head):
    """Quantiles at fixed levels, trained by the pinball loss (Koenker and Bassett 1978).

    The middle one is free and each other is a positive distance away from its neighbour, so they cannot cross.
    Distances are squareplus of the raw outputs (Barron 2021), a softplus without transcendental functions, and they
    are summed up by one product with a triangular matrix: the head takes half of the time of a small model.
    Levels in between are interpolated, and those beyond extrapolated, along the standard normal's quantiles.
    """

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
        gaps = _normal_quantiles(levels, self.get_buffer("grid")).diff()
        width = torch.cat([gaps[: self.middle], gaps.new_zeros(1), gaps[self.middle :]]) / 2
        self.register_buffer("outward", (above.float() - below.float()) * width[:, None], persistent=False)

    def _values(self, raw: Float[Tensor, "*shape width"]) -> Float[Tensor, "*shape width"]:
        distance = (raw + (raw * raw + 4).sqrt()) / 2
        with torch.autocast(raw.device.type, enabled=False):  # a sum of many distances needs all digits
            return raw[..., self.middle, None] + distance @ self.get_buffer("outward").to(raw)

    def loss(self, raw: Float[Tensor, "*shape width"], y: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        error = y.unsqueeze(-1) - self._values(raw)
        grid = self.get_buffer("grid")
        return 2 * torch.maximum(grid * error, (grid - 1) * error).mean(-1)

    def quantile(self, raw: Float[Tensor, "*shape width"], levels: tuple[float, ...]) -> Float[Tensor, "*shape levels"]:
        values = self._values(raw).cummax(-1).values  # rounding alone can cross quantiles that nearly touch
        return values if levels == self.levels else interpolate(values, self.levels, levels)

    def mean(self, raw: Float[Tensor, "*shape width"]) -> Float[Tensor, "*shape"]:
        return self._values(raw) @ self.get_buffer("mass").to(raw)

    def sample(self, raw: Float[Tensor, "*shape width"], generator: torch.Generator) -> Float[Tensor, "*shape"]:
        chance = torch.rand(raw.shape[:-1], generator=generator, device=raw.device, dtype=raw.dtype)
        z = torch.special.ndtri(chance.clamp(1e-4, 1 - 1e-4))
        at = _normal_quantiles(self.levels, raw)
        return _along(self._values(raw), at, z.unsqueeze(-1)).squeeze(-1)


class Gaussian(Head):
    """Normal distribution, trained by its likelihood (as DeepAR: Salinas et al. 2020)."""

    width = 2

    def _normal(self, raw: Float[Tensor, "*shape width"]) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
        """Mean and standard deviation."""
        return raw[..., 0], softplus(raw[..., 1]) + 1e-4

    def loss(self, raw: Float[Tensor, "*shape width"], y: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        mean, deviation = self._normal(raw)
        return ((y - mean) / deviation).square() / 2 + deviation.log() + math.log(2 * math.pi) / 2

    def quantile(self, raw: Float[Tensor, "*shape width"], levels: tuple[float, ...]) -> Float[Tensor, "*shape levels"]:
        mean, deviation = self._normal(raw)
        return mean.unsqueeze(-1) + deviation.unsqueeze(-1) * _normal_quantiles(levels, raw)

    def mean(self, raw: Float[Tensor, "*shape width"]) -> Float[Tensor, "*shape"]:
        return raw[..., 0]

    def sample(self, raw: Float[Tensor, "*shape width"], generator: torch.Generator) -> Float[Tensor, "*shape"]:
        mean, deviation = self._normal(raw)
        noise = torch.randn(mean.shape, generator=generator, device=raw.device, dtype=raw.dtype)
        return mean + deviation * noise


def interpolate(
    values: Float[Tensor, "*shape known"], known: tuple[float, ...], levels: tuple[float, ...]
) -> Float[Tensor, "*shape levels"]:
    """Quantiles at `levels` from quantiles at the `known` levels, along the standard normal's quantile function."""
    at, z = _normal_quantiles(known, values), _normal_quantiles(levels, values)
    return _along(values, at, z.expand(*values.shape[:-1], -1))


def _normal_quantiles(levels: tuple[float, ...], like: Tensor) -> Float[Tensor, "levels"]:
    z: Tensor = torch.special.ndtri(torch.tensor(levels, dtype=torch.float64))
    return z.to(like)


def _along(values: Tensor, at: Tensor, z: Tensor) -> Tensor:
    """The line through the points (at, values), read at z; its ends go on straight."""
    right = torch.searchsorted(at, z.contiguous()).clamp(1, len(at) - 1)
    low, high = values.gather(-1, right - 1), values.gather(-1, right)
    share = (z - at[right - 1]) / (at[right] - at[right - 1])
    return torch.lerp(low, high, share)  # exact at both ends and monotone between them

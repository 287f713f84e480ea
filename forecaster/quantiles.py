"""Quantiles at given levels, and how to read between them."""

from functools import lru_cache

import torch
from jaxtyping import Float, Float64
from torch import Tensor

LEVELS = (0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975)
"""The quantile levels that models are trained for and artifacts are calibrated at."""


def interpolate(
    values: Float[Tensor, "*shape known"], known: tuple[float, ...], levels: tuple[float, ...]
) -> Float[Tensor, "*shape levels"]:
    """Quantiles at `levels` from quantiles at the `known` levels, along the standard normal's quantile function."""
    at, z = normal_quantiles(known, values), normal_quantiles(levels, values)
    return along(values, at, z.expand(*values.shape[:-1], -1))


@lru_cache
def masses(levels: tuple[float, ...]) -> Float64[Tensor, "levels"]:
    """What each quantile adds to the expectation: the mean of the distribution at a thousand evenly spaced levels."""
    evenly = tuple((k + 0.5) / 1000 for k in range(1000))
    return interpolate(torch.eye(len(levels), dtype=torch.float64), levels, evenly).mean(-1)


def normal_quantiles(levels: tuple[float, ...], like: Tensor) -> Float[Tensor, "levels"]:
    """The standard normal's quantiles at `levels`, in the type of `like`."""
    return torch.tensor(_ndtri(levels), dtype=like.dtype, device=like.device)


@lru_cache
def _ndtri(levels: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(torch.special.ndtri(torch.tensor(levels, dtype=torch.float64)).tolist())


def along(values: Tensor, at: Tensor, z: Tensor) -> Tensor:
    """The line through the points (at, values), read at z; its ends go on straight."""
    right = torch.searchsorted(at, z.contiguous()).clamp(1, len(at) - 1)
    low, high = values.gather(-1, right - 1), values.gather(-1, right)
    share = (z - at[right - 1]) / (at[right] - at[right - 1])
    return torch.lerp(low, high, share)  # exact at both ends and monotone between them

"""Tensors with gaps, where nothing was observed: NaN."""

import torch
from jaxtyping import Float32, Float64
from torch import Tensor


def fill_forward(values: Float64[Tensor, "batch time *width"]) -> Float64[Tensor, "batch time *width"]:
    """Each missing value replaced by the last known one before it, if there is one."""
    time = torch.arange(values.shape[1], device=values.device).view(-1, *[1] * (values.dim() - 2))
    latest = torch.where(values.isnan(), -1, time).cummax(1).values
    filled = values.gather(1, latest.clamp(min=0))
    return torch.where(latest < 0, torch.nan, filled)


def mean_of_known(values: Float64[Tensor, "batch time *width"]) -> Float64[Tensor, "batch 1 *width"]:
    """The mean of what is not NaN, zero where all is; divided first, so that the sum does not overflow."""
    count = (~values.isnan()).sum(1, keepdim=True).clamp(min=1)
    return (values.nan_to_num() / count).sum(1, keepdim=True)


def tokens(target: Float64[Tensor, "*shape"], labels: int) -> Float32[Tensor, "*shape labels"]:
    """What is known of each label: one-hot, and for a gap or an unknown label all of them, equally likely.

    So the unknown token has no weights of its own, which a training set that knows all its labels could not teach.

    >>> tokens(torch.tensor([1.0, torch.nan, 7.0], dtype=torch.float64), 2)
    tensor([[0.0000, 1.0000],
            [0.5000, 0.5000],
            [0.5000, 0.5000]])
    """
    hot = target.unsqueeze(-1) == torch.arange(labels, device=target.device)
    return torch.where(hot.any(-1, keepdim=True), hot.float(), 1 / labels)

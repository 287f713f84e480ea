"""What goes into a model and what comes out of it: named, shape-checked."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float32, Float64, Int64
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Lanes of equal length, each a stretch of one series.

    `future` holds the targets right after the stretch, which only a loss may read; `known` reaches over them.
    A lane with `reset` begins a new series (or a window that stands alone): its carry starts afresh.
    """

    target: Float64[Tensor, "batch time"]
    """Observed values, NaN where missing; codes of labels are values too."""
    known: Float32[Tensor, "batch reach known"]
    """Covariates known ahead of time, for the stretch and the steps after it: reach = time + ahead."""
    past: Float32[Tensor, "batch time past"]
    """Covariates known only up to the present, NaN where missing."""
    static: Int64[Tensor, "batch static"]
    """Category codes of the series, 0 for a category not seen in training."""
    reset: Bool[Tensor, "batch"]
    future: Float64[Tensor, "batch ahead"]
    """Targets of the next steps, or of hidden ones, NaN where missing or not to be learned from."""
    unit: Float64[Tensor, "batch"]
    """By which the errors of a series are judged, NaN where one counts in its own scale; only a loss may read it."""

    def to(self, device: torch.device) -> "Batch":
        return Batch(
            *(
                value.to(device, non_blocking=True)
                for value in (self.target, self.known, self.past, self.static, self.reset, self.future, self.unit)
            )
        )


@dataclass(frozen=True)
class Forecast:
    """The predictive distribution of each lane's next steps, in the units of the series."""

    levels: tuple[float, ...]
    quantiles: Float64[Tensor, "batch horizon levels"]
    """Non-decreasing along the levels."""
    mean: Float64[Tensor, "batch horizon"]


@dataclass(frozen=True)
class Chances:
    """The predictive distribution of each lane's next steps, where a step is one of several labels."""

    probabilities: Float64[Tensor, "batch horizon labels"]
    """Of each label at each step; they sum to one over the labels."""

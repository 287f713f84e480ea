"""What goes into a model and what comes out of it: named, shape-checked."""

from collections.abc import Callable
from dataclasses import dataclass, fields

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

    @classmethod
    def imagined(
        cls,
        target: Float64[Tensor, "batch time"],
        known: Float32[Tensor, "batch time known"],
        static: Int64[Tensor, "batch static"],
        past: int,
    ) -> "Batch":
        """What a model has said, as observations that go on: of them `past` covariates are not known."""
        return cls(
            target=target,
            known=known,
            past=known.new_full((*target.shape, past), torch.nan),
            static=static,
            reset=torch.zeros(len(target), dtype=torch.bool, device=target.device),
            future=target[:, :0],
            unit=torch.full_like(target[:, 0], torch.nan),
        )

    def each(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        """With every tensor changed."""
        return Batch(**{field.name: change(getattr(self, field.name)) for field in fields(self)})

    def to(self, device: torch.device) -> "Batch":
        """On a device."""
        return self.each(lambda values: values.to(device, non_blocking=True))


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

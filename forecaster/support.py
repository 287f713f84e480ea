"""Which values a series can take: what a model asks of its data and keeps to in its forecasts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64
from torch import Tensor


@dataclass(frozen=True)
class Support:
    """Numbers from `low` to `high`, all of them or the whole ones."""

    words: str
    """What to tell a user who has others."""
    low: float = -math.inf
    high: float = math.inf
    whole: bool = False

    @property
    def scales(self) -> bool:
        """Whether a multiple of a value is a value too."""
        return not self.whole

    @property
    def unit(self) -> float:
        """The least distance of two values."""
        return 1.0 if self.whole else 0.0

    def integers(self) -> "Support":
        """The whole numbers in it."""
        return replace(self, low=float(np.ceil(self.low)), high=float(np.floor(self.high)), whole=True)

    def holds(self, values: Float64[Tensor, "*shape"]) -> Bool[Tensor, "*shape"]:
        """Which values are in it; one that is missing is."""
        inside = (values >= self.low) & (values <= self.high) & (not self.whole or values == values.round())
        return inside | values.isnan()

    def nearest(self, values: Float64[Tensor, "*shape"]) -> Float64[Tensor, "*shape"]:
        """The nearest value to each that is in it.

        Quantiles read between or moved away from whole ones become whole again, in the same order, and an interval
        between them loses none of the values that were inside.
        """
        whole = values.round() + 0.0  # the zero that -0.2 rounds to is negative
        return (whole if self.whole else values).clamp(self.low, self.high)


REAL = Support("numbers")
ABOVE_ZERO = Support("numbers above 0", low=math.ulp(0.0))
POSITIVE = Support("numbers above 0", low=1e-300, high=1e304)
COUNTS = Support("counts: whole numbers from 0 to 1e9", low=0.0, high=1e9, whole=True)
BINARY = Support("0 or 1", low=0.0, high=1.0, whole=True)


def narrowest(supports: Sequence[Support]) -> Support:
    """The one that says most of a series whose values are in all of them."""
    return min(supports, key=lambda support: (support.high - support.low, -support.low))

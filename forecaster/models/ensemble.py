"""Several models as one."""

from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Float32
from torch import Tensor, nn

from forecaster.batch import Batch, Forecast
from forecaster.errors import DataError
from forecaster.model import Carry, Model, Numeric
from forecaster.state import part, parts
from forecaster.support import Support, narrowest


class Ensemble(Numeric):
    """Members that each keep their own carry; the forecast is the median or mean of their quantiles, level by level.

    (Lichtendahl, Grushka-Cockayne and Winkler 2013, "Is it better to average probabilities or quantiles?": the average
    keeps the members' shape, where a mixture of them is too wide. The median of several leaves out the one that is far
    off for a series: Stock and Watson 2004.)
    """

    def __init__(self, members: Sequence[Model], *, median: bool) -> None:
        super().__init__()
        if others := [member for member in members if not isinstance(member, Numeric)]:
            raise DataError(
                f"{type(others[0]).__name__} has no quantiles to pool", remedy="put models of numbers together"
            )
        self.members = cast("Sequence[Numeric]", nn.ModuleList(members))
        self.median = median
        self.horizon = members[0].horizon
        self.past = members[0].past
        self.stride = max(member.stride for member in members)
        self.support = narrowest([member.support for member in self.members])

    @property
    def domain(self) -> Support:
        return narrowest([member.domain for member in self.members])

    def start(self, lanes: int, stride: int = 1) -> Carry:
        whole = stride == self.stride
        return self._joined([member.start(lanes, member.stride if whole else 1) for member in self.members])

    def loss(self, carry: Carry, batch: Batch) -> tuple[Carry, Float32[Tensor, ""]]:
        """The mean of the members' losses: each learns as if it were alone."""
        read = [member.loss(part(carry, str(i)), batch) for i, member in enumerate(self.members)]
        return self._joined([after for after, _ in read]), torch.stack([loss for _, loss in read]).mean()

    def observe(self, carry: Carry, batch: Batch) -> Carry:
        return self._joined([member.observe(part(carry, str(i)), batch) for i, member in enumerate(self.members)])

    def block(self, carry: Carry, known: Float32[Tensor, "batch horizon known"]) -> Forecast:
        told = [member.block(part(carry, str(i)), known) for i, member in enumerate(self.members)]
        return pooled(told, median=self.median)

    @staticmethod
    def _joined(carries: list[Carry]) -> Carry:
        """The carries under the members' numbers, beside the static covariates, of which some members keep none."""
        static = max((carry["last.static"] for carry in carries), key=lambda codes: codes.shape[1])
        return parts(**{str(i): carry for i, carry in enumerate(carries)}) | {"last.static": static}


def pooled(forecasts: list[Forecast], *, median: bool) -> Forecast:
    """The median or the mean of several forecasts of the same series, value by value."""
    beside = (len(forecasts) - 1) // 2 if median else 0

    def middle(name: str) -> torch.Tensor:
        ordered = torch.stack([getattr(forecast, name) for forecast in forecasts]).sort(0).values
        return ordered[beside : len(forecasts) - beside].mean(0)

    return Forecast(forecasts[0].levels, middle("quantiles"), middle("mean"))

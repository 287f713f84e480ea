"""Models that give one value per step, with a rough spread for calibration to mend: what every network has to beat."""

import math
from abc import abstractmethod
from typing import NamedTuple, final

import torch
from jaxtyping import Float32, Float64, Int64
from torch import Tensor

from forecaster.batch import Batch, Forecast
from forecaster.cores.scale import normalise
from forecaster.gaps import fill_forward, mean_of_known
from forecaster.model import Carry, Numeric
from forecaster.parallel import mean_loss
from forecaster.quantiles import LEVELS, normal_quantiles
from forecaster.state import afresh
from forecaster.support import REAL

RECENT = 64
"""Changes from which the deviation of a naive forecast is told at least."""


class Seen(NamedTuple):
    """What one value per step is told from."""

    target: Float64[Tensor, "batch memory"]
    """The last values, NaN where missing."""
    latest: Float64[Tensor, "batch 1"]
    """The last known value, however long ago."""
    past: Float32[Tensor, "batch memory past"]
    """Covariates of the last steps, NaN where missing."""
    known: Float32[Tensor, "batch horizon known"]
    """Covariates of the steps ahead."""
    static: Int64[Tensor, "batch static"]


class Pointwise(Numeric):
    """Remembers the last `memory` observations and the last known one, however long ago.

    Around each value lie the quantiles of a normal distribution.
    """

    stride = 1
    support = REAL

    def __init__(self, *, horizon: int, memory: int, past: int, static: int = 0) -> None:
        super().__init__()
        self.horizon, self.memory, self.past, self.static = horizon, memory, past, static
        self.register_buffer("nothing", torch.zeros(0), persistent=False)

    @abstractmethod
    def point(self, seen: Seen) -> tuple[Float64[Tensor, "batch horizon"], Float64[Tensor, "batch #horizon"]]:
        """The next `horizon` values, and the deviation."""

    @final
    def start(self, lanes: int, stride: int = 1) -> Carry:  # noqa: ARG002
        like = self.get_buffer("nothing")
        return {
            "last.target": like.new_full((lanes, self.memory), torch.nan, dtype=torch.float64),
            "last.latest": like.new_zeros(lanes, 1, dtype=torch.float64),
            "last.past": like.new_full((lanes, self.memory, self.past), torch.nan),
            "last.static": like.new_zeros(lanes, self.static, dtype=torch.int64),
        }

    @final
    def observe(self, carry: Carry, batch: Batch) -> Carry:
        return self._read(carry, batch)[0]

    @final
    def block(self, carry: Carry, known: Float32[Tensor, "batch horizon known"]) -> Forecast:
        target, latest, past, static = (carry[f"last.{name}"] for name in ("target", "latest", "past", "static"))
        mean, scale = self.point(Seen(target, latest, past, known, static))
        spread = scale.unsqueeze(-1) * normal_quantiles(LEVELS, scale)
        return Forecast(LEVELS, mean.unsqueeze(-1) + spread, mean)

    @final
    def loss(self, carry: Carry, batch: Batch) -> tuple[Carry, Float32[Tensor, ""]]:
        """Mean absolute error in units of the scale, of the forecasts from every step."""
        after, target, latest, past = self._read(carry, batch)
        time = batch.target.shape[1]

        def origins(values: Tensor, length: int) -> Tensor:
            """The `length` values from each of the first `time` places on, of [batch, steps, ...]."""
            return values[:, 1:].unfold(1, length, 1)[:, :time].flatten(0, 1)

        history, ahead = origins(target, self.memory), torch.cat([batch.target, batch.future], 1)
        beside = origins(past, self.memory).mT, origins(batch.known, self.horizon).mT
        static = after["last.static"].repeat_interleave(time, dim=0)
        mean, scale = self.point(Seen(history, latest[:, 1:].reshape(-1, 1), *beside, static))
        error = normalise(origins(ahead, self.horizon), mean, scale.expand_as(mean)).abs()
        counts = ~error.isnan() & (scale > 0)
        return after, mean_loss(torch.where(counts, error, 0.0), counts)

    def _read(
        self, carry: Carry, batch: Batch
    ) -> tuple[
        Carry,
        Float64[Tensor, "batch history"],
        Float64[Tensor, "batch steps"],
        Float32[Tensor, "batch history past"],
    ]:
        """The carry after a batch, its values and past covariates after those remembered, and by each of its steps the
        last known value."""
        carry = afresh(carry, batch.reset, self.start)
        target = torch.cat([carry["last.target"], batch.target], 1)
        latest = fill_forward(torch.cat([carry["last.latest"], batch.target], 1))
        past = torch.cat([carry["last.past"], batch.past], 1)
        after = {
            "last.target": target[:, -self.memory :],
            "last.latest": latest[:, -1:],
            "last.past": past[:, -self.memory :],
            "last.static": batch.static[:, : self.static],
        }
        return after, target, latest, past


class SeasonalNaive(Pointwise):
    """Repeats the last season; over a gap, one of the three seasons before, or else the last known value.

    Each place of the season is a random walk, whose deviation grows with the root of the seasons ahead. It has no use
    for covariates: nothing in it is learned that could weigh them.
    """

    growth: Tensor

    def __init__(self, *, horizon: int, season: int, past: int = 0) -> None:
        super().__init__(horizon=horizon, memory=max(4, -(-RECENT // season)) * season + season, past=past)
        self.season = season
        seasons = 1 + torch.arange(horizon, dtype=torch.float64) // season
        self.register_buffer("growth", math.sqrt(math.pi / 2) * seasons.sqrt(), persistent=False)

    def point(self, seen: Seen) -> tuple[Float64[Tensor, "batch horizon"], Float64[Tensor, "batch horizon"]]:
        seasons = torch.unflatten(seen.target[:, -4 * self.season :], 1, (4, self.season))
        last = fill_forward(seasons)[:, -1]
        last = torch.where(last.isnan(), seen.latest, last)
        change = (seen.target[:, self.season :] - seen.target[:, : -self.season]).abs()
        return last[:, [step % self.season for step in range(self.horizon)]], mean_of_known(change) * self.growth

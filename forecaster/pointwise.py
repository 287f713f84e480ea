"""Models that give one value per step, with a rough spread for calibration to mend: what every network has to beat."""

from abc import abstractmethod
from typing import final

import torch
from jaxtyping import Float32, Float64
from torch import Tensor, nn

from forecaster.batch import Batch, Forecast
from forecaster.model import Carry, Numeric
from forecaster.parallel import mean_loss
from forecaster.quantiles import LEVELS, normal_quantiles
from forecaster.scale import normalise
from forecaster.state import where
from forecaster.support import REAL


class Pointwise(Numeric):
    """Remembers the last `memory` observations and the last known one, however long ago.

    Around it lie the quantiles of a normal distribution with the scale of the series as its deviation.
    """

    stride = 1
    support = REAL

    def __init__(self, *, horizon: int, memory: int, past: int) -> None:
        super().__init__()
        self.horizon, self.memory, self.past = horizon, memory, past
        self.register_buffer("nothing", torch.zeros(0), persistent=False)

    @abstractmethod
    def point(
        self, target: Float64[Tensor, "batch memory"], latest: Float64[Tensor, "batch 1"]
    ) -> tuple[Float64[Tensor, "batch horizon"], Float64[Tensor, "batch"]]:
        """The next `horizon` values, and the scale: from the last values (NaN where missing) and the last known."""

    @final
    def start(self, lanes: int, stride: int = 1) -> Carry:  # noqa: ARG002
        like = self.get_buffer("nothing")
        return {
            "last.target": like.new_full((lanes, self.memory), torch.nan, dtype=torch.float64),
            "last.latest": like.new_zeros(lanes, 1, dtype=torch.float64),
            "last.static": like.new_zeros(lanes, 0, dtype=torch.int64),
        }

    @final
    def observe(self, carry: Carry, batch: Batch) -> Carry:
        return self._read(carry, batch)[0]

    @final
    def block(self, carry: Carry, known: Float32[Tensor, "batch horizon known"]) -> Forecast:  # noqa: ARG002
        mean, scale = self.point(carry["last.target"], carry["last.latest"])
        spread = scale[:, None, None] * normal_quantiles(LEVELS, scale)
        return Forecast(LEVELS, mean.unsqueeze(-1) + spread, mean)

    @final
    def loss(self, carry: Carry, batch: Batch) -> tuple[Carry, Float32[Tensor, ""]]:
        """Mean absolute error in units of the scale, of the forecasts from every step."""
        after, target, latest = self._read(carry, batch)
        history = target[:, 1:].unfold(1, self.memory, 1)
        ahead = torch.cat([batch.target, batch.future], 1)[:, 1:].unfold(1, self.horizon, 1)
        mean, scale = self.point(history.flatten(0, 1), latest[:, 1:].reshape(-1, 1))
        error = normalise(ahead[:, : history.shape[1]].flatten(0, 1), mean, scale.unsqueeze(1)).abs()
        counts = ~error.isnan() & (scale > 0).unsqueeze(1)
        return after, mean_loss(torch.where(counts, error, 0.0), counts)

    def _read(
        self, carry: Carry, batch: Batch
    ) -> tuple[Carry, Float64[Tensor, "batch history"], Float64[Tensor, "batch steps"]]:
        """The carry after a batch, its values after those remembered, and the last known one by each of its steps."""
        carry = where(batch.reset, self.start(len(batch.reset)), carry)
        target = torch.cat([carry["last.target"], batch.target], 1)
        latest = fill_forward(torch.cat([carry["last.latest"], batch.target], 1).unsqueeze(-1)).squeeze(-1)
        after = carry | {"last.target": target[:, -self.memory :], "last.latest": latest[:, -1:]}
        return after, target, latest


class SeasonalNaive(Pointwise):
    """Repeats the last season; over a gap, one of the three seasons before, or else the last known value."""

    def __init__(self, *, horizon: int, season: int, past: int = 0) -> None:
        super().__init__(horizon=horizon, memory=4 * season + 1, past=past)
        self.season = season

    def point(
        self, target: Float64[Tensor, "batch memory"], latest: Float64[Tensor, "batch 1"]
    ) -> tuple[Float64[Tensor, "batch horizon"], Float64[Tensor, "batch"]]:
        seasons = torch.unflatten(target[:, -4 * self.season :], 1, (4, self.season))
        last = fill_forward(seasons)[:, -1]
        last = torch.where(last.isnan(), latest, last)
        change = (target[:, self.season :] - target[:, : -self.season]).abs()
        return last[:, [step % self.season for step in range(self.horizon)]], mean_of_known(change).squeeze(1)


class Linear(Pointwise):
    """Direct linear regression of all steps ahead on the last `lags` values, in units of their own scale.

    Its weights come from least squares, not from gradient descent (`pipelines.baselines`).
    """

    def __init__(self, *, horizon: int, lags: int, past: int = 0) -> None:
        super().__init__(horizon=horizon, memory=lags, past=past)
        self.map = nn.Linear(lags, horizon)

    def scaled(
        self, target: Float64[Tensor, "batch memory"]
    ) -> tuple[Float32[Tensor, "batch memory"], Float64[Tensor, "batch 1"], Float64[Tensor, "batch 1"]]:
        """The lags in scaled units, zero where missing, with the level and the scale that were taken out."""
        level = mean_of_known(target)
        scale = mean_of_known((target - level).abs())
        return normalise(target, level, scale).nan_to_num(), level, scale

    def point(
        self, target: Float64[Tensor, "batch memory"], latest: Float64[Tensor, "batch 1"]
    ) -> tuple[Float64[Tensor, "batch horizon"], Float64[Tensor, "batch"]]:
        lags, level, scale = self.scaled(target)
        level = torch.where(target.isnan().all(1, keepdim=True), latest, level)
        return level + scale * self.map(lags).double(), scale.squeeze(1)


def fill_forward(values: Float64[Tensor, "batch time width"]) -> Float64[Tensor, "batch time width"]:
    """Each missing value replaced by the last known one before it, if there is one."""
    time = torch.arange(values.shape[1], device=values.device)[:, None]
    latest = torch.where(values.isnan(), -1, time).cummax(1).values
    filled = values.gather(1, latest.clamp(min=0))
    return torch.where(latest < 0, torch.nan, filled)


def mean_of_known(values: Float64[Tensor, "batch time"]) -> Float64[Tensor, "batch 1"]:
    """The mean of what is not NaN, zero where all is; divided first, so that the sum does not overflow."""
    count = (~values.isnan()).sum(1, keepdim=True).clamp(min=1)
    return (values.nan_to_num() / count).sum(1, keepdim=True)

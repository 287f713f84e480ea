"""The state-space model: what a linear-Gaussian state says of the steps ahead, in closed form."""

import math

import torch
from jaxtyping import Float32, Float64
from torch import Tensor, nn

from forecaster.batch import Batch, Forecast
from forecaster.cores.kalman import Kalman
from forecaster.cores.scale import normalise, worth
from forecaster.gaps import fill_forward
from forecaster.model import Carry, Numeric
from forecaster.parallel import mean_loss
from forecaster.quantiles import LEVELS, normal_quantiles
from forecaster.state import afresh, part, parts
from forecaster.support import REAL


class Structural(Numeric):
    """Level, trend and seasons of each series by Kalman's filter, with variances learned from all series.

    Covariates known ahead have an effect of each series' own. A constant of a series is its level already, so the
    categories of a series, `static` of them, choose by how much level, slope and waves move; one that was not seen in
    training leaves that as it is for all. Past covariates are not read: nothing is known of them at the steps ahead.

    The loss is the continuous ranked probability score of the normal forecasts, which is twice the pinball loss over
    all levels, in units of the series, or of the mean absolute change from one known value to the next so far.
    """

    stride = 1
    support = REAL

    def __init__(self, core: Kalman, *, past: int = 0, static: tuple[int, ...] = (), relative: bool = True) -> None:
        super().__init__()
        self.core, self.horizon, self.past, self.relative = core, core.horizon, past, relative
        self.moves = nn.ModuleList(_shared(size, len(core.noise)) for size in static)

    def start(self, lanes: int, stride: int = 1) -> Carry:  # noqa: ARG002
        zeros = self.core.observation.new_zeros
        return parts(
            core=self.core.initial(lanes),
            last={
                "target": zeros(lanes, 1).fill_(torch.nan),
                "changes": zeros(lanes),
                "change": zeros(lanes),
                "features": zeros(lanes, self.core.features),
                "static": zeros(lanes, len(self.moves), dtype=torch.int64),
            },
        )

    def observe(self, carry: Carry, batch: Batch) -> Carry:
        return self._read(carry, batch)[0]

    def loss(self, carry: Carry, batch: Batch) -> tuple[Carry, Float32[Tensor, ""]]:
        after, features, change = self._read(carry, batch)
        known = batch.known[:, 1:, : self.core.known].unfold(1, self.horizon, 1)[:, : change.shape[1]]
        mean, deviation = self.core.ahead(features, known.transpose(2, 3))
        ahead = torch.cat([batch.target, batch.future], 1)[:, 1:].unfold(1, self.horizon, 1)[:, : change.shape[1]]
        counts = ~ahead.isnan() & (change > 0)
        score = normal_score(normalise(torch.where(counts, ahead, mean), mean, deviation))
        losses = torch.where(counts, deviation / torch.where(change > 0, change, 1.0), 0.0).float() * score
        return after, mean_loss(worth(change, mean[..., :1], batch.unit, self.relative) * losses, counts)

    def block(self, carry: Carry, known: Float32[Tensor, "batch horizon known"]) -> Forecast:
        mean, deviation = self.core.ahead(carry["last.features"], known[..., : self.core.known])
        quantiles = mean.unsqueeze(-1) + deviation.unsqueeze(-1) * normal_quantiles(LEVELS, mean)
        return Forecast(LEVELS, quantiles, mean)

    def _read(
        self, carry: Carry, batch: Batch
    ) -> tuple[Carry, Float64[Tensor, "batch time features"], Float64[Tensor, "batch time 1"]]:
        """The carry after a batch, and at each of its steps the features of the filter and the mean change so far."""
        carry = afresh(carry, batch.reset, self.start)
        lanes, time = batch.target.shape
        static = batch.static[:, : len(self.moves)]
        none = self.core.noise.new_zeros(lanes, len(self.core.noise))
        moves = torch.stack([none, *(move(static[:, s]) for s, move in enumerate(self.moves))]).sum(0)
        beside = [batch.known[:, :time, : self.core.known], moves.unsqueeze(1).expand(-1, time, -1)]
        xs = torch.cat([batch.target.unsqueeze(-1), *beside], -1)
        state, features = self.core.scan(part(carry, "core"), xs)
        latest = fill_forward(torch.cat([carry["last.target"], batch.target], 1))
        new = (batch.target - latest[:, :-1]).abs()
        count = carry["last.changes"].unsqueeze(1) + (~new.isnan()).cumsum(1)
        total = (carry["last.change"] * carry["last.changes"]).unsqueeze(1) + new.nan_to_num().cumsum(1)
        change = total / count.clamp(min=1)
        last = {
            "target": latest[:, -1:],
            "changes": count[:, -1],
            "change": change[:, -1],
            "features": features[:, -1],
            "static": static,
        }
        return parts(core=state, last=last), features, change.unsqueeze(-1)


def _shared(size: int, width: int) -> nn.Embedding:
    """What each category changes: nothing before training, and nothing ever where it is not known."""
    table = nn.Embedding(size + 1, width, padding_idx=0)
    nn.init.zeros_(table.weight)
    return table


def normal_score(z: Float32[Tensor, "*shape"]) -> Float32[Tensor, "*shape"]:
    """Continuous ranked probability score of the standard normal at z (Gneiting and Raftery 2007, section 4.2)."""
    density = (-z.square() / 2).exp() / math.sqrt(2 * math.pi)
    return z * torch.erf(z / math.sqrt(2)) + 2 * density - 1 / math.sqrt(math.pi)

"""Linear regression on the last values, and on what is said of them and of the steps ahead."""

from typing import NamedTuple

import torch
from jaxtyping import Float32, Float64, Int64
from torch import Tensor, nn

from forecaster.cores.scale import normalise
from forecaster.gaps import mean_of_known, tokens
from forecaster.models.pointwise import Pointwise, Seen


class Covariates(NamedTuple):
    """How many a model reads of each kind, and how many categories each static one has."""

    known: int = 0
    past: int = 0
    static: tuple[int, ...] = ()


NONE = Covariates()


class Linear(Pointwise):
    """Direct linear regression of each step ahead, in units of the scale of the last `lags` values.

    It reads these values, past covariates of the same steps, those known for the step itself, and the categories
    one-hot, of which one that was not seen in training is all of them equally. What is missing is zero. The deviation
    of a step is linear in how much the same values move: in their scale and in mean absolute `changes`, each over so
    many steps, of those that end in the same phase of such a period as the step (Glejser 1969). Its weights come from
    least squares, not from gradient descent (`pipelines.training.regression`).
    """

    deviation: Tensor

    def __init__(
        self,
        *,
        horizon: int,
        lags: int,
        past: int = 0,
        reads: Covariates = NONE,
        changes: tuple[tuple[int, int], ...] = (),
    ) -> None:
        super().__init__(horizon=horizon, memory=lags, past=past, static=len(reads.static))
        self.reads, self.changes = reads, changes
        self.map = nn.Linear(lags * (1 + reads.past) + sum(reads.static) + reads.known, horizon)
        only_scale = torch.eye(1 + len(changes), dtype=torch.float64)[:1].repeat(horizon, 1)
        self.register_buffer("deviation", only_scale, persistent=bool(changes))

    def scaled(
        self,
        target: Float64[Tensor, "batch memory"],
        past: Float32[Tensor, "batch memory past"],
        static: Int64[Tensor, "batch static"],
    ) -> tuple[Float32[Tensor, "batch columns"], Float64[Tensor, "batch 1"], Float64[Tensor, "batch 1"]]:
        """What all steps ahead are told from, in scaled units, with the level and the scale that were taken out."""
        level = mean_of_known(target)
        scale = mean_of_known((target - level).abs())
        beside = past[..., : self.reads.past].flatten(1)
        kinds = [tokens(static[:, s].double() - 1, size) for s, size in enumerate(self.reads.static)]
        return torch.cat([normalise(target, level, scale), beside, *kinds], 1).nan_to_num(), level, scale

    def moves(
        self, target: Float64[Tensor, "batch memory"], scale: Float64[Tensor, "batch 1"]
    ) -> Float64[Tensor, "batch horizon moves"]:
        """The scale and the mean absolute changes; where none is known, the one before."""
        moves = [scale.expand(-1, self.horizon)]
        for lag, period in self.changes:
            change = (target[:, lag:] - target[:, :-lag]).abs()
            cycles = change.shape[1] // period
            phases = change[:, change.shape[1] - cycles * period :].unflatten(1, (cycles, period))
            known, mean = ~phases.isnan().all(1), mean_of_known(phases).squeeze(1)
            same = torch.arange(self.horizon) % period
            moves.append(torch.where(known[:, same], mean[:, same], moves[-1]))
        return torch.stack(moves, -1)

    def point(self, seen: Seen) -> tuple[Float64[Tensor, "batch horizon"], Float64[Tensor, "batch horizon"]]:
        common, level, scale = self.scaled(seen.target, seen.past, seen.static)
        level = torch.where(seen.target.isnan().all(1, keepdim=True), seen.latest, level)
        shared, own = self.map.weight.split([common.shape[1], self.reads.known], 1)
        z = nn.functional.linear(common, shared, self.map.bias) + (seen.known[..., : self.reads.known] * own).sum(-1)
        return level + scale * z.double(), (self.moves(seen.target, scale) * self.deviation).sum(-1)

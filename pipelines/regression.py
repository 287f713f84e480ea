"""Ridge regression of each step ahead, in closed form, with the penalty that forecasts later windows best."""

from typing import NamedTuple, Self

import numpy as np
import torch
from jaxtyping import Float64, Int64
from numpy import ndarray
from torch import Tensor

from forecaster.pointwise import Linear
from forecaster.spec import DataSpec
from pipelines.panel import Panel
from pipelines.windows import Table, Windows

WINDOWS = 20_000
"""Windows that a regression learns from at most."""
FAR = 5.0
"""Deviations from the last quarter of a window beyond which a value counts as that far: squares let a few jumps decide.
A straight line stays within them for as many steps as the window has."""
EARLY = 0.7
"""Share of each series that weights are learned from to see which penalty is best for the rest."""
PENALTIES = (0.1, 1.0, 10.0, 100.0, 1000.0)
"""On squared weights, in units of the root of the number of windows."""
USUAL = 1.0
"""Where there are no later windows to choose by."""


class Examples(NamedTuple):
    """Windows, and what came after them, in units of each one's scale around its level."""

    common: Float64[Tensor, "windows columns"]
    """What all steps ahead are told from."""
    own: Float64[Tensor, "windows horizon known"]
    """What is known of the step itself."""
    ahead: Float64[Tensor, "windows horizon"]


class Weights(NamedTuple):
    """A linear map of what is common and what is a step's own."""

    common: Float64[Tensor, "horizon columns"]
    own: Float64[Tensor, "horizon known"]
    bias: Float64[Tensor, "horizon"]

    def error(self, examples: Examples) -> float:
        """Mean absolute error."""
        told = examples.common @ self.common.mT + (examples.own * self.own).sum(-1) + self.bias
        return (told - examples.ahead).abs().mean().item()


class Normal(NamedTuple):
    """The normal equations around the means: squares and products, summed over the windows."""

    examples: int
    means: Weights
    common: Float64[Tensor, "columns columns"]
    cross: Float64[Tensor, "columns horizon known"]
    own: Float64[Tensor, "horizon known known"]
    common_ahead: Float64[Tensor, "columns horizon"]
    own_ahead: Float64[Tensor, "horizon known"]

    @classmethod
    def of(cls, examples: Examples) -> Self:
        """What is left of the examples."""
        means = Weights(*(part.mean(0) for part in examples))
        common, own, ahead = (part - mean for part, mean in zip(examples, means, strict=True))
        return cls(
            len(ahead),
            means,
            common.mT @ common,
            (common.mT @ own.flatten(1)).unflatten(1, own.shape[1:]),
            torch.einsum("whi,whj->hij", own, own),
            common.mT @ ahead,
            torch.einsum("whi,wh->hi", own, ahead),
        )

    def solve(self, penalty: float) -> Weights:
        """All steps at once: they share the largest part, which is eliminated first (the Schur complement)."""
        ridge = penalty * self.examples**0.5
        columns, _, known = self.cross.shape
        both = torch.cat([self.common_ahead.unsqueeze(-1), self.cross], -1)
        solved = torch.linalg.solve(self.common + ridge * torch.eye(columns).double(), both.flatten(1))
        alone, through = torch.unflatten(solved, 1, both.shape[1:]).split([1, known], -1)
        left = self.own + ridge * torch.eye(known).double() - torch.einsum("chi,chj->hij", self.cross, through)
        wanted = self.own_ahead - torch.einsum("chi,chj->hi", self.cross, alone)
        own = torch.linalg.solve(left, wanted)
        common = alone.squeeze(-1).mT - torch.einsum("chi,hi->hc", through, own)
        bias = self.means.bias - common @ self.means.common - (self.means.own * own).sum(-1)
        return Weights(common, own, bias)


def regress(model: Linear, panel: Panel, data: DataSpec, seed: int) -> None:
    """Fit in place; where no window has all steps after it the weights stay as they are."""
    border = (EARLY * panel.lengths).astype(np.int64)
    everything = draw(model, Table(panel, data), seed)
    early = draw(model, Table(panel.cut(np.maximum(border, 1)), data), seed)
    late = draw(model, Table(panel, data), seed, after=border)
    if not len(everything.ahead):
        return
    penalty = USUAL
    if len(early.ahead) and len(late.ahead):
        normal = Normal.of(early)
        penalty = min(PENALTIES, key=lambda one: normal.solve(one).error(late))
    weights = Normal.of(everything).solve(penalty)
    with torch.no_grad():
        model.map.weight.copy_(torch.cat([weights.common, weights.own], 1))
        model.map.bias.copy_(weights.bias)


def draw(model: Linear, table: Table, seed: int, after: Int64[ndarray, "series"] | None = None) -> Examples:
    """Random windows that have a scale and all steps after them, and end after the first `after` steps."""
    context, ahead = model.memory, model.horizon
    windows = Windows(table, lanes=WINDOWS, context=context, ahead=ahead, stride=1, seed=seed, after=after)
    batch = next(windows.epoch(0))
    common, level, scale = model.scaled(batch.target, batch.past, batch.static)
    future = (batch.future - level) / scale
    usable = future.isfinite().all(1) & (scale > 1e-14 * level.abs()).squeeze(1)
    common, future = common[usable].double(), future[usable]
    lately = common[:, :context][:, -max(1, context // 4) :].mean(1, keepdim=True)
    own = batch.known[:, context:, : model.reads.known][usable].double()
    return Examples(common, own, lately + (future - lately).clamp(-FAR, FAR))

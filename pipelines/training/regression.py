"""Ridge regression of each step ahead, in closed form, with the penalty that forecasts later windows best."""

import math
from collections.abc import Iterable, Iterator
from functools import reduce
from typing import NamedTuple, Self, TypeVar

import numpy as np
import torch
from jaxtyping import Float64, Int64
from numpy import ndarray
from scipy.optimize import nnls
from torch import Tensor

from forecaster.cores.scale import moving
from forecaster.manifest import DataSpec
from forecaster.models.linear import Linear
from pipelines.batches.windows import EPOCH, Table, Windows
from pipelines.data.panel import Panel
from pipelines.evaluation.unit import unit

WINDOWS = 20_000
"""Windows that a regression learns from at most, a part of them at a time."""
FAR = 5.0
"""Deviations from the last quarter of a window beyond which a value counts as that far: squares let a few jumps decide.
A straight line stays within them for as many steps as the window has."""
EARLY = 0.7
"""Share of each series that weights are learned from to see which penalty is best for the rest."""
PENALTIES = (0.1, 1.0, 10.0, 100.0, 1000.0, 10000.0)
"""On squared weights, in units of the root of the number of windows and of the mean square of their scales."""
USUAL = 1.0
"""Where there are no later windows to choose by."""
SAME = 1e-9
"""Share of the mean square of what moves that is added to each, since two of them may be the same."""


class Examples(NamedTuple):
    """Windows, and what came after them, around the level of each, in the unit of its series: all times its weight."""

    common: Float64[Tensor, "windows columns"]
    """What all steps ahead are told from; the last column is the weight, the scale of the window over the unit."""
    own: Float64[Tensor, "windows horizon known"]
    """What is known of the step itself."""
    moves: Float64[Tensor, "windows horizon moves"]
    """What deviations are told from."""
    ahead: Float64[Tensor, "windows horizon"]


class Weights(NamedTuple):
    """A linear map of what is common and what is a step's own."""

    common: Float64[Tensor, "columns horizon"]
    own: Float64[Tensor, "horizon known"]

    def errors(self, examples: Examples) -> Float64[Tensor, "windows horizon"]:
        """Absolute errors."""
        return (examples.common @ self.common + (examples.own * self.own).sum(-1) - examples.ahead).abs()


class Normal(NamedTuple):
    """The normal equations: squares and products, summed over windows."""

    windows: Float64[Tensor, ""]
    """How many there are."""
    common: Float64[Tensor, "columns columns"]
    cross: Float64[Tensor, "columns horizon known"]
    own: Float64[Tensor, "horizon known known"]
    common_ahead: Float64[Tensor, "columns horizon"]
    own_ahead: Float64[Tensor, "horizon known"]

    @classmethod
    def of(cls, examples: Examples) -> Self:
        """What is left of examples."""
        common, own, _, ahead = examples
        columns = common.numpy()  # which halves the work of a product with itself, as torch does not
        return cls(
            torch.tensor(len(ahead)).double(),
            torch.from_numpy(columns.T @ columns),
            (common.mT @ own.flatten(1)).unflatten(1, own.shape[1:]),
            torch.einsum("whi,whj->hij", own, own),
            common.mT @ ahead,
            torch.einsum("whi,wh->hi", own, ahead),
        )

    def solve(self, penalty: float, doubt: Float64[Tensor, "columns"]) -> Weights:
        """All steps at once: they share the largest part, which is eliminated first (the Schur complement)."""
        ridge = penalty * self.common[-1, -1].item() / self.windows.item() ** 0.5
        both = torch.cat([self.common_ahead.unsqueeze(-1), self.cross], -1)
        solved = torch.linalg.solve(self.common + (ridge * doubt).diag(), both.flatten(1)).unflatten(1, both.shape[1:])
        alone, through = solved[..., 0], solved[..., 1:]
        left = self.own + ridge * torch.eye(self.own.shape[-1]).double()
        left = left - torch.einsum("chi,chj->hij", self.cross, through)
        own = torch.linalg.solve(left, self.own_ahead - torch.einsum("chi,ch->hi", self.cross, alone))
        return Weights(alone - torch.einsum("chi,hi->ch", through, own), own)


class Misses(NamedTuple):
    """The normal equations by which the absolute errors of weights are told from what moves."""

    moves: Float64[Tensor, "horizon moves moves"]
    errors: Float64[Tensor, "horizon moves"]

    @classmethod
    def of(cls, weights: Weights, examples: Examples) -> Self:
        """What is left of examples."""
        moves = examples.moves
        return cls(
            torch.einsum("whi,whj->hij", moves, moves), torch.einsum("whi,wh->hi", moves, weights.errors(examples))
        )

    def deviation(self) -> Float64[Tensor, "horizon moves"]:
        """Shares of what moves in the deviation of each step, none of them negative: the regression of absolute errors
        of Glejser (1969), in which the mean of a normal variable's is sqrt(2 / pi) of its deviation."""
        size = self.moves.diagonal(dim1=1, dim2=2).mean(1)[:, None, None]
        root = torch.linalg.cholesky(self.moves + SAME * size * torch.eye(self.moves.shape[1]).double())
        told = torch.linalg.solve_triangular(root, self.errors.unsqueeze(-1), upper=False).squeeze(-1)
        shares = [nnls(*step)[0] for step in zip(root.mT.numpy(), told.numpy(), strict=True)]
        return torch.from_numpy(math.sqrt(math.pi / 2) * np.stack(shares))


Sums = TypeVar("Sums", Normal, Misses)


def regress(model: Linear, panel: Panel, data: DataSpec, season: int, seed: int) -> None:
    """Fit in place; where no window has all steps after it the weights stay as they are.

    Squares are summed in the unit that forecasts are judged in, the error of seasonal naive, or in that of the window
    where there is none: a window in which a series moves twice as much as in another counts four times.
    Deviations are told from the errors of weights of earlier windows in later ones, where there are any.
    """
    units, prior = unit(panel, season), doubt(model)
    table, border = Table(panel, data, unit=units), (EARLY * panel.lengths).astype(np.int64)
    early = normal(draw(model, Table(panel.cut(np.maximum(border, 1)), data, unit=units), seed))
    everything = normal(draw(model, table, seed))
    if not everything.windows:
        return
    penalty = best_penalty(early, draw(model, table, seed, after=border), prior) if early.windows else USUAL
    weights = everything.solve(penalty, prior)
    with torch.no_grad():
        model.map.weight.copy_(torch.cat([weights.common[:-1].mT, weights.own], 1))
        model.map.bias.copy_(weights.common[-1])
    if model.changes and early.windows:
        before, late = early.solve(penalty, prior), draw(model, table, seed, after=border)
        misses = [Misses.of(before, examples) for examples in late if len(examples.ahead)]
        if misses:
            model.deviation.copy_(summed(misses).deviation())


def doubt(model: Linear) -> Float64[Tensor, "columns"]:
    """How large the penalty on each column is, on average one for what a window says: it grows with the age, since what
    is long ago rarely says more than what is new (Litterman 1986). The mean may be anything."""
    lags, past = model.memory, model.reads.past
    age = torch.arange(lags, 0, -1).double() * 2 / (lags + 1)
    return torch.cat([age, age.repeat_interleave(past), torch.ones(sum(model.reads.static)).double(), torch.zeros(1)])


def normal(examples: Iterator[Examples]) -> Normal:
    """The normal equations of all examples."""
    return summed(map(Normal.of, examples))


def summed(parts: Iterable[Sums]) -> Sums:
    """Sums over the windows of all parts."""
    return reduce(lambda one, other: type(one)(*map(torch.add, one, other)), parts)


def best_penalty(early: Normal, late: Iterator[Examples], prior: Float64[Tensor, "columns"]) -> float:
    """The one with which what is early tells most of what is late; the usual one where nothing is late."""
    weights = {penalty: early.solve(penalty, prior) for penalty in PENALTIES}
    errors = dict.fromkeys([USUAL, *PENALTIES], 0.0)
    for examples in late:
        for penalty in PENALTIES:
            errors[penalty] += weights[penalty].errors(examples).sum().item()
    return min(errors, key=errors.__getitem__)


def draw(model: Linear, table: Table, seed: int, after: Int64[ndarray, "series"] | None = None) -> Iterator[Examples]:
    """Random windows that have a scale and all steps after them, and end after the first `after` steps."""
    lanes, context, ahead = WINDOWS // EPOCH, model.memory, model.horizon
    windows = Windows(table, lanes=lanes, context=context, ahead=ahead, seed=seed, after=after)
    for batch in windows.epoch(0):
        common, level, scale = model.scaled(batch.target, batch.past, batch.static)
        future = (batch.future - level) / scale
        usable = future.isfinite().all(1) & (moving(scale, level) > 0).squeeze(1)
        weight = (scale / batch.unit.unsqueeze(1)).nan_to_num(nan=1.0)[usable]
        common, future = common[usable].double(), future[usable]
        lately = common[:, :context][:, -max(1, context // 4) :].mean(1, keepdim=True)
        own = batch.known[:, context:, : model.reads.known][usable].double()
        near = lately + (future - lately).clamp(-FAR, FAR)
        moves = weight.unsqueeze(-1) * (model.moves(batch.target, scale) / scale.unsqueeze(-1))[usable]
        yield Examples(torch.cat([weight * common, weight], 1), weight.unsqueeze(-1) * own, moves, weight * near)

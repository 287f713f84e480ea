"""The contract of every model, and the one way to forecast beyond the horizon it was trained for."""

from abc import abstractmethod
from typing import TypeAlias, final

import torch
from jaxtyping import Float32, Float64
from torch import Tensor, nn

from forecaster.batch import Batch, Chances, Forecast
from forecaster.learner import Learner
from forecaster.quantiles import LEVELS, interpolate
from forecaster.state import State, repeat
from forecaster.support import Support

Carry: TypeAlias = State
"""The whole memory of a series: `core.` and `scale.` are states, `last.` is what lags still need."""

PATHS = 9
"""Quantile paths over which a long forecast rolls on."""


class Model(Learner):
    """Four methods: start, loss, observe, forecast. Trainer, backtest, ensemble and service see only these.

    The contract in `tests/laws.py`: chunks with the carry handed on equal the whole series; observing one by one
    equals observing all at once; lanes do not see each other; any horizon; forecasting leaves the carry as it was.
    """

    horizon: int
    """Steps that are forecast at once; a longer horizon rolls on."""
    stride: int
    """Observations that one recurrent step reads, at most `horizon`."""
    past: int
    """Number of past covariates."""

    @abstractmethod
    def start(self, lanes: int, stride: int = 1) -> Carry:
        """The carry of `lanes` series before their first observation.

        It is read on by a multiple of `stride` observations at a time. With 1 it streams; with the model's own
        `stride` it does the least work, for training and for whole histories whose end is known. Both see the same.
        Raises ValueError on a stride that does not divide the model's own.
        """

    @abstractmethod
    def loss(self, carry: Carry, batch: Batch) -> tuple[Carry, Float32[Tensor, ""]]:
        """Mean loss of forecasts from steps all along the batch, which the model chooses, and the carry after it."""

    @abstractmethod
    def observe(self, carry: Carry, batch: Batch) -> Carry:
        """The carry after the targets and covariates of a batch."""

    @abstractmethod
    def forecast(
        self, carry: Carry, horizon: int, known: Float32[Tensor, "batch horizon known"] | None = None
    ) -> Forecast | Chances:
        """The next `horizon` steps, any number of them, as a fork: the carry stays as it was."""


class Numeric(Model):
    """A model of numbers. Its quantiles never cross; a series times a power of two has that multiple as forecast.

    (Where its support has such multiples: a model of counts knows what one is.)
    """

    support: Support
    """The values that it is trained on and forecasts."""

    @property
    def domain(self) -> Support:
        """The values that it learns anything from; others in its support are gaps to it."""
        return self.support

    @abstractmethod
    def block(self, carry: Carry, known: Float32[Tensor, "batch horizon known"]) -> Forecast:
        """The next `self.horizon` steps at once."""

    @final
    def forecast(
        self, carry: Carry, horizon: int, known: Float32[Tensor, "batch horizon known"] | None = None
    ) -> Forecast:
        """The next `horizon` steps, as a fork: the carry stays as it was.

        Beyond the trained horizon the forecast rolls on over its own quantiles: a few paths, each following one
        quantile of the forecast so far, are observed and forecast from, and their distributions are pooled.
        """
        lanes = len(carry["last.static"])
        if known is None:
            known = torch.zeros(lanes, horizon, 0, device=carry["last.static"].device)
        block = self.block(carry, _window(known, 0, self.horizon))
        blocks, paths = [block], repeat(carry, PATHS) if horizon > self.horizon else carry
        step = self.horizon - self.horizon % self.stride
        for begin in range(step, horizon - self.horizon + step, step):
            followed = interpolate(block.quantiles[:, :step], LEVELS, _even(PATHS)).transpose(1, 2).flatten(0, 1)
            followed = self.support.nearest(followed)
            of_them = _window(known, begin - step, step).repeat_interleave(PATHS, dim=0)
            paths = self.observe(paths, Batch.imagined(followed, of_them, paths["last.static"], self.past))
            ahead = _window(known, begin, self.horizon).repeat_interleave(PATHS, dim=0)
            block = _pool(self.block(paths, ahead), lanes)
            blocks.append(_after(block, self.horizon - step))
        return Forecast(
            levels=LEVELS,
            quantiles=self.support.nearest(torch.cat([block.quantiles for block in blocks], 1)[:, :horizon]),
            mean=torch.cat([block.mean for block in blocks], 1)[:, :horizon],
        )


def _window(known: Tensor, begin: int, length: int) -> Tensor:
    """`length` steps of covariates from `begin` on, zero where they end."""
    cut = known[:, begin : begin + length]
    return nn.functional.pad(cut, (0, 0, 0, length - cut.shape[1]))


def _after(block: Forecast, steps: int) -> Forecast:
    """What a block tells beyond its first steps, which the block before it has told already."""
    return Forecast(block.levels, block.quantiles[:, steps:], block.mean[:, steps:])


def _even(count: int) -> tuple[float, ...]:
    """Levels that share the probability evenly."""
    return tuple((k + 0.5) / count for k in range(count))


def _pool(block: Forecast, lanes: int) -> Forecast:
    """The mixture of the distributions of each lane's paths."""
    atoms = torch.unflatten(interpolate(block.quantiles, LEVELS, _even(10)), 0, (lanes, PATHS))
    atoms = atoms.transpose(1, 2).flatten(2, 3).sort(-1).values
    return Forecast(
        levels=LEVELS,
        quantiles=interpolate(atoms, _even(10 * PATHS), LEVELS),
        mean=torch.unflatten(block.mean, 0, (lanes, PATHS)).mean(1),
    )


def seasonal(
    history: Float64[Tensor, "batch time"], season: int, horizon: int, first: int, stride: int
) -> Float64[Tensor, "batch origins horizon"]:
    """What seasonal naive says of the next `horizon` steps, from the origin `first` and every `stride`-th after it.

    Step h repeats the value the least whole number of seasons before it.
    """
    windows = history[:, first - season :].unfold(1, season, stride)
    return windows[..., [h % season for h in range(horizon)]]

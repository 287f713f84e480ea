"""Level, trend and seasons as latent states of a linear-Gaussian model, read by Kalman's filter."""

import math
from fractions import Fraction

import torch
from jaxtyping import Float64, Int64
from torch import Tensor, nn

from forecaster.core import Core
from forecaster.state import State


class Kalman(Core):
    """Kalman's filter of the structural model of a time series (Harvey 1989; Durbin and Koopman 2012, section 4.3).

    y_t = level_t + seasons_t + e_t, level_{t+1} = level_t + slope_t + noise, slope_{t+1} = d slope_t + noise. A season
    of s steps is made of waves of 1/s, 2/s, ... turns a step, each a pair of states that turns by its angle and has a
    noise of its own; s // 2 of them can be any pattern. All variances are learned, in units of that of e.

    One step reads one observation, NaN where missing, and gives the mean and then the standard deviation of each of the
    next `horizon` values. The state is that predicted for the next step. Since the covariance is in units of e too,
    values do not enter it, and a series times a power of two has exactly that multiple as forecast.

    Nothing is assumed of the first level: the first observation becomes it, as in exact diffuse initialisation; slope
    and waves have a learned prior around zero. The deviation of e is the smoothed size of the standardised errors one
    step ahead; to it belongs a learned share of the level that each of them divides by four, as in `Smoothing`.
    """

    turns: Float64[Tensor, "states states"]
    observation: Float64[Tensor, "states"]
    variable: Int64[Tensor, "states"]

    def __init__(self, horizon: int, seasons: tuple[int, ...], harmonics: int) -> None:
        super().__init__()
        self.inputs, self.features, self.horizon = 1, 2 * horizon, horizon
        turns = [Fraction(k, season) for season in seasons for k in range(1, min(harmonics, season // 2) + 1)]
        waves = dict.fromkeys(turns)  # two seasons can have waves in common
        trend = torch.tensor([[1.0, 1.0], [0.0, 0.0]], dtype=torch.float64)
        constants = {
            "turns": torch.block_diag(trend, *(_rotation(2 * math.pi * float(wave)) for wave in waves)),
            "observation": torch.tensor([1.0, 0.0], dtype=torch.float64).repeat(1 + len(waves)),
            "variable": torch.tensor([0, 1] + [2 + n for n in range(len(waves)) for _ in range(2)]),
        }
        for name, value in constants.items():
            self.register_buffer(name, value, persistent=False)
        self.noise = nn.Parameter(torch.tensor([-1.0, -6.0] + [-6.0] * len(waves)))
        """Logarithm of the variances by which level, slope and waves move in a step."""
        self.prior = nn.Parameter(torch.tensor([-2.0] + [1.0] * len(waves)))
        """Logarithm of the variances of slope and waves before anything was seen."""
        self.damping = nn.Parameter(torch.tensor(4.0))
        """Logit of the share of the slope that is left after a step."""
        self.rate = nn.Parameter(torch.tensor(-3.0))
        """Logit of the rate by which the deviation of e is smoothed."""
        self.guess = nn.Parameter(torch.tensor(-2.0))
        """Logarithm of the deviation of e over |level| before anything was seen."""

    def initial(self, batch: int) -> State:
        variance = torch.cat([self.prior.new_zeros(1), self.prior.exp()]).double()[self.variable]
        zeros = variance.new_zeros(batch)
        return {
            "mean": torch.zeros_like(variance).repeat(batch, 1),
            "covariance": variance.diag().repeat(batch, 1, 1),
            "count": zeros,
            "deviation": zeros.clone(),
        }

    def step(self, state: State, x: Float64[Tensor, "batch 1"]) -> tuple[State, Float64[Tensor, "batch features"]]:
        after, features = self.scan(state, x.unsqueeze(1))
        return after, features.squeeze(1)

    def scan(
        self, state: State, xs: Float64[Tensor, "batch time 1"]
    ) -> tuple[State, Float64[Tensor, "batch time features"]]:
        level, slope = torch.eye(len(self.observation), dtype=xs.dtype, device=xs.device)[:2]
        transition = self.turns + slope.diag() * torch.sigmoid(self.damping.double())
        noise = self.noise.double().exp()[self.variable]
        ahead, products, grown = self._ahead(transition, noise)
        rate, share = torch.sigmoid(self.rate.double()), self.guess.double().exp()
        mean, covariance, count, deviation = (state[name] for name in ("mean", "covariance", "count", "deviation"))
        features = []
        for x in xs.squeeze(-1).unbind(1):
            observed, first = ~x.isnan(), count == 0
            error = torch.where(observed, x - mean @ self.observation, 0.0)
            cross = covariance @ self.observation
            variance = cross @ self.observation + 1
            gain = torch.where(first.unsqueeze(1), level, cross / variance.unsqueeze(1)) * observed.unsqueeze(1)
            gain = gain @ transition.mT
            mean = mean @ transition.mT + gain * error.unsqueeze(1)
            # Joseph's form, which holds for any gain and keeps the covariance symmetric and positive
            kept = transition - gain.unsqueeze(2) * self.observation
            covariance = kept @ covariance @ kept.mT + gain.unsqueeze(2) * gain.unsqueeze(1) + noise.diag()

            new = rate / -torch.expm1(count.clamp(min=1) * torch.log1p(-rate))  # weights of what was seen (as in Adam)
            size = error.abs() * math.sqrt(math.pi / 2) / variance.sqrt()
            deviation = torch.where(observed & ~first, deviation + new * (size - deviation), deviation)
            count = count + observed

            means = mean @ ahead.mT
            unit = deviation + 0.25 ** (count - 1) * share * means[:, 0].abs()
            rounding = (1e-14 * means[:, 0].abs()).clamp(min=2.0**-1000)
            unit = torch.where(unit > rounding, unit, 0.0).unsqueeze(1)  # a series that moves less does not move
            features.append(torch.cat([means, unit * (covariance.flatten(1) @ products + grown).sqrt()], 1))
        after = {"mean": mean, "covariance": covariance, "count": count, "deviation": deviation}
        return after, torch.stack(features, 1)

    def _ahead(
        self, transition: Float64[Tensor, "states states"], noise: Float64[Tensor, "states"]
    ) -> tuple[Float64[Tensor, "horizon states"], Float64[Tensor, "products horizon"], Float64[Tensor, "horizon"]]:
        """The next values: how they come from the mean and the covariance of the state, and the variance that joins."""
        rows = [self.observation]
        while len(rows) < self.horizon:
            rows.append(rows[-1] @ transition)
        ahead = torch.stack(rows)
        joined = (ahead.square() @ noise).cumsum(0)
        grown = 1 + torch.cat([torch.zeros_like(joined[:1]), joined[:-1]])
        return ahead, (ahead.unsqueeze(2) * ahead.unsqueeze(1)).flatten(1).mT, grown


def _rotation(angle: float) -> Float64[Tensor, "2 2"]:
    cos, sin = math.cos(angle), math.sin(angle)
    return torch.tensor([[cos, sin], [-sin, cos]], dtype=torch.float64)

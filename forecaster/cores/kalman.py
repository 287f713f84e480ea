"""Level, trend and seasons as latent states of a linear-Gaussian model, read by Kalman's filter."""

import math
from fractions import Fraction

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor, nn

from forecaster.core import Core
from forecaster.cores.scale import moving
from forecaster.state import State


class Kalman(Core):
    """Kalman's filter of the structural model of a time series (Harvey 1989; Durbin and Koopman 2012, section 4.3).

    y_t = level_t + seasons_t + x_t effects + e_t, level_{t+1} = level_t + slope_t + noise,
    slope_{t+1} = d slope_t + noise. A season of s steps is made of waves of 1/s, 2/s, ... turns a step, each a pair of
    states that turns by its angle and has a noise of its own; s // 2 of them can be any pattern. The effects of the
    covariates x are states that stay as they are, which makes the filter a recursive regression. All variances are
    learned, in units of that of e.

    One step reads one observation, NaN where missing, its covariates, and what is added to the logarithms of the
    variances by which level, slope and waves move. It gives the unit, which is the deviation of e, the mean of the
    state predicted for the next step, the variances by which it moves, and its covariance; `ahead` tells from them of
    the values to come. Since the covariance is in units of e too, values do not enter it, and a series times a power
    of two has exactly that multiple as forecast.

    Nothing is assumed of the first level: the first observation becomes it, as in exact diffuse initialisation; slope,
    waves and effects have a learned prior around zero. The deviation of e is the smoothed size of the standardised
    errors one step ahead; to it belongs a learned share of the level that each of them divides by four, as in
    `Smoothing`.
    """

    turns: Float64[Tensor, "states states"]
    observation: Float64[Tensor, "states"]
    variable: Int64[Tensor, "states"]

    def __init__(self, horizon: int, seasons: tuple[int, ...], harmonics: int, known: int = 0) -> None:
        super().__init__()
        self.horizon, self.known = horizon, known
        turns = [Fraction(k, season) for season in seasons for k in range(1, min(harmonics, season // 2) + 1)]
        waves = dict.fromkeys(turns)  # two seasons can have waves in common
        trend = torch.tensor([[1.0, 1.0], [0.0, 0.0]], dtype=torch.float64)
        constants = {
            "turns": torch.block_diag(
                trend, *(_rotation(2 * math.pi * float(wave)) for wave in waves), trend.new_ones(known).diag()
            ),
            "observation": torch.tensor([1.0, 0.0] * (1 + len(waves)) + [0.0] * known, dtype=torch.float64),
            "variable": torch.tensor(
                [
                    0,
                    1,
                    *(2 + n for n in range(len(waves)) for _ in range(2)),
                    *(2 + len(waves) + k for k in range(known)),
                ]
            ),
        }
        for name, value in constants.items():
            self.register_buffer(name, value, persistent=False)
        states = len(self.observation)
        self.inputs, self.features = 1 + known + 2 + len(waves), 1 + 2 * states + states**2
        self.noise = nn.Parameter(torch.tensor([-1.0, -6.0] + [-6.0] * len(waves)))
        """Logarithm of the variances by which level, slope and waves move in a step."""
        self.prior = nn.Parameter(torch.tensor([-2.0] + [1.0] * len(waves) + [0.0] * known))
        """Logarithm of the variances of slope, waves and effects before anything was seen."""
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

    def scan(
        self, state: State, xs: Float64[Tensor, "batch time inputs"]
    ) -> tuple[State, Float64[Tensor, "batch time features"]]:
        level, transition = torch.eye(len(self.observation), dtype=xs.dtype, device=xs.device)[0], self._transition()
        known, shift = xs[..., 1:].nan_to_num().split([self.known, len(self.noise)], -1)
        rows = self.observation + nn.functional.pad(known, (len(self.observation) - self.known, 0))
        moves = (self.noise.double() + shift).exp()
        moves = torch.cat([moves, torch.zeros_like(known)], -1)[..., self.variable]
        rate, share = torch.sigmoid(self.rate.double()), self.guess.double().exp()
        mean, covariance, count, deviation = (state[name] for name in ("mean", "covariance", "count", "deviation"))
        features = []
        for x, row, move in zip(xs[..., 0].unbind(1), rows.unbind(1), moves.unbind(1), strict=True):
            observed, first = ~x.isnan(), count == 0
            error = torch.where(observed, x - (mean * row).sum(1), 0.0)
            cross = (covariance @ row.unsqueeze(2)).squeeze(2)
            variance = (cross * row).sum(1) + 1
            gain = torch.where(first.unsqueeze(1), level, cross / variance.unsqueeze(1)) * observed.unsqueeze(1)
            gain = gain @ transition.mT
            begun = (observed | ~first).unsqueeze(1)  # the prior is that of the first value, however late it comes
            mean = torch.where(begun, mean @ transition.mT + gain * error.unsqueeze(1), mean)
            # Joseph's form, which holds for any gain and keeps the covariance symmetric and positive
            kept = transition - gain.unsqueeze(2) * row.unsqueeze(1)
            after = kept @ covariance @ kept.mT + gain.unsqueeze(2) * gain.unsqueeze(1) + move.diag_embed()
            covariance = torch.where(begun.unsqueeze(2), after, covariance)

            new = rate / -torch.expm1(count.clamp(min=1) * torch.log1p(-rate))  # weights of what was seen (as in Adam)
            size = error.abs() * math.sqrt(math.pi / 2) / variance.sqrt()
            deviation = torch.where(observed & ~first, deviation + new * (size - deviation), deviation)
            count = count + observed

            usual = (mean @ self.observation).abs()
            unit = moving(deviation + 0.25 ** (count - 1) * share * usual, usual).unsqueeze(1)
            features.append(torch.cat([unit, mean, move, covariance.flatten(1)], 1))
        end = {"mean": mean, "covariance": covariance, "count": count, "deviation": deviation}
        return end, torch.stack(features, 1)

    def ahead(
        self, features: Float64[Tensor, "*shape features"], known: Float[Tensor, "*shape horizon known"]
    ) -> tuple[Float64[Tensor, "*shape horizon"], Float64[Tensor, "*shape horizon"]]:
        """Mean and standard deviation of each of the next `horizon` values, whose covariates are given."""
        states, transition = len(self.observation), self._transition()
        unit, mean, moves, covariance = features.split([1, states, states, states**2], -1)
        effects, known = slice(states - self.known, None), known.double()
        steps = [self.observation]
        while len(steps) < self.horizon:
            steps.append(steps[-1] @ transition)
        rows = torch.stack(steps)
        means = mean @ rows.mT + (known @ mean[..., effects].unsqueeze(-1)).squeeze(-1)
        joined = (moves @ rows.square().mT).cumsum(-1)
        grown = 1 + torch.cat([torch.zeros_like(joined[..., :1]), joined[..., :-1]], -1)
        own = covariance @ (rows.unsqueeze(2) * rows.unsqueeze(1)).flatten(1).mT
        beside = covariance.unflatten(-1, (states, states))[..., effects]
        with_effects = ((2 * rows @ beside + known @ beside[..., effects, :]) * known).sum(-1)
        return means, unit * (own + with_effects + grown).sqrt()

    def _transition(self) -> Float64[Tensor, "states states"]:
        """How the state goes on: the slope is damped."""
        slope = torch.eye(len(self.observation), dtype=torch.float64, device=self.turns.device)[1]
        return self.turns + slope.diag() * torch.sigmoid(self.damping.double())


def _rotation(angle: float) -> Float64[Tensor, "2 2"]:
    cos, sin = math.cos(angle), math.sin(angle)
    return torch.tensor([[cos, sin], [-sin, cos]], dtype=torch.float64)

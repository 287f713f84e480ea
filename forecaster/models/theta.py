"""The Theta method: exponential smoothing of a series without its season, with half the slope of its line."""

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from forecaster.gaps import mean_of_known
from forecaster.models.pointwise import Pointwise, Seen

SEASONAL = 1.645**2
"""What a test of seasonality has to exceed: 10 % of chi squared with one degree of freedom."""
SLOWEST = 1e-4
"""Smallest rate of smoothing."""
RATES, ROUNDS = 33, 5
"""The rate is looked for among so many, and so often again between the neighbours of the best."""


class Theta(Pointwise):
    """Theta of each series by itself; nothing is learned from the others.

    Assimakopoulos and Nikolopoulos 2000, "The theta model"; as simple exponential smoothing with drift, and with its
    variance, in Hyndman and Billah 2003, "Unmasking the Theta method". With level l, rate a and slope b of the least
    squares line after n steps, step h is l + b / 2 (h - 1 + (1 - (1 - a)^n) / a). Before that the season is divided
    out (subtracted where a value is not positive) if its autocorrelation is significant, by classical decomposition.
    """

    def __init__(self, *, horizon: int, season: int, memory: int, past: int = 0) -> None:
        super().__init__(horizon=horizon, memory=max(memory, 4 * season), past=past)
        self.season = season

    def point(self, seen: Seen) -> tuple[Float64[Tensor, "batch horizon"], Float64[Tensor, "batch horizon"]]:
        target = seen.target
        unit = torch.frexp(target.abs().nan_to_num().amax(1, keepdim=True)).exponent
        target = torch.ldexp(target, -unit)  # squares stay in range, and a power of two changes nothing
        positive = ((target > 0) | target.isnan()).all(1, keepdim=True)
        index = seasonal_index(target, self.season, positive)
        along = index.repeat(1, self.memory // self.season + 1)[:, -self.memory :]
        rest = torch.where(positive, target / along, target - along)

        rate, level, variance = smoothed(rest)
        steps = torch.arange(self.horizon, dtype=torch.float64, device=target.device)
        count = (~target.isnan()).cummax(1).values.sum(1, keepdim=True)
        drift = slope(rest) / 2 * (steps + (1 - (1 - rate) ** count) / rate)
        deviation = (variance * (1 + steps * rate.square())).sqrt()
        ahead = index[:, [step % self.season for step in range(self.horizon)]]
        value = torch.where(positive, (level + drift) * ahead, level + drift + ahead)
        known = count > 0
        return (
            torch.where(known, torch.ldexp(value, unit), seen.latest),
            torch.where(known, torch.ldexp(torch.where(positive, deviation * ahead, deviation), unit), 0.0),
        )


def smoothed(
    values: Float64[Tensor, "batch time"],
) -> tuple[Float64[Tensor, "batch 1"], Float64[Tensor, "batch 1"], Float64[Tensor, "batch 1"]]:
    """Rate, last level and variance of the errors of the exponential smoothing that errs least one step ahead.

    The level starts at the first value, and stays in a gap.
    """
    low, rate, high = (values.new_full((len(values), 1), bound) for bound in (SLOWEST, 0.5, 1.0))
    for _ in range(ROUNDS):
        rates = low + (high - low) * torch.linspace(0, 1, RATES, dtype=torch.float64, device=values.device)
        best = smooth(values, rates)[1].argmin(1, keepdim=True)
        low, rate, high = (rates.gather(1, (best + side).clamp(0, RATES - 1)) for side in (-1, 0, 1))
    level, squares = smooth(values, rate)
    errors = ((~values.isnan()).sum(1, keepdim=True) - 1).clamp(min=1)
    return rate, level, squares / errors


def smooth(
    values: Float64[Tensor, "batch time"], rates: Float64[Tensor, "batch rates"]
) -> tuple[Float64[Tensor, "batch rates"], Float64[Tensor, "batch rates"]]:
    """The last level by each rate, and the sum of the squared errors one step ahead."""
    level, squares = torch.full_like(rates, torch.nan), torch.zeros_like(rates)
    begin = int((~values.isnan()).any(0).byte().argmax())  # no series has begun before
    for value in values[:, begin:].split(1, 1):
        error = (value - level).nan_to_num()
        squares = squares + error.square()
        level = torch.where(level.isnan(), value, level + rates * error)
    return level.nan_to_num(), squares


def slope(values: Float64[Tensor, "batch time"]) -> Float64[Tensor, "batch 1"]:
    """Of the least squares line through what is known, per step; zero for a single value."""
    time = torch.arange(values.shape[1], dtype=torch.float64, device=values.device).expand_as(values)
    known = ~values.isnan()
    away = torch.where(known, time - mean_of_known(torch.where(known, time, torch.nan)), 0.0)
    return (away * values.nan_to_num()).sum(1, keepdim=True) / away.square().sum(1, keepdim=True).clamp(min=0.5)


def seasonal_index(
    values: Float64[Tensor, "batch time"], season: int, positive: Bool[Tensor, "batch 1"]
) -> Float64[Tensor, "batch season"]:
    """By how much each place of the season, the next step's first, is above the trend: a factor where all values are
    positive, else a summand. It is neutral where the season is not significant or has not been seen twice.

    Classical decomposition: the trend is the centred moving average over a season.
    """
    neutral = positive.double().expand(-1, season)
    if season == 1:
        return neutral
    weights = values.new_ones(2 * (season // 2) + 1)
    if season % 2 == 0:
        weights[0] = weights[-1] = 0.5
    reach = season // 2
    windows = values.unfold(1, len(weights), 1)
    weighed = torch.where(windows.isnan(), 0.0, weights)
    trend = (windows.nan_to_num() * weighed).sum(-1) / weighed.sum(-1)
    begun = (~values.isnan()).cummax(1).values[:, : windows.shape[1]]
    inside = values[:, reach : values.shape[1] - reach]
    above = torch.where(positive, inside / trend, inside - trend)
    above = torch.where(begun & above.isfinite(), above, torch.nan)
    above = torch.nn.functional.pad(above, (-(above.shape[1] + reach) % season, reach), value=torch.nan)
    places = above.unflatten(1, (-1, season))
    index = torch.nanmean(places, 1)
    index = torch.where(positive, index / index.mean(1, keepdim=True), index - index.mean(1, keepdim=True))
    usable = significant(values, season) & index.isfinite().all(1, keepdim=True)
    return torch.where(usable, index, neutral)


def significant(values: Float64[Tensor, "batch time"], season: int) -> Bool[Tensor, "batch 1"]:
    """Whether the autocorrelation one season apart is, beside those of the lags before it, in two seasons at least.

    The statistic is that of statsmodels' Theta, which counts each square once. Bartlett 1946 counts all but the first
    twice, as the M4 competition's Theta does; a trend then hides the season.
    """
    known = ~values.isnan()
    z = torch.where(known, values - mean_of_known(values), 0.0)
    rho = torch.stack([(z[:, lag:] * z[:, : z.shape[1] - lag]).sum(1) for lag in range(season + 1)], 1)
    rho = rho / torch.where(rho[:, :1] > 0, rho[:, :1], 1.0)
    count = known.sum(1)
    statistic = count * rho[:, -1].square() / rho[:, :-1].square().sum(1).clamp(min=1.0)
    seen = known.cummax(1).values.sum(1) >= 2 * season
    return ((statistic > SEASONAL) & seen).unsqueeze(1)

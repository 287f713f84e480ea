"""Theta against that of statsmodels, and what it makes of gaps and short series."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from statsmodels.tsa.forecasting.theta import ThetaModel
from statsmodels.tsa.stattools import acf
from torch import Tensor
from torch.testing import assert_close

from forecaster.models.pointwise import Seen
from forecaster.models.theta import Theta, significant, slope, smooth, smoothed

nan = math.nan
HORIZON = 10


def series(length: int, season: int, wave: float, low: float, seed: int) -> NDArray[np.float64]:
    """A random walk with drift, a season and noise."""
    random, time = np.random.default_rng(seed), np.arange(length)
    walk: NDArray[np.float64] = 0.2 * time + random.normal(size=length).cumsum() + random.normal(size=length)
    return low + walk + wave * np.asarray(np.sin(2 * np.pi * time / season))


def point(values: NDArray[np.float64], season: int, memory: int = 130) -> tuple[Tensor, Tensor]:
    model = Theta(horizon=HORIZON, season=season, memory=memory)
    target = torch.full((1, model.memory), nan, dtype=torch.float64)
    target[0, -len(values) :] = torch.from_numpy(values[-model.memory :])
    latest = torch.full((1, 1), 3.0, dtype=torch.float64)
    nothing = torch.zeros(1, HORIZON, 0)
    beside = torch.zeros(1, model.memory, 0), nothing, torch.zeros(1, 0, dtype=torch.int64)
    ahead, deviation = model.point(Seen(target, latest, *beside))
    return ahead[0], deviation[0]


@pytest.mark.parametrize("wave", [0.0, 5.0])
@pytest.mark.parametrize("low", [60.0, 0.0], ids=["positive", "real"])
@pytest.mark.parametrize(("length", "season"), [(23, 4), (57, 7), (84, 4), (60, 12), (121, 12)])
def test_as_statsmodels(length: int, season: int, low: float, wave: float) -> None:
    values = series(length, season, wave, low, seed=length)
    reference = ThetaModel(values, period=season).fit().forecast(HORIZON).to_numpy()
    assert_close(point(values, season)[0].numpy(), reference, rtol=1e-5, atol=1e-5 * np.abs(reference).max())


@pytest.mark.parametrize("length", [2, 5, 14, 50])
def test_without_a_season_as_statsmodels(length: int) -> None:
    values = series(length, 5, 0.0, 10.0, seed=length)
    fitted = ThetaModel(values, period=1, deseasonalize=False).fit()
    if length > 2:  # two values say nothing of a rate
        assert_close(point(values, 1)[0].numpy(), fitted.forecast(HORIZON).to_numpy(), rtol=1e-5, atol=1e-5)
    assert slope(torch.from_numpy(values)[None]).item() == pytest.approx(fitted.params["b0"])


def test_a_trend_does_not_hide_the_season() -> None:
    """By the variance of Bartlett, as the M4 competition tests, none of these has one."""
    time, random = np.arange(60), np.random.default_rng(0)
    values = 100 + time + 15 * np.sin(np.pi * time / 6) + random.normal(size=(100, 60))
    told = significant(torch.from_numpy(values), 12)
    rho = [acf(one, nlags=12, alpha=0.1, bartlett_confint=True, result_object=True) for one in values]
    assert told.float().mean() > 0.9
    assert np.mean([abs(one.acf[-1]) > one.confint[-1, 1] - one.acf[-1] for one in rho]) < 0.05


def test_smoothing_by_hand() -> None:
    """Level 2, then 2 + 4 / 2 = 4 (error 4), a gap, and 4 - 2 / 2 = 3 (error -2)."""
    values = torch.tensor([[nan, 2.0, 6.0, nan, 2.0]], dtype=torch.float64)
    level, squares = smooth(values, torch.tensor([[0.5, 1.0]], dtype=torch.float64))
    assert level.tolist() == [[3.0, 2.0]]
    assert squares.tolist() == [[20.0, 32.0]]


def test_the_rate_has_the_least_errors() -> None:
    values = torch.from_numpy(np.stack([series(40, 5, 0.0, 0.0, seed) for seed in range(5)]))
    rate, _, variance = smoothed(values)
    rates = torch.linspace(0.001, 1, 1000, dtype=torch.float64).expand(5, -1)
    least = smooth(values, rates)[1].min(1, keepdim=True)
    assert_close(rate, rates.gather(1, least.indices), rtol=0, atol=1e-3)
    assert (39 * variance <= least.values + 1e-12).all()


def test_deviation_grows_as_that_of_smoothing() -> None:
    """Variance s (1 + (h - 1) a^2), Hyndman and Billah 2003."""
    values = series(30, 5, 0.0, -5.0, seed=1)
    rate, _, variance = smoothed(torch.from_numpy(values)[None])
    expected = [math.sqrt(variance.item() * (1 + h * rate.item() ** 2)) for h in range(HORIZON)]
    assert point(values, 1)[1].tolist() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("values", "expected"),
    [([], [3.0] * HORIZON), ([nan, nan], [3.0] * HORIZON), ([7.0], [7.0] * HORIZON), ([7.0, nan], [7.0] * HORIZON)],
)
def test_what_little_it_knows(values: list[float], expected: list[float]) -> None:
    ahead, deviation = point(np.array([nan, *values]), 4)
    assert ahead.tolist() == expected
    assert deviation.tolist() == [0.0] * HORIZON


def test_a_season_goes_on_over_gaps() -> None:
    """Whole years without noise: the forecast is the next year, with and without gaps in the past."""
    year = np.array([80.0, 100.0, 140.0, 80.0])
    values = np.tile(year, 12)
    assert_close(point(values, 4)[0][:4].numpy(), year, rtol=1e-6, atol=0)
    values[[9, 22, 23, 40]] = nan
    assert_close(point(values, 4)[0][:4].numpy(), year, rtol=0.02, atol=0)

"""Paths have the marginals of the forecast and the dependence of its errors."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy import ndarray
from scipy import stats

from forecaster.batch import Forecast
from forecaster.paths import CAUTIOUS, FARTHEST, LONGEST, Dependence, normal_scores, sample
from forecaster.quantiles import LEVELS, interpolate
from forecaster.support import BINARY, COUNTS, POSITIVE, REAL, Support
from tests.examples import seeds

INDEPENDENT = Dependence(np.eye(500))


def walk(series: int, horizon: int, decay: float, seed: int) -> tuple[Forecast, ndarray]:
    """Series that go on as an AR(1) process (a random walk at 1), with their exact forecasts, and what came."""
    random = np.random.default_rng(seed)
    last, scale = random.normal(0, 5, series), 10.0 ** random.uniform(-2, 3, series)
    steps = np.arange(1, horizon + 1)
    spread = np.sqrt(np.cumsum(decay ** (2 * (steps - 1))))
    actual, at = np.empty((series, horizon)), last
    for step in range(horizon):
        at = decay * at + random.normal(size=series)
        actual[:, step] = at
    mean = last[:, None] * decay**steps
    quantiles = mean[..., None] + spread[:, None] * stats.norm.ppf(LEVELS)
    unit = scale[:, None]
    tensors = (torch.from_numpy(x) for x in (quantiles * unit[..., None], mean * unit))
    return Forecast(LEVELS, *tensors), actual * unit


def share_inside(forecast: Forecast, actual: ndarray, dependence: Dependence) -> float:
    """How many sums over the horizon lie in the central 80 % of the sums of paths."""
    made = sample(forecast, dependence, 500, torch.Generator().manual_seed(0), REAL).numpy().sum(2)
    low, high = np.quantile(made, [0.1, 0.9], axis=1)
    return float(((low <= actual.sum(1)) & (actual.sum(1) <= high)).mean())


@pytest.mark.parametrize("decay", [0.5, 0.9, 1.0])
def test_sums_over_the_horizon_are_calibrated(decay: float) -> None:
    """Of 1000 fresh series: the standard error is 1.3 %. Independent draws of the same marginals fail."""
    dependence = Dependence.learn(*walk(400, 12, decay, 0), REAL)
    fresh = walk(1000, 12, decay, 1)
    assert share_inside(*fresh, dependence) == pytest.approx(0.8, abs=0.04)
    assert share_inside(*fresh, INDEPENDENT) < 0.7


def test_few_residuals_are_shrunk_but_still_help() -> None:
    """Seven series for twelve steps: the sample correlation has no inverse."""
    shares = [
        share_inside(*walk(200, 12, 0.9, 100 + seed), Dependence.learn(*walk(7, 12, 0.9, seed), REAL))
        for seed in range(10)
    ]
    assert np.mean(shares) == pytest.approx(0.8, abs=0.1)


def test_the_correlation_is_that_of_the_process() -> None:
    """Of a random walk, the correlation of steps s < t is sqrt(s / t)."""
    found = Dependence.learn(*walk(3000, 8, 1.0, 0), REAL).correlation
    steps = np.arange(1, 9)
    expected = np.sqrt(np.minimum.outer(steps, steps) / np.maximum.outer(steps, steps))
    np.testing.assert_allclose(found, expected, atol=0.05)


def test_a_temperature_is_that_of_the_density() -> None:
    """N(m, S) to the power of 1 / T is N(m, T S): the same paths, further away from the middle or nearer to it."""
    dependence, (forecast, _) = Dependence.learn(*walk(400, 6, 0.9, 0), REAL), walk(3, 6, 0.9, 1)
    usual, bold, shy = (
        sample(forecast, dependence, 50, torch.Generator().manual_seed(0), REAL, temperature)
        for temperature in (1.0, 4.0, 0.25)
    )
    middle = forecast.mean.unsqueeze(1)
    torch.testing.assert_close(bold - middle, 2 * (usual - middle))
    torch.testing.assert_close(shy - middle, (usual - middle) / 2)


def test_at_no_temperature_paths_are_medians() -> None:
    counts = torch.tensor([[0.0] * 5 + [1.0] * 4 + [2.0] * 3 + [4.0], [0.0] * 9 + [1.0] * 4]).double()
    forecast = Forecast(LEVELS, counts[None], torch.tensor([[0.9, 0.2]]).double())
    for support, expected in ((COUNTS, [1.0, 0.0]), (BINARY, [1.0, 0.0])):
        (paths,) = sample(forecast, CAUTIOUS, 3, torch.Generator().manual_seed(0), support, 0.0)
        assert paths.tolist() == [expected] * 3


def test_beyond_what_was_measured_paths_go_on() -> None:
    dependence = Dependence.learn(*walk(1000, 4, 0.9, 0), REAL)
    z = dependence.draw(1, 50_000, 9, torch.Generator().manual_seed(0))[0].numpy()
    np.testing.assert_allclose(z.std(0), 1, atol=0.02)
    neighbours = [np.corrcoef(z[:, step], z[:, step + 1])[0, 1] for step in range(8)]
    np.testing.assert_allclose(neighbours[:3], dependence.correlation.diagonal(1), atol=0.02)
    np.testing.assert_allclose(neighbours[3:], dependence.decay, atol=0.02)
    cautious = CAUTIOUS.draw(1, 50_000, 3, torch.Generator().manual_seed(0))[0].numpy()
    np.testing.assert_allclose(np.corrcoef(cautious.T)[0], [1, 0.9, 0.81], atol=0.02)


@given(seed=seeds, horizon=st.integers(1, 6))
def test_marginals_are_those_of_the_forecast(seed: int, horizon: int) -> None:
    forecast, _ = walk(2, horizon, 0.8, seed)
    made = sample(forecast, CAUTIOUS, 20_000, torch.Generator().manual_seed(seed), REAL)
    assert made.shape == (2, 20_000, horizon)
    levels = (0.05, 0.25, 0.5, 0.85, 0.975)
    below = (made.unsqueeze(-1) <= interpolate(forecast.quantiles, LEVELS, levels).unsqueeze(1)).double().mean(1)
    assert ((below - torch.tensor(levels)).abs() < 0.02).all()


def test_a_seed_gives_the_same_paths() -> None:
    forecast, _ = walk(3, 4, 0.8, 0)
    one, same, other = (sample(forecast, CAUTIOUS, 5, torch.Generator().manual_seed(s), REAL) for s in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert sample(forecast, CAUTIOUS, 0, torch.Generator(), REAL).shape == (3, 0, 4)


def discrete(rate: ndarray, binary: bool) -> Forecast:
    """Exact forecasts of independent counts, or of 0 and 1."""
    law = stats.bernoulli(rate[..., None]) if binary else stats.poisson(rate[..., None])
    quantiles = torch.from_numpy(law.ppf(LEVELS).astype(float))
    return Forecast(LEVELS, quantiles, torch.from_numpy(rate))


@pytest.mark.parametrize(("support", "high"), [(COUNTS, 30.0), (BINARY, 0.99)])
def test_paths_of_counts_and_of_binary_targets(support: Support, high: float) -> None:
    rate = np.random.default_rng(0).uniform(0.01, high, (20, 6))
    made = sample(discrete(rate, support == BINARY), CAUTIOUS, 4000, torch.Generator().manual_seed(0), support)
    assert support.holds(made).all()
    np.testing.assert_allclose(made.mean(1).numpy(), rate, atol=0.04, rtol=0.02)
    assert (np.corrcoef(made[0, :, :2].numpy().T)[0, 1]) > 0.3, "neighbouring steps move together"


@pytest.mark.parametrize("support", [COUNTS, BINARY])
def test_independent_counts_are_seen_to_be_independent(support: Support) -> None:
    random = np.random.default_rng(0)
    rate = random.uniform(0.2, 0.8 if support == BINARY else 20, (2000, 4))
    actual = (random.binomial(1, rate) if support == BINARY else random.poisson(rate)).astype(float)
    found = Dependence.learn(discrete(rate, support == BINARY), actual, support).correlation
    np.testing.assert_allclose(found, np.eye(4), atol=0.06)


def test_normal_scores_undo_sampling() -> None:
    """But for what is rounded off, bounded, or has several quantiles."""
    forecast, _ = walk(50, 4, 0.8, 0)
    z = CAUTIOUS.draw(50, 1, 4, torch.Generator().manual_seed(7))[:, 0]
    values = sample(forecast, CAUTIOUS, 1, torch.Generator().manual_seed(7), REAL)[:, 0]
    torch.testing.assert_close(normal_scores(forecast, values, REAL), z.clamp(-FARTHEST, FARTHEST))
    flat = Forecast(LEVELS, forecast.quantiles * 0, forecast.mean * 0)
    scores = normal_scores(flat, torch.tensor([[-1.0, 0.0, 1.0, torch.nan]] * 50).double(), POSITIVE)
    torch.testing.assert_close(scores[0], torch.tensor([-3.0, 0.0, 3.0, torch.nan]).double(), equal_nan=True)


@given(seed=seeds, series=st.integers(1, 6), horizon=st.integers(1, 9), gaps=st.sampled_from([0.0, 0.3, 0.9]))
def test_any_residuals_give_a_correlation_that_can_be_drawn_from(
    seed: int, series: int, horizon: int, gaps: float
) -> None:
    forecast, actual = walk(series, horizon, 1.0, seed)
    actual[np.random.default_rng(seed).random(actual.shape) < gaps] = np.nan
    dependence = Dependence.learn(forecast, actual, REAL)
    np.testing.assert_allclose(dependence.correlation.diagonal(), 1)
    assert (np.linalg.eigvalsh(dependence.correlation) > 0).all()
    assert dependence.draw(1, 2, horizon + 3, torch.Generator()).isfinite().all()
    read = Dependence.from_bytes(dependence.to_bytes())
    assert np.array_equal(read.correlation, dependence.correlation)


def test_a_very_long_horizon_is_measured_in_part() -> None:
    forecast, actual = walk(3, LONGEST + 5, 1.0, 0)
    assert Dependence.learn(forecast, actual, REAL).correlation.shape == (LONGEST, LONGEST)

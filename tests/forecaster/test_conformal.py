"""Calibrated intervals hold on data that nobody has seen."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy import ndarray
from scipy import stats

from forecaster.batch import Forecast
from forecaster.conformal import CLAIM, ENOUGH, Calibrator
from forecaster.quantiles import LEVELS
from forecaster.support import COUNTS
from tests.examples import seeds


def case(series: int, horizon: int, seed: int) -> tuple[Forecast, ndarray]:
    """Too narrow, biased forecasts of series of very different scales, and what came after them."""
    random = np.random.default_rng(seed)
    scale = 10.0 ** random.uniform(-3, 6, series)
    level = scale * random.normal(0, 100, series)
    z = 0.3 * stats.norm.ppf(LEVELS) + 0.5
    quantiles = np.broadcast_to(level[:, None, None] + scale[:, None, None] * z, (series, horizon, len(LEVELS)))
    noise = random.normal(0, 1 + np.arange(horizon), (series, horizon))
    forecast = Forecast(
        LEVELS,
        torch.from_numpy(quantiles.copy()),
        torch.from_numpy(np.broadcast_to(level[:, None], (series, horizon)).copy()),
    )
    return forecast, level[:, None] + scale[:, None] * noise


def learned(forecast: Forecast, actual: ndarray) -> Calibrator:
    calibrator = Calibrator.learn(forecast, actual)
    assert calibrator is not None
    return calibrator


def believed(calibrator: Calibrator, held_out: int) -> Calibrator:
    """The calibrator if what was held out were beyond doubt."""
    return replace(calibrator, shares=calibrator.shares * (held_out + CLAIM) / held_out)


def inside(forecast: Forecast, actual: ndarray) -> ndarray:
    """Share of the actuals in each central interval, widest first, by step."""
    quantiles, middle = forecast.quantiles.numpy(), len(LEVELS) // 2
    low, high = quantiles[..., :middle], quantiles[..., : -middle - 1 : -1]
    return np.asarray(((low <= actual[..., None]) & (actual[..., None] <= high)).mean(0))


INTERVALS = np.array([1 - 2 * level for level in LEVELS[: len(LEVELS) // 2]])


@pytest.mark.parametrize("held_out", [50, 60, 400])
def test_coverage_on_fresh_data(held_out: int) -> None:
    """On average over calibration sets, an interval from p to 1 - p has a share 1 - 2 p of fresh values, at each step,
    if what was held out is believed; as it is, between that and the share before calibration.

    The share of one set follows a beta distribution (Vovk 2012): 200 sets and 200 fresh series of each keep the mean
    within 4 standard errors.
    """
    raw, shipped, share = np.zeros((3, 2, len(INTERVALS)))
    runs, fresh = 200, 200
    for seed in range(runs):
        calibrator = learned(*case(held_out, 2, seed))
        forecast, actual = case(fresh, 2, 1000 + seed)
        raw += inside(forecast, actual) / runs
        shipped += inside(calibrator.apply(forecast), actual) / runs
        share += inside(believed(calibrator, held_out).apply(forecast), actual) / runs
    error = np.sqrt(INTERVALS * (1 - INTERVALS) * (1 / (held_out + 2) + 1 / fresh) / runs)
    assert (np.abs(share - INTERVALS) < 4 * error).all()
    assert (raw < shipped).all()
    assert (shipped < share).all()


def test_raw_coverage_was_wrong() -> None:
    """What calibration mends in the test before is there to be mended."""
    share = inside(*case(1000, 2, 0))
    assert (np.abs(share - INTERVALS) > 0.1).any(1).all()


def test_the_median_stays() -> None:
    forecast, actual = case(100, 2, 0)
    middle = LEVELS.index(0.5)
    moved = learned(forecast, actual).apply(forecast)
    assert torch.equal(moved.quantiles[..., middle], forecast.quantiles[..., middle])


@given(seed=seeds, series=st.integers(1, 5), horizon=st.integers(1, 4), longer=st.integers(0, 4))
def test_applied_quantiles_do_not_cross(seed: int, series: int, horizon: int, longer: int) -> None:
    calibrator = learned(*case(series, horizon, seed))
    forecast, _ = case(3, horizon + longer, seed + 1)
    moved = calibrator.apply(forecast)
    assert moved.quantiles.isfinite().all()
    assert (moved.quantiles.diff(dim=-1) >= 0).all()
    assert torch.equal(moved.mean, forecast.mean)


@pytest.mark.parametrize(("held_out", "credible"), [(4, 1 / 9), (64, 2 / 3), (999, 999 / 1031)])
def test_an_interval_gets_the_width_that_held_its_share_of_the_errors_as_far_as_they_are_many(
    held_out: int, credible: float
) -> None:
    forecast, actual = case(held_out, 1, 0)
    low, median, high = (forecast.quantiles[:, 0, k].numpy() for k in (2, 6, 10))
    outside = np.sort(np.maximum(low - actual[:, 0], actual[:, 0] - high) / (high - low))
    more = credible * outside[round(0.8 * (held_out + 1)) - 1] * (high - low)
    moved = learned(forecast, actual).apply(forecast).quantiles[:, 0].numpy()
    np.testing.assert_allclose(moved[:, 2], np.minimum(low - more, median), rtol=1e-9)
    np.testing.assert_allclose(moved[:, 10], np.maximum(high + more, median), rtol=1e-9)


def test_calm_hours_stay_calm() -> None:
    """What is added to an interval is a share of its own width."""
    forecast, actual = case(200, 2, 0)
    calibrator = learned(forecast, actual)
    median = forecast.quantiles[..., 6:7]
    calm = replace(forecast, quantiles=median + (forecast.quantiles - median) / 64)
    ratio = (calibrator.apply(calm).quantiles - median) / (calibrator.apply(forecast).quantiles - median)
    assert np.nanmax(np.abs(ratio.numpy() - 1 / 64)) < 1e-6


@given(exponent=st.integers(-300, 300))
def test_times_a_power_of_two(exponent: int) -> None:
    calibrator = learned(*case(60, 2, 0))
    forecast, _ = case(3, 2, 1)
    two = torch.tensor(exponent)
    scaled = Forecast(LEVELS, *(torch.ldexp(value, two) for value in (forecast.quantiles, forecast.mean)))
    expected = torch.ldexp(calibrator.apply(forecast).quantiles, two)
    assert torch.equal(calibrator.apply(scaled).quantiles, expected)


def test_steps_beyond_the_last_take_its_shares() -> None:
    calibrator = learned(*case(200, 3, 0))
    forecast, _ = case(2, 7, 1)
    width = forecast.quantiles[..., -1] - forecast.quantiles[..., 0]
    more = (calibrator.apply(forecast).quantiles[..., -1] - forecast.quantiles[..., -1]) / width
    for step in range(3, 7):
        torch.testing.assert_close(more[:, step], more[:, 2])
    assert not torch.allclose(more[:, 1], more[:, 2])


def test_few_residuals_borrow_from_neighbouring_steps() -> None:
    forecast, actual = case(ENOUGH, 5, 0)
    alone = learned(forecast, actual)
    assert len({tuple(row) for row in alone.shares}) == 5
    half = Forecast(LEVELS, forecast.quantiles[:10], forecast.mean[:10])
    shared = learned(half, actual[:10])
    assert len({tuple(row) for row in shared.shares}) == 1
    assert shared.residuals == 50


def test_a_step_that_is_never_known_is_calibrated_between_its_neighbours() -> None:
    forecast, actual = case(200, 3, 0)
    actual[:, 1] = math.nan
    first, unknown, last = learned(forecast, actual).shares
    assert (first < unknown).all()
    assert (unknown < last).all()


def test_missing_actuals_and_series_without_a_width_are_left_out() -> None:
    forecast, actual = case(80, 2, 0)
    expected = learned(Forecast(LEVELS, forecast.quantiles[:60], forecast.mean[:60]), actual[:60])
    actual[60:70] = math.nan
    quantiles = forecast.quantiles.clone()
    quantiles[70:] = quantiles[70:, :, 6:7]
    found = learned(replace(forecast, quantiles=quantiles), actual)
    assert np.array_equal(found.shares, expected.shares)
    assert found.residuals == expected.residuals == 120


def counted(mean: float, series: int) -> Forecast:
    """Poisson forecasts."""
    quantiles = torch.from_numpy(stats.poisson(mean).ppf(LEVELS)).expand(series, 1, -1)
    return Forecast(LEVELS, quantiles, torch.full((series, 1), mean).double())


def test_an_interval_around_a_single_count_is_widened() -> None:
    """15 of 100 ones where only zeros were expected: the intervals that should hold more than 85 % get the one."""
    forecast, actual = counted(1e-9, 100), np.array([[1.0]] * 15 + [[0.0]] * 85)
    calibrator = Calibrator.learn(forecast, actual, COUNTS)
    assert calibrator is not None
    assert calibrator.residuals == 100
    assert believed(calibrator, 100).shares[0].tolist() == [1.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    read = Calibrator.from_json(calibrator.to_json())
    moved = COUNTS.nearest(read.apply(forecast).quantiles)[0, 0]
    assert moved.tolist() == [0.0] * 11 + [1.0] * 2


@pytest.mark.parametrize(("held_out", "highest"), [(20, 0.0), (40, 1.0)])
def test_one_count_more_takes_more_origins_than_a_claim_is_worth(held_out: int, highest: float) -> None:
    forecast, actual = counted(1e-9, held_out), np.resize([[1.0], [0.0]], (held_out, 1))
    calibrator = Calibrator.learn(forecast, actual, COUNTS)
    assert calibrator is not None
    moved = COUNTS.nearest(calibrator.apply(forecast).quantiles)[0, 0]
    assert (moved[0].item(), moved[-1].item()) == (0.0, highest)
    assert not moved.signbit().any()


@pytest.mark.parametrize(("expected", "came"), [(0.5, 1.5), (0.2, 0.6), (4.0, 9.0)])
def test_counts_that_were_expected_too_low_are_covered(expected: float, came: float) -> None:
    """Whole values hold their share or more: there is nothing between them to stop at."""
    held_out, fresh = (np.random.default_rng(seed).poisson(came, (2000, 1)).astype(float) for seed in (0, 1))
    forecast = counted(expected, 2000)
    assert (inside(forecast, fresh) < INTERVALS - 0.05).any()
    calibrator = Calibrator.learn(forecast, held_out, COUNTS)
    assert calibrator is not None
    moved = calibrator.apply(forecast)
    share = inside(replace(moved, quantiles=COUNTS.nearest(moved.quantiles)), fresh)
    assert (share > INTERVALS - 0.04).all()


def test_nothing_known_is_no_calibrator() -> None:
    forecast, actual = case(4, 3, 0)
    assert Calibrator.learn(forecast, actual * math.nan) is None
    assert Calibrator.learn(replace(forecast, quantiles=forecast.quantiles * 0), actual) is None


@given(seed=seeds)
def test_json_round_trip_is_exact(seed: int) -> None:
    calibrator = learned(*case(5, 3, seed))
    read = Calibrator.from_json(calibrator.to_json())
    assert read.levels == calibrator.levels
    assert read.residuals == calibrator.residuals
    assert np.array_equal(read.shares, calibrator.shares)


def sure(forecast: Forecast, share: float) -> Forecast:
    """Intervals that have only a share of their width."""
    median = forecast.quantiles[..., 6:7]
    return replace(forecast, quantiles=torch.lerp(median, forecast.quantiles, share))


def test_intervals_of_young_series_are_as_wide_as_those_that_were_held_out_had_needed() -> None:
    """Of one value the model says that it never moves, and of four that it hardly does."""
    forecast, actual = case(400, 2, 0)
    told = {1: (sure(forecast, 0), actual), 4: (sure(forecast, 0.1), actual)}
    calibrator = learned(forecast, actual).with_young(told)
    assert (calibrator.young[1] >= calibrator.young[4]).all()
    assert (calibrator.young[4] >= calibrator.shares).all()
    fresh, came = case(400, 2, 1)
    for length, share, most in ((1, 0.0, 0.95), (3, 0.0, 0.95), (4, 0.1, 0.95), (7, 0.1, 0.95), (8, 1.0, 0.9)):
        known = sure(fresh, share)
        held = inside(calibrator.apply(known, np.full(400, length)), came)[:, 2]  # of the 80 % intervals
        assert ((held > 0.7) & (held < most)).all()
        assert share == 1.0 or (inside(calibrator.apply(known), came)[:, 2] < 0.1).all()


def test_each_series_is_widened_by_its_own_length() -> None:
    forecast, actual = case(60, 2, 0)
    calibrator = learned(forecast, actual).with_young({k: (sure(forecast, 0.1), actual) for k in (1, 2, 4)})
    lengths = np.array([1, 2, 3, 4, 7, 8, 500])
    some = Forecast(LEVELS, forecast.quantiles[:7], forecast.mean[:7])
    moved = calibrator.apply(some, lengths).quantiles
    for row in range(len(lengths)):
        one = Forecast(LEVELS, some.quantiles[row : row + 1], some.mean[row : row + 1])
        assert torch.equal(calibrator.apply(one, lengths[row : row + 1]).quantiles[0], moved[row])
    assert torch.equal(moved[5:], calibrator.apply(some).quantiles[5:])
    read = Calibrator.from_json(calibrator.to_json())
    assert torch.equal(read.apply(some, lengths).quantiles, moved)


def test_what_was_written_before_young_series_were_told_apart_is_read() -> None:
    forecast, actual = case(60, 2, 0)
    calibrator = learned(forecast, actual)
    text = calibrator.to_json().replace(',\n "young": []', "")
    assert "young" not in text
    assert np.array_equal(Calibrator.from_json(text).shares, calibrator.shares)


def test_a_skewed_interval_is_narrowed_and_stays_on_both_sides_of_its_median() -> None:
    quantiles = torch.tensor([[1.0, 2, 3, 4, 5, 6, 7, 17, 27, 47, 77, 107, 207]], dtype=torch.float64)[None]
    forecast = Forecast(LEVELS, quantiles, quantiles[..., 6])
    moved = Calibrator(LEVELS, np.full((1, 6), -0.25), 1000).apply(forecast).quantiles[0, 0]
    torch.testing.assert_close(moved[:6], 7 - (7 - quantiles[0, 0, :6]) / 10)
    torch.testing.assert_close(moved[7:], quantiles[0, 0, 7:] - (quantiles[0, 0, 7:] - quantiles[0, 0, :6].flip(0)) / 4)

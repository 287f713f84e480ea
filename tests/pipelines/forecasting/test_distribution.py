"""Forecasts are told in such values as the data has, and calibrated by such."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from forecaster.artifact import Artifact
from forecaster.batch import Forecast
from forecaster.conformal import Calibrator
from forecaster.model import Numeric
from forecaster.quantiles import LEVELS, interpolate, masses
from forecaster.spec import CoreSpec, RecurrentSpec
from forecaster.support import BINARY, POSITIVE, REAL, Support
from pipelines.batches.covariates import describe
from pipelines.data.doors import panel_from_series
from pipelines.data.panel import Panel
from pipelines.evaluation.backtest import Backtest
from pipelines.forecasting.distribution import distribution, raw_forecast
from pipelines.forecasting.predict import predict
from tests.pipelines.forecasting.test_predict import artifact

LSTM = RecurrentSpec(core=CoreSpec(cell="lstm", width=8))
MIDDLE = LEVELS.index(0.5)


def steps(*values: list[float]) -> Panel:
    return panel_from_series([f"s{i}" for i in range(len(values))], [0] * len(values), values, "step")


def widened(made: Artifact, share: float, unit: float) -> Artifact:
    shares = np.full((6, len(LEVELS) // 2), share)
    return replace(made, calibrator=Calibrator(LEVELS, shares, 99, unit))


@given(
    values=st.lists(st.lists(st.integers(-3, 9), min_size=3, max_size=20), min_size=2, max_size=5),
    share=st.floats(-0.3, 0.5),
    seed=st.integers(0, 99),
)
def test_whole_numbers_are_forecast_as_whole_numbers(values: list[list[int]], share: float, seed: int) -> None:
    counted = steps(*(list(map(float, one)) for one in values))
    made = widened(artifact(LSTM, counted), share, 1.0)
    assert made.spec.data.integral
    told = predict(made, counted, 9, (0.01, 0.33, 0.5, 0.9, 0.999), paths=20, seed=seed)
    for numbers in (told.quantiles, told.paths):
        assert (numbers == numbers.round()).all()
    assert (np.diff(told.quantiles) >= 0).all()
    assert isinstance(made.model, Numeric)
    raw = raw_forecast(made.model, made.spec.data, counted, 9).quantiles[..., MIDDLE]
    least = 0.0 if made.spec.data.positive else -np.inf
    assert (np.abs(told.quantiles[..., 2] - raw.numpy().clip(least)) <= 0.5).all(), "calibration leaves the median"


def test_a_tail_goes_on_from_the_quantiles_before_they_are_rounded() -> None:
    counted = steps([2.0, 0.0, 1.0, 3.0, 0.0, 2.0, 1.0])
    made = artifact(LSTM, counted)
    assert isinstance(made.model, Numeric)
    raw = raw_forecast(made.model, made.spec.data, counted, 6).quantiles
    far = interpolate(raw, LEVELS, (0.0001, 0.9999)).clamp(min=0).numpy()
    assert (np.abs(predict(made, counted, 6, (0.0001, 0.9999)).quantiles - far) <= 0.5).all()


@given(st.lists(st.integers(0, 9), min_size=3, max_size=20).filter(any), st.floats(0, 0.5))
def test_the_mean_is_that_of_what_is_told_where_nothing_can_be_below_zero(values: list[int], share: float) -> None:
    """Calibration adds as much above as below."""
    data = steps([value + 0.5 * (value > 0) for value in values])
    made = widened(artifact(LSTM, data), share, 0.0)
    assert made.spec.data.positive
    assert isinstance(made.model, Numeric)
    raw = raw_forecast(made.model, made.spec.data, data, 6)
    told = distribution(made.model, made.spec.data, data, 6, made.calibrator).like
    moved = told.quantiles @ masses(LEVELS) - raw.quantiles @ masses(LEVELS)
    torch.testing.assert_close(told.mean, raw.mean + moved)


@pytest.mark.parametrize("share", [0.0, 0.2, -0.2])
def test_a_series_of_other_numbers_is_forecast_as_if_the_data_had_them(share: float) -> None:
    counted = steps([1.0, 9.0, 0.0, 1.0], [4.0, 5.0, 0.0, 2.0])
    made = widened(artifact(LSTM, counted), share, 1.0)
    broken = steps([1.0, 9.0, 0.5, 1.0], [4.0, 5.0, 0.0, 2.0])
    data = describe(broken)
    assert not data.integral
    plain = widened(replace(made, spec=made.spec.model_copy(update={"data": data})), share, 0.0)
    mixed, expected = (predict(one, broken, 5, (0.2, 0.5, 0.8), paths=7) for one in (made, plain))
    for name in ("quantiles", "paths"):
        told, other = getattr(mixed, name), getattr(expected, name)
        assert np.array_equal(told[0], other[0])
        assert (told[1] == told[1].round()).all()
        assert not (other == other.round()).all()
    assert np.array_equal(mixed.mean, expected.mean), "an expectation of whole numbers is hardly ever one"


@pytest.mark.parametrize(("integral", "unit"), [(True, 1.0), (False, 0.0)])
def test_whole_numbers_are_calibrated_by_how_many_an_interval_has(integral: bool, unit: float) -> None:
    counted = steps(*([float(one) for one in row] for row in np.random.default_rng(0).poisson(3, (60, 20))))
    made = artifact(LSTM, counted)
    data = made.spec.data.model_copy(update={"integral": integral})
    assert isinstance(made.model, Numeric)
    told = distribution(made.model, data, counted, 6)
    scores = Backtest(told.forecast(), np.ones((60, 6)), np.ones(60), told.support)
    calibrator, _ = scores.residuals()
    assert calibrator is not None
    assert calibrator.unit == unit


def test_what_never_moves_says_nothing_of_how_wide_intervals_should_be() -> None:
    """Of 300 series that move the intervals are too narrow; 300 others are always 0."""
    random = np.random.default_rng(1)
    values = np.concatenate([random.normal(0, 60, (300, 4)).round(), np.zeros((300, 4))])
    narrow = torch.tensor([-40.0, 0.0, 40.0]).double()
    width = torch.cat([narrow.expand(300, 4, 3), torch.zeros(300, 4, 3)])
    quantiles = interpolate(width, (0.1, 0.5, 0.9), LEVELS).round()
    unit = np.repeat([1.0, 0.0], 300)
    learned, alone = (
        Backtest(Forecast(LEVELS, quantiles[:n], quantiles[:n, :, MIDDLE]), values[:n], unit[:n], REAL.integers())
        for n in (600, 300)
    )
    (one, _), (other, _) = learned.residuals(), alone.residuals()
    assert one is not None
    assert other is not None
    assert np.array_equal(one.shares, other.shares)
    assert (one.shares > 0).any()


@pytest.mark.parametrize(("support", "low", "high"), [(REAL, -np.inf, np.inf), (POSITIVE, 1, 1e304), (BINARY, 0, 1)])
def test_the_integers_of_a_support_are_in_it(support: Support, low: float, high: float) -> None:
    integers = support.integers()
    assert (integers.low, integers.high, integers.whole) == (low, high, True)
    nearest = integers.nearest(torch.tensor([-0.4, 0.2, 0.6, 7.5], dtype=torch.float64))
    assert support.holds(nearest).all()
    assert integers.holds(nearest).all()


@pytest.mark.parametrize(
    ("values", "integral"), [([3.0, None, -2.0], True), ([3.0, 0.5], False), (["a", "b"], False), ([1e17, 2e18], True)]
)
def test_data_is_whole_where_all_its_numbers_are(values: list[float | str | None], integral: bool) -> None:
    assert describe(panel_from_series(["a"], [0], [values], "step")).integral is integral

"""What was known at an origin is what a panel that is cut there knows."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from forecaster.build import build
from forecaster.model import Numeric
from forecaster.spec import SeasonalNaiveSpec, Task
from pipelines.batches.covariates import describe
from pipelines.data.panel import Panel
from pipelines.evaluation.unit import naive_error
from pipelines.forecasting.distribution import distribution
from pipelines.monitoring.hindsight import naive_error_at, seasonal_naive
from tests.pipelines.monitoring.examples import panel as panel_of
from tests.pipelines.monitoring.examples import panels

HORIZON = 17


@given(panel=panels(), season=st.integers(1, 9), share=st.floats(0, 1))
def test_law_of_the_cut(panel: Panel, season: int, share: float) -> None:
    origin = np.maximum((share * panel.lengths).astype(np.int64), 1)
    cut, series = panel.cut(origin), np.arange(len(panel))
    np.testing.assert_allclose(naive_error_at(panel, season, series, origin), naive_error(cut, season), rtol=1e-9)

    model = build(SeasonalNaiveSpec(), Task(horizon=HORIZON, seasons=(season,)))
    assert isinstance(model, Numeric)
    steps = np.tile(np.arange(1, HORIZON + 1), len(panel))
    told = seasonal_naive(panel, season, series.repeat(HORIZON), origin.repeat(HORIZON), steps)
    data = describe(panel).model_copy(update={"positive": False})
    expected = distribution(model, data, cut, HORIZON).forecast().mean.numpy()
    np.testing.assert_array_equal(told.reshape(expected.shape), expected)


def test_a_small_series_has_its_unit_beside_large_ones() -> None:
    sizes = np.array([1e12, 0.01, 1e307, 1e-9, 1.0])
    one = panel_of((sizes[:, None] * np.random.default_rng(0).uniform(1, 2, (5, 60))).tolist())
    series, origin = np.arange(5), np.full(5, 40)
    expected = naive_error(one.cut(origin), 7)
    np.testing.assert_allclose(naive_error_at(one, 7, series, origin), expected, rtol=1e-9)
    assert (expected / sizes > 0.1).all()


def test_before_all_values_nothing_is_known() -> None:
    one = panel_of([[1.0, 2.0, 3.0], [4.0, 5.0, 7.0]])
    series, origin, step = np.array([0, 1, 1]), np.array([0, 0, 3]), np.ones(3, dtype=np.int64)
    np.testing.assert_array_equal(seasonal_naive(one, 2, series, origin, step), [np.nan, np.nan, 5.0])
    np.testing.assert_array_equal(naive_error_at(one, 2, series, origin), [np.nan, np.nan, 3.0])

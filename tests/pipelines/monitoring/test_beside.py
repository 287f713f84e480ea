"""Forecasts meet what came: the figures are those of a backtest, over clocks that change, late and lost values."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from forecaster.batch import Forecast
from forecaster.quantiles import LEVELS
from pipelines.data.panel import Panel
from pipelines.evaluation.backtest import Backtest
from pipelines.evaluation.split import origins
from pipelines.evaluation.unit import naive_error
from pipelines.monitoring.beside import beside
from pipelines.monitoring.kept import read_kept, rows, write_part
from pipelines.monitoring.scores import in_all, scores
from tests.pipelines.monitoring.examples import UNKNOWN, panel, panels, said

HORIZON, SEASON = 5, 7
TENTHS = [LEVELS.index(level) for level in (0.1, 0.5, 0.9)]


def kept(folder: Path, full: Panel, back: int, quantiles: np.ndarray, version: str = "1") -> Panel:
    """Keep forecasts from `back` steps before the end of each series; returns what was known then."""
    cut = full.cut(full.lengths - back)
    made = said(cut.frequency, cut.zone, cut.ids, cut.ends(), quantiles)
    write_part(folder, [rows(made, "m", version, datetime.now(UTC), zone=full.zone)])
    return cut


def read(folder: Path, full: Panel) -> pd.DataFrame:
    return read_kept(folder, "m", steps=full.frequency.is_step, zone=full.zone)


def around(full: Panel, spread: float, horizon: int = HORIZON) -> np.ndarray:
    """Quantiles around a constant for every series."""
    quantiles = np.full((len(full), horizon, 3), 50.0)
    quantiles += [-spread, 0.0, spread]
    return quantiles


@given(full=panels(least=30), seed=st.integers(0, 2**20), windows=st.integers(1, 3))
def test_the_figures_are_those_of_the_backtest(
    full: Panel, seed: int, windows: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """From the same origins the same forecasts, whose errors `Backtest` computes on whole arrays."""
    folder = tmp_path_factory.mktemp("kept")
    held = origins(full, HORIZON, windows)
    drawn = np.sort(np.random.default_rng(seed).normal(50, 15, (*held.actual.shape, len(LEVELS))), axis=-1)
    forecast = Forecast(LEVELS, torch.from_numpy(drawn), torch.from_numpy(drawn[..., TENTHS[1]].copy()))
    test = Backtest(forecast, held.actual, naive_error(held.panel, SEASON))
    for window in range(windows):
        own = drawn[window * len(full) : (window + 1) * len(full)][..., TENTHS]
        kept(folder, full, HORIZON * (windows - window), own)
    told = scores(UNKNOWN.beside(beside(read(folder, full), full, SEASON, 10**6)), "step").set_index("step")
    told = told.reindex(range(1, HORIZON + 1))
    for name, column in {"mase": "error", "coverage_80": "coverage", "bias": "bias"}.items():
        np.testing.assert_allclose(told[column], test.by_step()[name], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("start", "freq"), [("2024-10-20", "h"), ("2024-03-24", "h"), ("2024-10-20", "D"), ("2024-03-24", "D")]
)
def test_over_a_change_of_the_clocks_each_value_meets_its_own(tmp_path: Path, start: str, freq: str) -> None:
    """Ten days, with the change in the middle, forecast by their own numbers."""
    length = 10 * 24 if freq == "h" else 20
    ahead = length // 2
    full = panel([np.arange(length, dtype=np.float64).tolist()], start, freq)
    told = np.arange(length - ahead, length, dtype=np.float64)[None, :, None] + np.array([-0.5, 0.0, 0.5])
    kept(tmp_path, full, ahead, told)
    due = beside(read(tmp_path, full), full, 3, 10**6)
    assert len(due) == ahead
    assert (due["error"] == 0).all()
    assert (due["inside"] == 1).all()
    days = due.groupby("day").size()
    if freq == "h":  # the days of Berlin, of which one has an hour more or less
        changed, hours = ("2024-10-27", 25) if start == "2024-10-20" else ("2024-03-31", 23)
        assert days.loc[changed] == hours
    else:
        assert set(days) == {1}


def test_late_values_join_when_they_come(tmp_path: Path) -> None:
    full = panel([[50.0] * 10 + [60.0] * 40])
    late = panel([[50.0] * 10 + [60.0] * 37 + [np.nan] * 2 + [60.0]])
    kept(tmp_path, full, HORIZON, around(full, 1))
    early = beside(read(tmp_path, full), full.cut(full.lengths - 3), SEASON, 28)
    assert len(early) == 2  # the rest is not due
    one = beside(read(tmp_path, full), late, SEASON, 28)
    assert len(one) == HORIZON
    assert in_all(UNKNOWN.beside(one))["missing"] == pytest.approx(0.4)
    assert not beside(read(tmp_path, full), full, SEASON, 28)["actual"].isna().any()


def test_a_series_that_vanishes_is_due_all_the_same(tmp_path: Path) -> None:
    full = panel([np.arange(50.0).tolist(), np.arange(50.0).tolist()])
    kept(tmp_path, full, HORIZON, around(full, 1))
    left = beside(read(tmp_path, full), full.select([0]), SEASON, 28)
    assert len(left) == 2 * HORIZON
    assert left.groupby("unique_id")["actual"].count().to_dict() == {"s0": HORIZON, "s1": 0}
    ended = full.cut(full.lengths - np.array([0, HORIZON]))
    assert beside(read(tmp_path, full), ended, SEASON, 28)["actual"].count() == HORIZON


def test_a_forecast_kept_twice_counts_once(tmp_path: Path) -> None:
    full = panel([np.arange(50.0).tolist()])
    for _ in range(3):
        kept(tmp_path, full, HORIZON, around(full, 1))
    kept(tmp_path, full, HORIZON + 1, around(full, 1))  # of the same times, but other steps
    due = beside(read(tmp_path, full), full, SEASON, 28)
    assert due["step"].tolist().count(1) == 2
    assert len(due) == 2 * HORIZON


def test_times_off_the_grid_meet_nothing(tmp_path: Path) -> None:
    full = panel([np.arange(50.0).tolist()])
    made = said(full.frequency, full.zone, full.ids, full.ends() - 4 * 3600 * 10**9 + 1, around(full, 1, 3))
    write_part(tmp_path, [rows(made, "m", "1", datetime.now(UTC), zone=full.zone)])
    assert beside(read(tmp_path, full), full, SEASON, 28)["actual"].isna().all()


def test_blocks_are_as_long_as_the_longest_forecast(tmp_path: Path) -> None:
    full = panel([np.arange(120.0).tolist()], freq="D")
    for back in range(60, 6, -1):
        kept(tmp_path, full, back, around(full, 1))
    due = beside(read(tmp_path, full), full, SEASON, 20)
    assert due["day"].nunique() == 8 * HORIZON  # more than twenty days
    assert set(due.groupby("block")["day"].nunique()) == {HORIZON}
    hours = panel([np.arange(500.0).tolist()])
    for back in range(240, 24, -24):
        kept(tmp_path / "hours", hours, back, around(hours, 1, 24))
    assert set(beside(read(tmp_path / "hours", hours), hours, 24, 28).groupby("block")["day"].nunique()) == {1}


def test_steps_and_months_have_days_too(tmp_path: Path) -> None:
    months = panel([np.arange(60.0).tolist()], "2019-01-01", "MS", None)
    kept(tmp_path, months, HORIZON, around(months, 1))
    assert [str(day)[:10] for day in beside(read(tmp_path, months), months, 12, 28)["day"]] == [
        f"2023-{month:02d}-01" for month in range(8, 13)
    ]


def test_nothing_is_due_yet(tmp_path: Path) -> None:
    full = panel([np.arange(50.0).tolist()])
    kept(tmp_path, full, 0, around(full, 1))
    due = UNKNOWN.beside(beside(read(tmp_path, full), full, SEASON, 28))
    assert due.empty
    assert np.isnan(in_all(due)["error"])
    assert scores(due, "step").empty

"""How often there is an alarm while all is well, and that there is one where something is not."""

import numpy as np
import pandas as pd
import pytest
from numpy import ndarray
from scipy import stats

from pipelines.monitoring.drift import Drift
from pipelines.monitoring.settings import Limits
from pipelines.monitoring.verdicts import verdicts

TRIALS, DAYS, ROWS = 200, 28, 24
EXACT = Limits(risk=0.05, error=0, naive=0, coverage=0, drift=1e-9, missing=0)
"""Without any margin: the stated risk is all that keeps from an alarm."""
STILL = Drift(np.empty(0), np.empty(0), 0.0)


def stream(seed: int, *, scale: float = 1.0, together: float = 0.5) -> pd.DataFrame:
    """Forecasts of a normal world, of two groups, whose errors of a day go together; their true scale is `scale`."""
    drawn = np.random.default_rng(seed)

    def errors() -> ndarray:
        day = drawn.normal(size=(DAYS, 1))
        return np.ravel(np.sqrt(together) * day + np.sqrt(1 - together) * drawn.normal(size=(DAYS, ROWS)))

    error, naive = scale * errors(), errors()
    return pd.DataFrame(
        {
            "unique_id": np.tile(["a", "b"], DAYS * ROWS // 2),
            "group": np.tile(["a", "b"], DAYS * ROWS // 2),
            "block": np.repeat(np.arange(DAYS), ROWS),
            "actual": error,
            "error": np.abs(error),
            "naive_error": np.abs(naive),
            "inside": (np.abs(error) <= stats.norm.ppf(0.9)).astype(float),
            "promised_error": np.sqrt(2 / np.pi),  # the mean of |N(0, 1)|
            "promised_coverage": 0.8,
        }
    )


def test_alarms_while_all_is_well_are_as_rare_as_stated() -> None:
    alarms = 0
    for seed in range(TRIALS):
        drawn = np.random.default_rng(seed)
        moved = Drift(drawn.normal(size=400), drawn.normal(size=100), 0.0)
        alarms += bool(verdicts(stream(seed), moved, EXACT))
    assert alarms <= stats.binom.ppf(0.99, TRIALS, EXACT.risk)


def test_rows_taken_for_independent_would_alarm_far_more_often() -> None:
    """Why there are blocks."""
    alarms = sum(bool(verdicts(stream(seed).assign(block=np.arange(DAYS * ROWS)), STILL, EXACT)) for seed in range(50))
    assert alarms > stats.binom.ppf(0.99, 50, EXACT.risk)


def test_as_shipped_there_is_hardly_an_alarm() -> None:
    assert sum(bool(verdicts(stream(seed), STILL, Limits())) for seed in range(TRIALS)) == 0


def test_twice_the_scale_is_found() -> None:
    for seed in range(20):
        found = verdicts(stream(seed, scale=2, together=0.2), STILL, Limits())
        assert {"error", "naive", "coverage"} == {one.rule for one in found if one.group == "all series"}


def test_intervals_that_are_too_wide_are_found() -> None:
    found = verdicts(stream(0, scale=0.3, together=0.1), STILL, Limits())
    assert {one.rule for one in found} == {"coverage"}


def test_what_the_backtest_promised_of_coverage_is_no_breach() -> None:
    """Counts, many of them zero, lie inside of their interval more often than it says."""
    assert not verdicts(stream(0, scale=0.3, together=0.1).assign(promised_coverage=1.0), STILL, Limits())


def test_a_breach_names_the_group_the_numbers_and_what_to_do() -> None:
    rows = stream(1)
    rows.loc[rows["group"] == "b", "error"] *= 3
    (one,) = [one for one in verdicts(rows, STILL, Limits()) if one.rule == "error" and one.group != "all series"]
    assert one.group == "b"
    error = rows.loc[rows["group"] == "b", "error"].mean()
    assert one.sentence.startswith(f"b: the error is {error:.3f} where the backtest promised 0.798, over 336 forecasts")
    assert "retrain" in one.sentence


def test_without_a_promise_the_rest_is_judged() -> None:
    nothing = {"promised_error": np.nan, "promised_coverage": np.nan}
    assert not verdicts(stream(0).assign(**nothing), STILL, Limits())
    found = verdicts(stream(0, scale=2).assign(**nothing), STILL, Limits())
    assert {one.rule for one in found} == {"naive", "coverage"}


def test_values_that_moved_are_drift() -> None:
    drawn = np.random.default_rng(0)
    moved = Drift(drawn.normal(size=1000), drawn.normal(2, 1, 300), 0.0)
    assert moved.distance == pytest.approx(2, abs=0.2)
    (one,) = verdicts(stream(0), moved, Limits())
    assert one.rule == "drift"
    assert f"{moved.distance:.2f} deviations" in one.sentence
    # Far, but of so few values that it may be an accident.
    assert not verdicts(stream(0), Drift(moved.before, np.array([1.9]), 0.0), Limits())


def test_values_that_do_not_come_are_missing_and_no_more_than_in_training() -> None:
    rows = stream(0)
    rows.loc[rows["unique_id"] == "b", ["actual", "error", "naive_error", "inside"]] = np.nan
    (one,) = verdicts(rows, STILL, Limits())
    assert one.rule == "missing"
    assert "50.0%" in one.sentence
    assert "of 'b' none at all" in one.sentence
    assert not verdicts(rows, Drift(np.empty(0), np.empty(0), 0.45), Limits())


def test_no_rows_are_no_breach() -> None:
    assert not verdicts(stream(0).iloc[:0], STILL, Limits())

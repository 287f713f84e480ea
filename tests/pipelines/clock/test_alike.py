"""The series of a table share a frequency: one that follows another is named, or its gaps are told of."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecaster.errors import DataError
from pipelines.data.doors import panel_from_frame
from pipelines.data.oddities import oddities
from pipelines.data.panel import Panel


def series(name: str, frequency: str, count: int, start: str = "2015-01-01") -> pd.DataFrame:
    return pd.DataFrame({"unique_id": name, "ds": pd.date_range(start, periods=count, freq=frequency), "y": 1.0})


def read(*tables: pd.DataFrame, frequency: str | None = None) -> Panel:
    return panel_from_frame(pd.concat(tables), frequency=frequency)


MIXED = [("W-SUN", "D"), ("D", "h"), ("h", "10min"), ("MS", "D"), ("QS", "MS"), ("YE-DEC", "ME"), ("2W-WED", "D")]


@pytest.mark.parametrize(("coarse", "fine"), MIXED)
def test_where_most_series_are_coarser_the_finer_one_is_named(coarse: str, fine: str) -> None:
    tables = [series(name, coarse, 30) for name in "acd"]
    tables.append(series("b", fine, 100))
    with pytest.raises(DataError, match=r"series 'b', ds .*: off the grid .*; correct the time, or"):
        read(*tables)
    assert read(*tables, frequency=fine).frequency.name == fine


@pytest.mark.parametrize("odd", ["ME", "QE", "W-SUN", "YE-JUN", "B"])
def test_where_all_together_follow_nothing_the_one_that_differs_is_named(odd: str) -> None:
    with pytest.raises(DataError, match=r"series 'b', ds .*: off the grid of 'MS', which 2 of 3 series follow"):
        read(series("a", "MS", 60), series("b", odd, 20), series("c", "MS", 60))


def test_a_fiscal_year_that_moved_is_named() -> None:
    """As the United States' did in 1976; it stood beside years that begin in January (FRED's FYFSD)."""
    moved = pd.concat([series("b", "YE-JUN", 20), series("b", "YE-SEP", 20, "2036")])
    with pytest.raises(DataError, match="series 'b', ds 2015-06-30 00:00: off the grid of 'YS-JAN', which 2 of 3"):
        read(series("a", "YS", 40), moved, series("c", "YS", 40))


@pytest.mark.parametrize(
    ("frequency", "stray"), [("MS", "2018-05-04"), ("W-SUN", "2015-03-02"), ("W-SUN", "2015-03-04")]
)
def test_a_stamp_that_is_wrong_is_named(frequency: str, stray: str) -> None:
    wrong = pd.DataFrame({"unique_id": "b", "ds": [pd.Timestamp(stray)], "y": [1.0]})
    new = series("aa", "YS" if frequency == "MS" else "2W-SUN", 2)
    tables = [series(name, frequency, 60) for name in "abc"]
    with pytest.raises(DataError, match=f"series 'b', ds {stray} 00:00: off the grid of '{frequency}', which 2 of 3"):
        read(*tables, new, wrong)


def test_no_majority_blames_no_one() -> None:
    with pytest.raises(DataError, match="irregular: no two are one step of 'D' apart") as told:
        read(series("a", "MS", 60), series("b", "ME", 60), series("c", "YE-JUN", 60), series("d", "MS", 60))
    assert told.value.series is None


@pytest.mark.parametrize(("coarse", "fine"), MIXED)
def test_where_few_series_are_coarser_their_gaps_are_told_of(coarse: str, fine: str) -> None:
    panel = read(series("a", fine, 900), series("b", coarse, 30), series("c", fine, 900))
    assert panel.frequency.name == fine
    (told,) = oddities(panel)
    usual = int(np.median(np.diff(np.flatnonzero(~np.isnan(panel.series(1))))))
    apart = f"in 1 of 3 series values come far apart, as in 'b' every {usual} steps of '{fine}'"
    assert told == f"{apart}; what lies between is read as missing"


@given(st.floats(0.02, 1), st.integers(0, 2**32 - 1))
def test_days_on_which_little_was_sold_are_days(share: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    sold = [series(name, "D", 1000) for name in "abcdef"]
    panel = read(series("each", "D", 30), *(table[random.random(len(table)) < share] for table in sold))
    assert panel.frequency.name == "D"
    assert not list(oddities(panel))


def test_a_few_stamps_are_no_frequency() -> None:
    panel = read(series("a", "W-SUN", 9), series("b", "D", 100), series("c", "W-SUN", 9))
    assert panel.frequency.name == "D"
    assert not list(oddities(panel))

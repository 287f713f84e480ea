"""The series of a table share a frequency: one that follows another is named, and not read as nearly all gaps."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecaster.errors import DataError
from pipelines.doors import panel_from_frame
from pipelines.panel import Panel


def series(name: str, frequency: str, count: int, start: str = "2015-01-01") -> pd.DataFrame:
    return pd.DataFrame({"unique_id": name, "ds": pd.date_range(start, periods=count, freq=frequency), "y": 1.0})


def read(*tables: pd.DataFrame, frequency: str | None = None) -> Panel:
    return panel_from_frame(pd.concat(tables), frequency=frequency)


@pytest.mark.parametrize(
    ("coarse", "fine"), [("MS", "D"), ("QS", "MS"), ("W-SUN", "D"), ("D", "h"), ("h", "10min"), ("YE-DEC", "ME")]
)
def test_a_series_of_a_coarser_frequency_is_named(coarse: str, fine: str) -> None:
    tables = series("a", fine, 900), series("b", coarse, 30), series("c", fine, 900)
    with pytest.raises(
        DataError, match=f"series 'b', ds .*: its time stamps are '{coarse}.*', beside series of '{fine}"
    ):
        read(*tables)
    assert read(*tables, frequency=fine).frequency.name == fine


@pytest.mark.parametrize(("odd", "kind"), [("ME", "'ME'"), ("QE", "'QE-DEC'"), ("W-SUN", "'W-SUN'")])
def test_where_all_together_follow_nothing_the_one_that_differs_is_named(odd: str, kind: str) -> None:
    message = f"series 'c', ds .*: its time stamps are {kind}, beside 2 series of 'MS'; forecast it apart"
    with pytest.raises(DataError, match=message):
        read(series("a", "MS", 60), series("b", "MS", 60), series("c", odd, 20))


def test_a_fiscal_year_that_moved_is_named() -> None:
    """As the United States' did in 1976; it stood beside years that begin in January (FRED's FYFSD)."""
    moved = pd.concat([series("b", "YE-JUN", 20), series("b", "YE-SEP", 20, "2036")])
    message = "series 'b', ds 2015-06-30 00:00: its time stamps are irregular, beside 2 series of 'YS-JAN'"
    with pytest.raises(DataError, match=message):
        read(series("a", "YS", 40), moved, series("c", "YS", 40))


def test_a_stamp_that_is_wrong_is_named() -> None:
    wrong = series("b", "MS", 60)
    wrong.loc[40, "ds"] = pd.Timestamp("2018-05-04")
    with pytest.raises(DataError, match="series 'b', ds 2018-05-04 00:00: its time stamps are irregular, beside 2"):
        read(series("a", "MS", 60), series("aa", "YS", 2), wrong, series("c", "MS", 60))


@given(st.floats(0.02, 1), st.integers(0, 2**32 - 1))
def test_days_on_which_little_was_sold_are_days(share: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    sold = [series(name, "D", 1000) for name in "abcdef"]
    seen = [table[random.random(len(table)) < share] for table in sold]
    assert read(series("each", "D", 30), *seen).frequency.name == "D"


def test_a_few_stamps_are_no_frequency() -> None:
    panel = read(series("a", "D", 100), series("b", "W-SUN", 9))
    assert panel.frequency.name == "D"
    assert np.diff(panel.indptr).tolist() == [100, 57]

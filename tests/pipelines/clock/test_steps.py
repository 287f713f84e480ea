"""Integers count steps where two of them are one apart; dates and clocks written as numbers are refused."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecaster.errors import DataError
from pipelines.clock import infer
from pipelines.data.doors import panel_from_frame
from pipelines.data.panel import Panel

DAYS = pd.date_range("2023-01-01", periods=400).strftime("%Y%m%d")
MONTHS = pd.date_range("2010-01-01", periods=120, freq="MS").strftime("%Y%m")


def read(ds: Sequence[Any], ids: Sequence[str] | None = None, frequency: str | None = None) -> Panel:
    frame = pd.DataFrame({"unique_id": ids or ["a"] * len(ds), "ds": ds, "y": 1.0})
    return panel_from_frame(frame, frequency=frequency)


@pytest.mark.parametrize(
    ("ds", "message"),
    [
        (list(DAYS), "ds 20230101: .* dates written as YYYYMMDD; write dates as 2024-01-31, or number the rows"),
        ([*map(int, DAYS)], "ds 20230101: .* dates written as YYYYMMDD"),
        ([*map(float, DAYS)], "ds 20230101: .* dates written as YYYYMMDD"),
        (list(DAYS[::-7]), "ds 20240204: .* dates written as YYYYMMDD"),
        ([20240228, 20240229, 20240301], "dates written as YYYYMMDD"),
        (list(MONTHS), "ds 201001: .* dates written as YYYYMM;"),
        ([*map(int, MONTHS[::3])], "ds 201001: .* dates written as YYYYMM;"),
        (range(1_700_000_000, 1_701_000_000, 3600), "ds 1700000000: .* no two stamps are one step apart; write dates"),
        ([20, 0, 10, 10], "series 'a', ds 0: .* no two stamps are one step apart"),
    ],
)
def test_integers_that_do_not_count_steps_are_refused(ds: Sequence[Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(ds)


@pytest.mark.parametrize(
    ("ds", "steps"),
    [
        ([7], 1),
        ([0, 10], 11),
        ([20231231, 20240101], 8871),
        ([40, 0, 10, 41], 42),
        (range(20230101, 20230132), 31),
        (range(20230101, 20230133), 32),
        ([20230227, 20230228, 20230229, 20230301], 75),
        (range(202301, 202313), 12),
        (range(202311, 202314), 3),
        (range(2010, 2020), 10),
        ([*range(1_700_000_000, 1_700_000_010)], 10),
    ],
)
def test_counters_count_wherever_they_begin_and_whatever_is_missing(ds: Sequence[int], steps: int) -> None:
    assert (read(ds).frequency.name, read(ds).total) == ("step", steps)


def test_a_frequency_that_is_given_says_that_integers_count() -> None:
    assert read([0, 10, 20], frequency="step").lengths.tolist() == [21]
    assert read(list(DAYS[:40]), frequency="step").lengths.tolist() == [109]


def test_one_series_says_for_all_that_integers_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though it comes after those that are looked at first."""
    monkeypatch.setattr(infer, "_SAMPLE", 3)
    ds, ids = [0, 10, 20, 0, 10, 20, 5, 6], [*"aaabbbcc"]
    assert read(ds, ids).lengths.tolist() == [21, 21, 2]
    with pytest.raises(DataError, match=r"series 'b', ds 0: .* no two stamps are one step apart"):
        read(ds[:2] + ds[3:7], [*"aabbbc"])


def test_single_stamps_of_many_series_count() -> None:
    assert read(np.arange(0, 50, 10).tolist(), [*"abcde"]).lengths.tolist() == [1] * 5

"""The frequency is seen through gaps and disorder; features follow the clock on the wall."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecaster.errors import DataError
from pipelines.clock.features import calendar_features, calendar_names
from pipelines.clock.frequency import Frequency
from pipelines.clock.infer import infer_frequency
from pipelines.clock.zone import DAY, utc

ALL = calendar_names(Frequency("h"), 728 * DAY)
SEEN = [
    *(
        "YS-JAN",
        "YS-APR",
        "YE-DEC",
        "YE-JUN",
        "QS-JAN",
        "QS-FEB",
        "QE-DEC",
        "QE-NOV",
        "MS",
        "ME",
        "BMS",
        "BME",
    ),
    *(
        "BQE-DEC",
        "BYE-DEC",
        "W-SUN",
        "W-WED",
        "2W-WED",
        "B",
        "D",
        "2D",
        "h",
        "6h",
        "30min",
        "10min",
        "s",
        "250ms",
    ),
]
ZONES = [None, "UTC", "Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe"]


def wall(*texts: str) -> np.ndarray:
    return np.array([pd.Timestamp(text).value for text in texts])


@given(st.sampled_from(SEEN), st.sampled_from(ZONES), st.integers(0, 100), st.integers(0, 2**32 - 1))
def test_the_frequency_is_seen_through_gaps_and_disorder(name: str, zone: str | None, shift: int, seed: int) -> None:
    frequency, random = Frequency.parse(name), np.random.default_rng(seed)
    first = pd.date_range("1990-01-01", periods=1, freq=name, unit="ns").to_numpy().astype(np.int64)
    kept = [np.delete(np.arange(60), random.choice(np.arange(5, 60), 12, replace=False)) for _ in range(3)]
    times = frequency.advance(utc(first, zone)[0], shift + np.concatenate(kept), zone)
    order = random.permutation(len(times))
    assert infer_frequency(times[order], np.repeat(np.arange(3), 48)[order], zone) == frequency


@pytest.mark.parametrize(
    ("stamps", "name"),
    [
        (["2024-01-01", "2025-01-01"], "YS-JAN"),
        (["2023-10-01", "2024-01-01", "2024-04-01"], "QS-JAN"),
        (["2024-01-31", "2024-02-29"], "ME"),
        (["2024-01-31", "2024-07-31"], "QE-OCT"),
        (["2024-01-01", "2024-01-15"], "W-MON"),
        (["2024-01-01", "2024-01-02"], "D"),
        (["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05"], "D"),
        (["2024-01-01", "2024-07-01", "2025-01-01", "2025-07-01"], "2QS-JAN"),
        (["2024-01-15", "2024-02-15"], "D"),
        (["2024-01-01 06:00", "2024-01-02 06:00"], "D"),
        (["2024-01-01 00:00", "2024-01-01 05:00"], "5h"),
        (["2024-01-01 00:00", "2024-01-01 02:00", "2024-01-01 05:00", "2024-01-01 10:00"], "h"),
        (["2024-01-01 00:00", "2024-01-01 01:00", "2024-01-01 02:00", "2024-01-01 02:07"], "h"),
    ],
)
def test_few_stamps(stamps: list[str], name: str) -> None:
    assert infer_frequency(wall(*stamps), np.zeros(len(stamps), int), None).name == name


def test_local_days_are_days_only_in_their_zone() -> None:
    times = Frequency("D").advance(utc(wall("2024-03-01"), "Europe/Berlin")[0], np.arange(60), "Europe/Berlin")
    assert infer_frequency(times, np.zeros(60, int), "Europe/Berlin").name == "D"
    assert infer_frequency(times, np.zeros(60, int), "UTC").name == "24h"


def test_weeks_that_begin_on_different_days_are_weeks() -> None:
    days = [np.arange(60) * 7 * DAY + first * DAY for first in (19_723, 19_724)]  # a Monday, a Tuesday
    series = np.repeat([0, 1], 60)
    assert infer_frequency(np.concatenate(days), series, None).name == "7D"
    assert infer_frequency(np.concatenate(days), series, None).season == (52,)


def test_single_stamps_tell_no_frequency() -> None:
    with pytest.raises(DataError, match="frequency"):
        infer_frequency(wall("2024-01-01", "2024-01-02"), np.array([0, 1]), None)
    with pytest.raises(DataError, match="frequency"):
        infer_frequency(wall("2024-01-01", "2024-01-01"), np.array([0, 0]), None)


def test_irregular_stamps_are_refused() -> None:
    stamps = wall("2024-01-01 00:00:07", "2024-01-01 05:12:00", "2024-01-01 05:40:59", "2024-01-02 03:00:01")
    with pytest.raises(DataError, match="irregular; round them"):
        infer_frequency(stamps, np.zeros(4, int), None)


@pytest.mark.parametrize(
    ("stamps", "name"),
    [
        ([f"{year}-{month:02}-15" for year in range(2010, 2020) for month in range(1, 13)], "D"),
        (["2024-01-15 06:00", "2024-02-15 06:00", "2024-03-15 06:00", "2024-04-15 06:00"], "D"),
        ([f"{year}-05-15" for year in range(2010, 2020)], "D"),
        (["2024-01-19", "2024-02-16", "2024-03-15", "2024-04-19"], "W-FRI"),
        (["2024-01-01", "2024-03-01", "2024-06-01", "2024-08-01"], "MS"),
    ],
)
def test_stamps_of_which_no_two_are_a_step_apart_are_refused(stamps: list[str], name: str) -> None:
    """Months stamped on their 15th are days nearly all of which are gaps, and no one would know."""
    with pytest.raises(DataError, match=f"irregular: no two are one step of '{name}' apart; give the frequency; .*MS"):
        infer_frequency(wall(*stamps), np.zeros(len(stamps), int), None)


def test_one_step_between_stamps_that_are_far_apart_tells_the_frequency() -> None:
    stamps = wall("2024-01-15", "2024-02-15", "2024-03-15", "2024-04-15", "2024-01-15", "2024-01-16")
    assert infer_frequency(stamps, np.array([0, 0, 0, 0, 1, 1]), None).name == "D"


def test_a_series_of_one_stamp_does_not_hide_the_others() -> None:
    times = np.concatenate([wall("2024-01-01"), wall("2024-01-01 00:00", "2024-01-01 01:00")])
    assert infer_frequency(times, np.array([0, 1, 1]), None).name == "h"


@pytest.mark.parametrize(
    ("frequency", "cycles"),
    [
        *(("h", "day week year"), ("10min", "day week year"), ("24h", "week year"), ("D", "week year")),
        *(
            ("B", "week year"),
            ("7D", "year"),
            ("W-SUN", "year"),
            ("MS", "year"),
            ("BME", "year"),
            ("QS-JAN", "year"),
        ),
        *(
            ("YS-JAN", ""),
            ("BYE-DEC", ""),
            ("RE-N-DEC-MON", ""),
            ("step", ""),
            ("SMS-15", "year"),
            ("bh", "day week year"),
        ),
    ],
)
def test_features_are_those_that_vary(frequency: str, cycles: str) -> None:
    names = calendar_names(Frequency(frequency), 728 * DAY)
    assert names == tuple(f"{cycle}_{wave}" for cycle in cycles.split() for wave in ("sin", "cos"))
    features = calendar_features(wall("2024-01-01"), None, names)
    assert features.shape == (1, len(names))
    assert features.dtype == np.float32


@pytest.mark.parametrize(
    ("days", "cycles"), [(1, ""), (2, "day"), (13, "day"), (14, "day week"), (727, "day week"), (728, "day week year")]
)
def test_a_cycle_has_come_around_twice(days: int, cycles: str) -> None:
    """Hours of a few months with the time of year beside them: networks learned it by heart, and ETTh1 was lost."""
    names = calendar_names(Frequency("h"), days * DAY)
    assert names == tuple(f"{cycle}_{wave}" for cycle in cycles.split() for wave in ("sin", "cos"))


@given(st.integers(int(wall("1950-01-01")[0]), int(wall("2100-01-01")[0])), st.sampled_from(ZONES))
def test_features_are_angles_of_the_wall_clock(moment: int, zone: str | None) -> None:
    features = calendar_features(np.array([moment]), zone, ALL)
    there = Frequency("h").stamps(np.array([moment]), zone)[0]
    hour = there.hour + there.minute / 60 + there.second / 3600
    turns = {
        "day": hour / 24,
        "week": (there.day_of_week + hour / 24) / 7,
        "year": (there.day_of_year - 1 + hour / 24) / 366,
    }
    for column, name in enumerate(ALL):
        cycle, wave = name.split("_")
        assert features[0, column] == pytest.approx(getattr(np, wave)(2 * np.pi * turns[cycle]), abs=1e-3)


def test_midnight_is_local_through_the_year() -> None:
    zone = "Australia/Melbourne"
    times = Frequency("D").advance(utc(wall("2016-01-01"), zone)[0], np.arange(366), zone)
    midnight = calendar_features(times, zone, ["day_cos"])
    np.testing.assert_allclose(midnight, 1, atol=1e-6)
    assert np.ptp(calendar_features(times, "UTC", ["day_cos"])) > 0.05


def test_a_week_has_seven_days() -> None:
    week = calendar_features(wall("2024-01-01") + np.arange(14) * DAY, None, ["week_sin", "week_cos"])
    assert len(np.unique(week.round(5), axis=0)) == 7
    np.testing.assert_allclose(week[:7], week[7:], atol=1e-6)

"""Every frequency of pandas: the same grid, and positions and times are inverse in every zone."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecaster.errors import DataError
from pipelines.clock.alias import MONTHS
from pipelines.clock.frequency import Frequency
from pipelines.clock.zone import DAY, local, utc

TICKS = [
    "h",
    "2h",
    "5h",
    "12h",
    "24h",
    "30min",
    "10min",
    "7min",
    "90min",
    "s",
    "10s",
    "250ms",
    "us",
    "ns",
    "1h30min",
]
DAYS = ["D", "2D", "7D", "B", "3B", "C", *(f"W-{day}" for day in ("MON", "TUE", "WED", "SUN")), "W", "2W-WED"]
MONTHLY = ["MS", "ME", "2MS", "6ME", "BMS", "BME", "CBMS", "CBME", "SMS", "SME", "SMS-10", "2SME", "WOM-2TUE"]
ANCHORED = [f"{base}-{month}" for base in ("QS", "QE", "BQS", "BQE", "YS", "YE", "BYS", "BYE") for month in MONTHS]
FISCAL = ["RE-N-DEC-MON", "RE-L-AUG-SAT", "REQ-N-DEC-MON-1", "REQ-L-AUG-THU-3"]
HOURS = ["bh", "2bh", "cbh"]
ALIASES = [*TICKS, *DAYS, *MONTHLY, *ANCHORED, "2QS-FEB", "4YE-JUN", *FISCAL, *HOURS]
ZONES = [
    None,
    "UTC",
    "UTC+10:00",
    "Europe/Berlin",
    "America/Sao_Paulo",
    "America/Havana",
    "Australia/Lord_Howe",
]
DATES = st.dates(date(1850, 1, 1), date(2060, 1, 1))


def grid(alias: str, day: date | str, periods: int) -> np.ndarray:
    """The wall times of pandas' own grid."""
    start = pd.Timestamp(day)
    if alias in HOURS:
        start += pd.Timedelta(hours=9)
    times = pd.date_range(start, periods=max(periods, 2), freq=alias, unit="ns")  # one fiscal year it cannot
    return times.to_numpy().astype(np.int64)[:periods]


@pytest.mark.parametrize("alias", ALIASES)
def test_the_grid_of_pandas(alias: str) -> None:
    for day in ("1999-12-27", "2024-02-28", "1850-06-15"):
        theirs = grid(alias, day, 40)
        frequency = Frequency.parse(alias)
        assert frequency.advance(theirs[:1], np.arange(40), None).tolist() == theirs.tolist()
        assert frequency.index(theirs, theirs[:1], None).tolist() == list(range(40))


@given(st.sampled_from(ALIASES), st.sampled_from(ZONES), DATES, st.integers(0, 23 * 60), st.data())
def test_positions_and_times_are_inverse(
    alias: str, zone: str | None, day: date, minutes: int, data: st.DataObject
) -> None:
    frequency = Frequency.parse(alias)
    phase = 0 if alias in HOURS else minutes * DAY // 1440
    start = frequency.advance(utc(grid(alias, day, 1) + phase, zone)[0], np.zeros(1, dtype=np.int64), zone)
    steps = np.array(data.draw(st.lists(st.integers(-30, 30), min_size=1)))
    times = frequency.advance(start, steps, zone)
    assert frequency.index(times, start, zone).tolist() == steps.tolist()
    order = np.argsort(steps, kind="stable")
    assert (np.diff(times[order])[np.diff(steps[order]) > 0] > 0).all()


@given(st.sampled_from(ALIASES), st.sampled_from(ZONES), DATES, st.integers(0, 23 * 60), st.floats(0, 1))
def test_a_time_between_two_steps_is_at_the_earlier_one(
    alias: str, zone: str | None, day: date, minutes: int, share: float
) -> None:
    frequency = Frequency.parse(alias)
    phase = 0 if alias in HOURS else minutes * DAY // 1440
    start = frequency.advance(utc(grid(alias, day, 1) + phase, zone)[0], np.zeros(1, dtype=np.int64), zone)
    times = frequency.advance(start, np.arange(31), zone)
    between = times[:-1] + (share * (np.diff(times) - 1)).astype(np.int64)
    assert frequency.locate(between, start, zone)[0].tolist() == list(range(30))


@given(st.sampled_from(ALIASES))
def test_canonical_names_stay(alias: str) -> None:
    name = Frequency.parse(alias).name
    assert Frequency.parse(name) == Frequency(name)


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        *(
            ("H", "h"),
            ("60min", "h"),
            ("T", "min"),
            ("15T", "15min"),
            ("1440min", "24h"),
            ("S", "s"),
            ("L", "ms"),
        ),
        *(
            ("M", "ME"),
            ("3M", "3ME"),
            ("Q", "QE-DEC"),
            ("Q-NOV", "QE-NOV"),
            ("Y", "YE-DEC"),
            ("A-JUN", "YE-JUN"),
        ),
        *(("AS", "YS-JAN"), ("BM", "BME"), ("BQ", "BQE-DEC"), ("BA", "BYE-DEC"), ("W", "W-SUN"), ("d", "D")),
        *(
            ("QS-OCT", "QS-JAN"),
            ("QS-MAY", "QS-FEB"),
            ("QE-MAR", "QE-DEC"),
            ("BQE-JAN", "BQE-OCT"),
            ("C", "B"),
        ),
        ("step", "step"),
    ],
)
def test_other_names_of_one_grid(given: str, canonical: str) -> None:
    assert Frequency.parse(given).name == canonical


@pytest.mark.parametrize(
    "name",
    [
        "",
        "x",
        "3X",
        "0h",
        "-1h",
        "hourly",
        "W-XXX",
        "QS-13",
        "None",
        "1.h.2",
        "9" * 30 + "h",
        "9999999999D",
        "9999999999h",
    ],
)
def test_unknown_names_are_refused(name: str) -> None:
    with pytest.raises(DataError, match="unknown frequency"):
        Frequency.parse(name)


@pytest.mark.parametrize(
    ("name", "season"),
    [
        *(("h", (24, 168)), ("30min", (48, 336)), ("10min", (144, 1008)), ("2h", (12, 84)), ("24h", (7,))),
        *(
            ("D", (7,)),
            ("7D", (52,)),
            ("2D", (1,)),
            ("B", (5,)),
            ("W", (52,)),
            ("2W-WED", (26,)),
            ("MS", (12,)),
        ),
        *(
            ("ME", (12,)),
            ("BME", (12,)),
            ("3MS", (4,)),
            ("QS", (4,)),
            ("BQE", (4,)),
            ("YS", (1,)),
            ("YE-JUN", (1,)),
        ),
        *(
            ("step", (1,)),
            ("7min", (1440,)),
            ("s", (3600, 86400)),
            ("SMS", (24,)),
            ("bh", (8, 40)),
            ("5h", (1,)),
        ),
    ],
)
def test_usual_seasons(name: str, season: tuple[int, ...]) -> None:
    assert Frequency.parse(name).season == season


def test_days_follow_the_wall_clock_and_hours_do_not() -> None:
    start, _ = utc(wall("2024-03-30"), "Europe/Berlin")
    days = Frequency("D").advance(start, np.arange(3), "Europe/Berlin")
    assert (np.diff(days) // 10**9 // 3600).tolist() == [24, 23]
    assert (np.diff(Frequency("24h").advance(start, np.arange(3), "Europe/Berlin")) == DAY).all()


def test_a_day_without_midnight_begins_later_and_keeps_the_grid() -> None:
    zone, days = "America/Sao_Paulo", np.arange(-2, 3)  # on 2018-11-04 clocks went from 0:00 to 1:00
    start, _ = utc(wall("2018-11-04"), zone)
    assert local(start, zone).tolist() == wall("2018-11-04 01:00").tolist()
    times = Frequency("D").advance(start, days, zone)
    hours = (local(times, zone) % DAY // (DAY // 24)).tolist()
    assert hours == [0, 0, 1, 0, 0]
    assert Frequency("D").index(times, start, zone).tolist() == days.tolist()


def test_either_midnight_of_a_day_that_has_two() -> None:
    zone = "America/Havana"  # on 2024-11-03 clocks went from 1:00 back to 0:00
    first, last = utc(wall("2024-11-03"), zone)
    assert first != last
    start, _ = utc(wall("2024-11-01"), zone)
    assert Frequency("D").index(np.concatenate([first, last]), start, zone).tolist() == [2, 2]
    assert Frequency("D").advance(last, np.zeros(1, dtype=np.int64), zone) == first


@pytest.mark.parametrize(
    ("name", "start", "time"),
    [
        *(
            ("h", "2024-01-01", "2024-01-01 01:07"),
            ("D", "2024-01-01", "2024-01-02 06:00"),
            ("B", "2024-01-01", "2024-01-06"),
        ),
        *(
            ("MS", "2024-01-01", "2024-02-15"),
            ("MS", "2024-01-15", "2024-01-15"),
            ("2W-WED", "2024-01-03", "2024-01-10"),
        ),
        *(("QS", "2024-01-01", "2024-02-01"), ("bh", "2024-01-01 09:00", "2024-01-01 18:00")),
    ],
)
def test_times_off_the_grid_are_named(name: str, start: str, time: str) -> None:
    with pytest.raises(DataError, match=f"ds {pd.Timestamp(time):%Y-%m-%d %H:%M}: off the"):
        Frequency.parse(name).index(wall(time), wall(start), None)


@pytest.mark.parametrize("name", ["h", "D", "B", "MS", "YE", "bh"])
def test_times_beyond_the_calendar_are_refused(name: str) -> None:
    start = grid(name, "2200-12-01", 1) if name != "YE" else wall("2200-12-31")
    with pytest.raises(DataError, match="1700 to 2200"):
        Frequency.parse(name).advance(start, np.array([10_000]), None)
    with pytest.raises(DataError, match="1700 to 2200"):
        Frequency.parse(name).advance(start, np.array([-10_000_000]), None)


def test_five_hundred_years_of_hours() -> None:
    start, end = wall("1700-01-01"), wall("2200-01-01")
    hours = 182_621 * 24
    assert Frequency("h").index(end, start, None).tolist() == [hours]
    assert Frequency("h").advance(start, np.array([hours]), None).tolist() == end.tolist()
    assert Frequency("D").index(end, start, None).tolist() == [hours // 24]


def test_integer_steps() -> None:
    step = Frequency("step")
    assert step.is_step
    assert not step.is_fixed
    assert step.index(np.array([7, 9]), np.array([7]), None).tolist() == [0, 2]
    assert step.advance(np.array([7]), np.array([3]), None).tolist() == [10]
    assert step.stamps(np.array([7]), None).tolist() == [7]
    assert step.text(7, None) == "7"


def wall(text: str) -> np.ndarray:
    return np.array([pd.Timestamp(text).value])

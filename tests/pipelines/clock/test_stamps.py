"""Stamps as text, on the wall clock of a zone or with their offset, are read as the moments they mean."""

from datetime import datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipelines.clock.frequency import Frequency
from pipelines.clock.stamps import read_stamps
from pipelines.clock.zone import utc
from pipelines.data.doors import panel_from_frame
from pipelines.data.panel import Panel

MELBOURNE = "Australia/Melbourne"
moments = st.datetimes(*(datetime.fromisoformat(day) for day in ("1701-01-01", "2200-12-30")))
offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def read(
    stamps: list[str],
    y: list[float] | None = None,
    zone: str | None = MELBOURNE,
    frequency: str | None = None,
) -> Panel:
    frame = pd.DataFrame({"ds": stamps, "y": y or [1.0] * len(stamps)})
    return panel_from_frame(frame, zone=zone, frequency=frequency)


@given(st.lists(moments, min_size=1), offsets, st.sampled_from("T "))
def test_text_in_iso_8601(walls: list[datetime], offset: timezone, separator: str) -> None:
    texts = [wall.replace(tzinfo=offset).isoformat(separator) for wall in walls]
    read_in = read_stamps(pa.chunked_array([texts]), None, str)
    shift = np.timedelta64(offset.utcoffset(None), "us")
    assert read_in.clock == "utc"
    assert (read_in.times.view("M8[ns]") + shift).astype("M8[us]").tolist() == walls
    naive = read_stamps(pa.chunked_array([[wall.isoformat(separator) for wall in walls]]), None, str)
    assert (naive.clock, naive.zone) == ("wall", None)
    assert naive.times.view("M8[ns]").astype("M8[us]").tolist() == walls


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        *(
            ("2024-03", "2024-03-01T00:00"),
            ("2024-03-05", "2024-03-05T00:00"),
            ("2024-03-05 07", "2024-03-05T07:00"),
        ),
        *((" 2024-03-05T07:30Z ", "2024-03-05T07:30"), ("2024-03-05 07:30:01+0230", "2024-03-05T05:00:01")),
        ("2024-03-05T07:30:00.123456789-01", "2024-03-05T08:30:00.123456789"),
    ],
)
def test_short_and_long_text(text: str, moment: str) -> None:
    times = read_stamps(pa.chunked_array([[text]]), None, str).times
    assert times.view("M8[ns]")[0] == np.datetime64(moment, "ns")


@given(st.integers(-60, 60), st.sampled_from(["h", "30min", "10min"]), st.booleans(), st.integers(0, 1))
def test_a_wall_clock_through_a_change_of_time(before: int, name: str, newest_first: bool, month: int) -> None:
    assume(month == 1 or not 18 <= before < 24)  # a table that begins in the second of two hours cannot tell
    change = np.array([np.datetime64(("2016-04-03", "2016-10-02")[month], "ns").astype(np.int64)])
    start = utc(change, MELBOURNE)[0] + before * 600 * 10**9
    moments = pd.DatetimeIndex((start + np.arange(60) * Frequency.parse(name).width).view("M8[ns]"), tz="UTC")
    shown = [str(moment) for moment in moments.tz_convert(MELBOURNE).tz_localize(None)]
    order = slice(None, None, -1 if newest_first else 1)
    panel = read(shown[order], [float(y) for y in range(60)][order], frequency=name)
    assert panel.values.tolist() == list(range(60))
    assert panel.start.tolist() == start.tolist()


def test_an_hour_shown_twice_and_written_once_is_the_first() -> None:
    panel = read(["2016-04-03 01:00", "2016-04-03 02:00", "2016-04-03 03:00"])
    np.testing.assert_array_equal(panel.values, [1, 1, np.nan, 1])


@pytest.mark.parametrize(("zone", "month"), [("America/Sao_Paulo", "2018-11"), ("America/Havana", "2024-11")])
def test_days_whose_midnight_clocks_leave_out_or_repeat(zone: str, month: str) -> None:
    panel = read([f"{month}-{day:02d}" for day in range(1, 12)], zone=zone)
    assert panel.frequency.name == "D"
    assert panel.values.tolist() == [1] * 11


def test_a_series_may_start_at_either_midnight_of_a_day() -> None:
    days = ["2024-11-04T00:00-05:00", "2024-11-05T00:00-05:00"]
    first, second = (
        read([f"2024-11-03T00:00{offset}", *days], zone="America/Havana") for offset in ("-04:00", "-05:00")
    )
    assert first.frequency.name == "D"
    assert first.digest == second.digest


def test_a_zone_given_wins_over_offsets() -> None:
    panel = read(["2024-03-30T23:00:00+00:00", "2024-04-01T00:00:00+02:00"], zone="Europe/Berlin")
    assert (panel.frequency.name, panel.zone) == ("D", "Europe/Berlin")
    assert [str(time) for time in panel.times(0)] == [
        "2024-03-31 00:00:00+01:00",
        "2024-04-01 00:00:00+02:00",
    ]


def test_one_offset_is_a_zone() -> None:
    panel = read(["2024-01-01T00:00:00+10:00", "2024-01-01T01:00:00+1000"], zone=None)
    assert panel.zone == "UTC+10:00"
    assert str(panel.times(0)[0]) == "2024-01-01 00:00:00+10:00"

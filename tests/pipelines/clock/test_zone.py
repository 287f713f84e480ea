"""Zones agree with pandas, and the way to the wall clock and back loses nothing."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecaster.errors import DataError
from pipelines.clock.zone import DAY, local, parse_zone, stamp, utc, zone_info

# Half- and quarter-hour zones, saving time of half an hour, at midnight, interrupted by Ramadan, none; fixed offsets.
ZONES = [
    *("Europe/Berlin", "Australia/Melbourne", "Australia/Lord_Howe", "America/Sao_Paulo", "America/Havana"),
    *("Africa/Casablanca", "Asia/Kathmandu", "America/St_Johns", "Pacific/Apia", "UTC"),
    *("UTC+05:45", "UTC-03:30"),
]
HOUR = DAY // 24
times = st.lists(st.integers(int(pd.Timestamp("1900").value), int(pd.Timestamp("2100").value)), min_size=1, max_size=20)


@given(st.sampled_from(ZONES), times)
def test_the_wall_clock_is_that_of_pandas(zone: str, moments: list[int]) -> None:
    ours = local(np.array(moments), zone)
    theirs = pd.DatetimeIndex(np.array(moments, "datetime64[ns]")).tz_localize("UTC").tz_convert(zone_info(zone))
    assert ours.tolist() == theirs.tz_localize(None).astype("int64").tolist()


@given(st.sampled_from(ZONES), times)
def test_there_and_back(zone: str, moments: list[int]) -> None:
    moment = np.array(moments)
    first, last = utc(local(moment, zone), zone)
    assert ((first == moment) | (last == moment)).all()
    assert (first <= last).all()


@given(st.sampled_from(ZONES), times)
def test_back_and_there_but_for_what_clocks_leave_out(zone: str, walls: list[int]) -> None:
    wall = np.array(walls)
    first, last = utc(wall, zone)
    shown = local(first, zone)
    assert (shown >= wall).all()
    gap = shown > wall
    assert (local(last, zone) == shown).all()
    assert (first[gap] == last[gap]).all()
    assert (local(first[gap] - 1, zone) < wall[gap]).all()  # the moment is the first one after the gap


def test_a_repeated_hour_and_a_missing_one() -> None:
    fold, gap = wall("2016-04-03 02:30"), wall("2016-10-02 02:30")
    first, last = utc(np.array([fold, gap]), "Australia/Melbourne")
    assert (last - first).tolist() == [HOUR, 0]
    assert stamp(int(first[0]), "Australia/Melbourne") == "2016-04-03 02:30+11:00"
    assert stamp(int(last[0]), "Australia/Melbourne") == "2016-04-03 02:30+10:00"
    assert stamp(int(first[1]), "Australia/Melbourne") == "2016-10-02 03:00+11:00"


def test_rules_hold_beyond_2037() -> None:
    assert local(np.array([wall("2060-07-01 12:00")]), "Europe/Berlin").tolist() == [wall("2060-07-01 14:00")]


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        *(("Z", "UTC"), ("UTC", "UTC"), ("+00:00", "UTC"), ("UTC+0", "UTC"), ("+10:00", "UTC+10:00")),
        *(("+1000", "UTC+10:00"), ("-03", "UTC-03:00"), ("UTC-3:30", "UTC-03:30"), ("GMT+1", "UTC+01:00")),
        *(("Europe/Berlin", "Europe/Berlin"), ("Etc/GMT-10", "Etc/GMT-10")),
    ],
)
def test_zone_names(name: str, canonical: str) -> None:
    assert parse_zone(name) == canonical
    assert parse_zone(canonical) == canonical
    zone_info(canonical)


@pytest.mark.parametrize("name", ["Mars/Olympus", "+25:00", "UTC+10:99", "", "/etc/passwd", "../Berlin", "Europe"])
def test_unknown_zones_are_refused(name: str) -> None:
    with pytest.raises(DataError, match="unknown time zone"):
        parse_zone(name)


def test_a_fixed_offset_needs_no_table_of_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request may have another offset for each series, and a table takes 8 ms."""
    monkeypatch.setattr("pipelines.clock.zone._table", None)
    for minutes in range(1, 24 * 60):
        for sign, ahead in (("+", minutes), ("-", -minutes)):
            zone = parse_zone(f"{sign}{minutes // 60:02d}:{minutes % 60:02d}")
            assert local(np.array([7]), zone).tolist() == [7 + ahead * 60_000_000_000]
            assert [times.tolist() for times in utc(np.array([7 + ahead * 60_000_000_000]), zone)] == [[7], [7]]


@pytest.mark.parametrize("zone", [None, "UTC"])
def test_no_offset_leaves_times_alone(zone: str | None) -> None:
    moment = np.array([5, -7])
    assert local(moment, zone).tolist() == utc(moment, zone)[0].tolist() == [5, -7]


def test_text_of_a_time() -> None:
    assert stamp(wall("2024-01-01"), None) == "2024-01-01 00:00"
    assert stamp(wall("2024-01-01 00:00:07.250"), None) == "2024-01-01 00:00:07.25"
    assert stamp(wall("2024-01-01"), "UTC-03:30") == "2023-12-31 20:30-03:30"


def wall(text: str) -> int:
    return int(pd.Timestamp(text).value)

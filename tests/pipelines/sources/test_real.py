"""Real series as they were published."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipelines.sources.read import read


@pytest.mark.parametrize(
    ("name", "frequency", "series", "observations", "gaps"),
    [
        ("m4_hourly_train", "step", 414, 353_500, 0),
        ("nn5_daily_train", "step", 111, 79_912, 1_673),
        ("carparts_monthly_train", "step", 2674, 100_144, 4_142),
        ("aus_retail_monthly", "MS", 152, 64_532, 0),
        ("aus_tourism_quarterly", "QS-JAN", 304, 24_320, 0),
        ("air_passengers_monthly", "MS", 1, 144, 0),
        ("us_gasoline_weekly", "W-FRI", 1, 1_578, 0),
        ("national_illness_weekly", "W-TUE", 7, 6_762, 0),
        ("exchange_rate_daily", "D", 8, 60_704, 0),
        ("nyc_taxi_30min", "30min", 1, 10_320, 0),
        ("epf_short_hourly_exog", "h", 4, 6_720, 0),
    ],
)
def test_published_series(name: str, frequency: str, series: int, observations: int, gaps: int, shared: Path) -> None:
    panel = read(shared / f"{name}.csv.gz")
    assert panel.frequency.name == frequency
    assert (len(panel), panel.total - gaps, panel.profile["gaps"]) == (series, observations, gaps)


def test_pedestrians_in_melbourne(shared: Path) -> None:
    """The file writes the wall clock: the hour that saving time leaves out is missing in it."""
    panel = read(shared / "pedestrian_hourly.csv.gz", zone="Australia/Melbourne")
    assert (panel.frequency.name, panel.zone, len(panel)) == ("h", "Australia/Melbourne", 4)
    station, times = panel.series(3), panel.times(3)
    assert isinstance(times, pd.DatetimeIndex)
    for months in ([12, 1, 2], [6, 7, 8]):  # the morning rush at the station, in summer and in winter
        season = times.month.isin(months) & (times.day_of_week < 5)
        profile = [np.nanmean(station[season & (times.hour == hour)]) for hour in range(24)]
        assert int(np.argmax(profile)) == 8
    rows = {(time.isoformat(), bool(np.isnan(value))) for time, value in zip(times, station, strict=True)}
    assert ("2015-04-05T02:00:00+11:00", False) in rows  # the repeated hour is in the file once
    assert ("2015-04-05T02:00:00+10:00", True) in rows


def test_half_hours_of_victoria_with_covariates(shared: Path) -> None:
    panel = read(shared / "vic_elec_30min.csv.gz", zone="UTC+10:00", known=["holiday"], past=["temperature"])
    assert (panel.frequency.name, panel.zone, panel.total) == ("30min", "UTC+10:00", 52_608)
    assert panel.known.shape == panel.past.shape == (52_608, 1)
    assert set(panel.known[:, 0]) == {0, 1}

"""What the data decides when nobody says it."""

import numpy as np
import pandas as pd
import pytest

from forecaster.spec import Task
from pipelines.batches.covariates import describe
from pipelines.data.doors import panel_from_frame
from pipelines.training import automatic


def decided(
    values: np.ndarray,
    frequency: str | None = None,
    horizon: int = 12,
    season: int | None = None,
) -> Task:
    """The task for a series of counted steps, or of times of a frequency."""
    steps = len(values)
    ds = range(steps) if frequency is None else pd.date_range("1700-01-01", periods=steps, freq=frequency)
    panel = panel_from_frame(pd.DataFrame({"unique_id": "a", "ds": ds, "y": values}))
    return automatic.task(panel, describe(panel), horizon, season)


def wave(season: int, steps: int) -> np.ndarray:
    noise = 0.2 * np.random.default_rng(0).standard_normal(steps)
    return np.sin(np.arange(steps) * 2 * np.pi / season) + noise


def test_a_season_is_what_is_asked_or_of_the_calendar_or_seen() -> None:
    hours, tens = wave(24, 480), wave(10, 240)
    assert decided(hours).seasons == (24, 168)  # a day of hours lies in a week
    assert decided(tens).seasons == (10,)
    assert decided(tens, season=1).seasons == (1,)
    assert decided(tens, season=7).seasons == (7,)
    assert decided(tens, "h").seasons == (24,)  # whatever comes back in them, hours have a day
    assert decided(tens, "YS").seasons == (10,)


@pytest.mark.parametrize(
    ("season", "steps", "horizon", "stride"),
    [
        (24, 960, 48, 24),
        (24, 960, 5, 4),
        (7, 735, 56, 7),
        (7, 735, 5, 3),  # weeks have no shorter segments
        (367, 3650, 14, 7),
        (4, 44, 8, 2),  # sixteen segments of a typical series
        (1, 3000, 12, 6),
        (1, 20, 6, 1),
    ],
)
def test_a_segment_divides_the_season_where_it_is_not_too_short(
    season: int, steps: int, horizon: int, stride: int
) -> None:
    assert decided(np.arange(steps) * 1.0, None, horizon, season).stride == stride

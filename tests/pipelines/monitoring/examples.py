"""Panels, and forecasts of them whose errors are known."""

import numpy as np
import pandas as pd
from hypothesis import strategies as st
from numpy import ndarray

from pipelines.clock.frequency import Frequency
from pipelines.data.doors import panel_from_frame
from pipelines.data.panel import Panel
from pipelines.forecasting.predict import Predictions
from pipelines.monitoring.promises import SCORES, Promises

LEVELS = (0.1, 0.5, 0.9)
UNKNOWN = Promises(
    pd.DataFrame({"version": pd.Series(dtype=str), "step": pd.Series(dtype=int), **dict.fromkeys(SCORES.values(), 0.0)})
)
"""Nothing was promised."""


def panel(
    values: list[list[float]], start: str = "2024-10-20", freq: str = "h", zone: str | None = "Europe/Berlin"
) -> Panel:
    """Series s0, s1 ... that begin together; NaN is a gap."""
    frames = [
        pd.DataFrame({"unique_id": f"s{i}", "ds": pd.date_range(start, periods=len(one), freq=freq, tz=zone), "y": one})
        for i, one in enumerate(values)
    ]
    return panel_from_frame(pd.concat(frames), frequency=freq)


@st.composite
def panels(draw: st.DrawFn, least: int = 1) -> Panel:
    """Some series of days, with gaps, each with a value at its beginning and its end."""
    seed, count = draw(st.integers(0, 2**20)), draw(st.integers(1, 4))
    drawn = np.random.default_rng(seed)
    values = []
    for _ in range(count):
        one = drawn.normal(50, 10, draw(st.integers(least, 60)))
        one[drawn.random(len(one)) < draw(st.sampled_from([0.0, 0.1, 0.5]))] = np.nan
        one[[0, -1]] = 1.0
        values.append(one.tolist())
    return panel(values, freq="D")


def said(frequency: Frequency, zone: str | None, ids: ndarray, start: ndarray, quantiles: ndarray) -> Predictions:
    """Forecasts with these quantiles [series, horizon, 3], whose mean is the median."""
    series, horizon, _ = quantiles.shape
    paths = np.empty((series, 0, horizon))
    return Predictions(ids, start, frequency, zone, LEVELS, quantiles[..., 1], quantiles, paths)

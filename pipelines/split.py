"""Splits by time: rolling origins that count back from the end of each series, and train | calibrate | test.

A panel that is cut at an origin holds no value from after it. The origins of a split lie a horizon apart or more,
so that its parts follow one another without overlap, for each series up to its own end:

    train      ................
    calibrate  ................|====  |====          forecasts from these origins, beside what came
    test       ............................|====  |====
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from forecaster.spec import Task
from pipelines.panel import Panel

_ENOUGH = 64  # held-out horizons that say enough of a model, over all series
_MOST = 8  # origins, however few the series are
_SHARE = 0.15  # of a typical series, for calibration as for the test


class Origin(NamedTuple):
    """A panel as it was at one origin, and what came after."""

    panel: Panel
    actual: Float64[ndarray, "series horizon"]
    """NaN in gaps, and for a series that had no observation before the origin."""


@dataclass(frozen=True)
class Split:
    """The parts of a panel in the order of time."""

    train: Panel
    calibrate: list[Origin]
    test: list[Origin]


def origins(panel: Panel, horizon: int, windows: int, stride: int | None = None) -> list[Origin]:
    """The last `windows` origins with `horizon` steps after them, `stride` (a horizon) apart, oldest first.

    Each keeps every series, in the same order. One that is too short keeps its first step, and has no actual
    values: they are NaN.
    """
    stride = horizon if stride is None else stride
    return [_origin(panel, horizon + stride * later, horizon) for later in reversed(range(windows))]


def split(panel: Panel, task: Task) -> Split:
    """Hold out the last horizons of each series to test on, and as many before them to calibrate on.

    More of them for few series than for many, and further apart in long series than in short ones: a week of holidays
    at the end of two years should not decide. Where a typical series has no room for both, the test comes first;
    where it has none, everything is there to train on.
    """
    typical = float(np.median(panel.lengths))
    room = int(typical / 2) // task.horizon
    wanted = min(_MOST, -(-_ENOUGH // len(panel)), max(1, int(_SHARE * typical) // task.horizon))
    test = min(wanted, room)
    calibrate = min(wanted, room - test)
    if not test:
        return Split(panel, [], [])
    stride = max(task.horizon, int(_SHARE * typical) // (calibrate + test))
    rolling = origins(panel, task.horizon, calibrate + test, stride)
    return Split(rolling[0].panel, rolling[:calibrate], rolling[calibrate:])


def _origin(panel: Panel, back: int, horizon: int) -> Origin:
    """Cut each series `back` steps before its end."""
    length = panel.lengths - back
    before = panel.cut(np.maximum(length, 1))
    observed = np.logical_or.reduceat(~np.isnan(before.values), before.indptr[:-1])
    usable = (length > 0) & observed
    actual = np.full((len(panel), horizon), np.nan)
    actual[usable] = panel.values[(panel.indptr[:-1] + length)[usable, None] + np.arange(horizon)]
    return Origin(before, actual)

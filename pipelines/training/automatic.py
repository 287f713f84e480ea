"""What the data and the question decide: candidates, seasons, and how many observations a recurrent step reads."""

import numpy as np

from forecaster.errors import DataError
from forecaster.manifest import DataSpec
from forecaster.spec import Task
from pipelines.data.panel import Panel
from pipelines.data.season import seen_season
from pipelines.recipes.recipe import Kind

NUMBERS = ("seasonal_naive", "naive", "lag_regression", "gru", "lstm")
"""The usual candidates."""
POSITIVE = ("lstm_linear",)
"""One more where all values are positive: the others see logarithms then, and errors of two kinds cancel."""
FEW = ("theta", "state_space")
"""Two more where a typical series has at most `SHORT` observations: they need few, and read them one at a time."""
SHORT = 400
LABELS = ("label_frequencies", "label_chain", "labels")
"""The usual candidates for labels."""
WHOLE = ("whole_constant", "whole_gru", "whole_lstm")
"""The usual candidates for what is to be told of whole series."""
LONGEST = 48
"""Observations that one recurrent step reads at most."""
STEPS = 16
"""Recurrent steps that the typical series should fill."""


def kind(panel: Panel) -> Kind:
    """What is to be told of a panel."""
    if panel.whole is not None:
        return "whole series"
    return "labels" if panel.labels else "numbers"


def recipes(panel: Panel) -> tuple[str, ...]:
    """What a job compares unless it is told otherwise."""
    if panel.whole is not None:
        return WHOLE
    if panel.labels:
        return LABELS
    names = NUMBERS + POSITIVE if positive(panel) else NUMBERS
    return names + FEW if np.median(panel.lengths) <= SHORT else names


def positive(panel: Panel) -> bool:
    """Whether every value is a positive number."""
    return not panel.labels and not (panel.values <= 0).any()


def task(panel: Panel, data: DataSpec, horizon: int, season: int | None = None) -> Task:
    """The task that fits a panel. Raises DataError when nothing in it was observed."""
    if np.isnan(panel.values).all():
        raise DataError("no series has an observed value", remedy="give at least one number or label in column y")
    seasons = _seasons(panel, season)
    return Task(
        horizon=horizon,
        stride=_stride(panel, horizon, seasons[0]),
        seasons=seasons,
        known=len(data.known) + len(data.calendar),
        past=len(data.past),
        static=tuple(len(category.values) for category in data.static),
        positive=positive(panel),
        labels=len(data.labels),
        end=None if data.end is None else data.labels.index(data.end),
    )


def _seasons(panel: Panel, season: int | None) -> tuple[int, ...]:
    """The asked season, or the usual ones of the frequency, or what is seen, as far as most series show them twice."""
    usual = panel.frequency.season
    if season is None and usual == (1,) and kind(panel) == "numbers":
        season = seen_season(panel)
    if season is not None:
        usual = (season, *(longer for longer in _longer(panel, season) if longer > season))
    typical = float(np.median(panel.lengths))
    return tuple(s for s in usual if 2 * s <= typical) or (1,)


def _longer(panel: Panel, season: int) -> tuple[int, ...]:
    """A day of 24, 48, 96 ... steps lies in a week of seven, also where the steps are only counted."""
    return panel.frequency.season if not panel.frequency.is_step else (7 * season,) if season % 24 == 0 else ()


def _stride(panel: Panel, horizon: int, season: int) -> int:
    """The longest segment that divides the season, within the horizon, of which a typical series has `STEPS`.

    Where that is short, as of weeks forecast five days ahead, or there is no season, any length will do: then about
    the square root of what a series has, to keep lanes short.
    """
    typical = float(np.median(panel.lengths))
    most = min(horizon, LONGEST, max(1, int(typical) // STEPS))
    dividing = max(width for width in range(1, most + 1) if season % width == 0)
    other = min(most, max(1, int(np.sqrt(typical) // 8)))
    return dividing if 2 * dividing > other else other

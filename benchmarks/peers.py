"""Methods that are run in the same call: simple ones of ours, and those of statsforecast where it is installed."""

import importlib
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from jaxtyping import Float64
from numpy import ndarray

from forecaster.build import build
from forecaster.model import Numeric
from forecaster.spec import SeasonalNaiveSpec, Task
from pipelines.batches.covariates import describe
from pipelines.data.panel import Panel
from pipelines.evaluation.backtest import MEDIAN
from pipelines.forecasting.distribution import distribution

Points = Float64[ndarray, "series horizon"]
Methods = Callable[[Panel, int, int], Iterator[tuple[str, Points]]]
"""Forecasts of a panel, of a horizon and with a season, by the names of the methods."""


def repeated(season: int) -> dict[str, int]:
    """The simple methods, naive and seasonal naive where there is a season: how many values each of them repeats."""
    return {"naive": 1} | ({f"seasonal naive ({season})": season} if season > 1 else {})


def repeating(horizon: int, last: int) -> Numeric:
    """The model that repeats the last values of each series."""
    model = build(SeasonalNaiveSpec(), Task(horizon=horizon, seasons=(last,)))
    assert isinstance(model, Numeric)
    return model


def repeat(panel: Panel, horizon: int, last: int) -> Points:
    """The last values of each series, over and over."""
    told = distribution(repeating(horizon, last), describe(panel), panel, horizon)
    return told.forecast().quantiles.numpy()[..., MEDIAN]


def simple(panel: Panel, horizon: int, season: int) -> Iterator[tuple[str, Points]]:
    """Naive and seasonal naive."""
    for name, last in repeated(season).items():
        yield name, repeat(panel, horizon, last)


def statsforecast(panel: Panel, horizon: int, season: int) -> Iterator[tuple[str, Points]]:
    """AutoETS, AutoTheta and MSTL, with their seconds; a gap repeats the value before it. Says so if not installed."""
    try:
        library, models = importlib.import_module("statsforecast"), importlib.import_module("statsforecast.models")
    except ImportError:
        print("statsforecast is not installed, its rows are left out: pip install -e '.[benchmarks]'", file=sys.stderr)
        return
    values = pd.Series(panel.values).groupby(np.repeat(np.arange(len(panel)), panel.lengths)).ffill()
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat(np.arange(len(panel)), panel.lengths),
            "ds": np.concatenate([np.arange(length) for length in panel.lengths]),
            "y": values,
        }
    ).dropna()
    for name in ("AutoETS", "AutoTheta", "MSTL"):
        if name == "MSTL" and season == 1:
            continue
        began, model = time.perf_counter(), getattr(models, name)(season_length=season)
        made = library.StatsForecast(models=[model], freq=1).forecast(df=frame, h=horizon)
        points = np.full((len(panel), horizon), np.nan)
        points[made["unique_id"].to_numpy()[::horizon]] = made[name].to_numpy().reshape(-1, horizon)
        yield f"statsforecast's {name}, {time.perf_counter() - began:.0f} s", points

"""The state-space model beside statsmodels' structural model, on the last two years of the air passengers.

    python -m benchmarks.structural

The variances of statsmodels are those of the greatest likelihood, ours come from the training loop. Both read the same
ten years and nothing is calibrated.
"""

import tempfile
from pathlib import Path

import numpy as np
import torch
import typer
from scipy import stats
from statsmodels.tsa.statespace.structural import UnobservedComponents

from benchmarks.files import SHARED, Folder, found
from forecaster.batch import Forecast
from forecaster.build import build
from forecaster.quantiles import LEVELS
from pipelines.batches.covariates import describe
from pipelines.batches.windows import Table
from pipelines.data.panel import Panel
from pipelines.evaluation.backtest import Backtest, backtest
from pipelines.evaluation.scores import Scores
from pipelines.evaluation.split import HeldOut, origins
from pipelines.evaluation.unit import naive_error, unit
from pipelines.recipes.recipe import recipes
from pipelines.sources.read import read
from pipelines.training import automatic
from pipelines.training.fitting import batches, train

HORIZON, SEASON = 24, 12


def main(data: Folder = SHARED) -> None:
    """Print the scores of each."""
    held_out = origins(read(found(data, "air_passengers_monthly")), HORIZON, 1)
    for name, scored in {
        "state_space": ours("state_space", held_out),
        "seasonal_naive": ours("seasonal_naive", held_out),
        "statsmodels": theirs(held_out),
    }.items():
        print(f"{name:16} " + "  ".join(f"{metric} {value:.3f}" for metric, value in scored.metrics().items()))


def ours(name: str, held_out: HeldOut) -> Scores:
    """A recipe, trained on all before the origin."""
    panel, data = held_out.panel, describe(held_out.panel)
    recipe, task = recipes()[name], automatic.task(panel, data, HORIZON)
    model = build(recipe.model, task)
    if recipe.fit is not None:
        table = Table(panel, data, unit=unit(panel, SEASON))
        with tempfile.TemporaryDirectory() as folder:
            train(model, batches(table, model, recipe.fit), recipe.fit, Path(folder))
    return backtest(model, data, SEASON, held_out)


def theirs(held_out: HeldOut) -> Scores:
    """Local linear trend and all six waves of the year, by maximum likelihood."""
    panel: Panel = held_out.panel
    model = UnobservedComponents(panel.values, "lltrend", freq_seasonal=[{"period": SEASON}])
    coming = model.fit(disp=False, maxiter=500).get_forecast(HORIZON)
    mean, deviation = np.asarray(coming.predicted_mean), np.asarray(coming.se_mean)
    quantiles = mean[:, None] + deviation[:, None] * stats.norm.ppf(LEVELS)
    forecast = Forecast(LEVELS, torch.tensor(quantiles)[None], torch.tensor(mean)[None])
    return Backtest(forecast, held_out.actual, naive_error(panel, SEASON))


if __name__ == "__main__":
    typer.run(main)

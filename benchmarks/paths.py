"""Whether sums over the horizon lie in the intervals of sample paths: `python -m benchmarks.paths`.

Trains on each set for a minute at most, draws paths from the end of the training file and sums them up.
"""

import tempfile
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import typer

from benchmarks.files import SHARED, Folder, found
from forecaster.artifact import Artifact
from forecaster.paths import Dependence
from pipelines.champion.load import live, panel_for
from pipelines.data.panel import Panel
from pipelines.forecasting.predict import predict
from pipelines.training.job import run
from pipelines.training.settings import TrainSettings

PATHS = 500
BUDGET = 60


@dataclass(frozen=True)
class Case:
    """A data set with its last horizon apart, and the recipe for it."""

    data: str
    horizon: int
    season: int
    recipe: str


CASES = (Case("nn5_daily", 56, 7, "gru"), Case("carparts_monthly", 12, 12, "negative_binomial"))


def measure(case: Case, folder: Path) -> None:
    """Train, draw paths and print the share of sums within the central 80 % of those of the paths."""
    file, test = (found(folder, f"{case.data}_{part}") for part in ("train", "test"))
    settings = TrainSettings(
        source=file, horizon=case.horizon, season=case.season, recipes=(case.recipe,), budget=BUDGET, name=case.data
    )
    run(settings)
    artifact = live(case.data)
    panel = panel_for(artifact, file, None, "error")
    came = pd.read_csv(test).groupby("unique_id")["y"].apply(np.array)
    actual = np.array([came[name][: case.horizon].sum() for name in panel.ids])
    independent = Artifact(artifact.spec, artifact.model, artifact.calibrator, Dependence(np.eye(case.horizon)))
    old = Artifact(artifact.spec, artifact.model, artifact.calibrator)  # as from before there were paths
    for kind, sampler in (("joint", artifact), ("independent", independent), ("cautious", old)):
        print(f"{case.data:20} {case.recipe:20} {kind:12} {inside(sampler, panel, actual):.3f}", flush=True)


def inside(artifact: Artifact, panel: Panel, actual: np.ndarray) -> float:
    """Share of the sums that lie in the interval; one on its border, as sums of counts do, counts by its chance."""
    spec = artifact.spec.task
    sums = predict(artifact, panel, spec.horizon, (0.5,), PATHS).paths.sum(2)
    below, upto = (sums < actual[:, None]).mean(1), (sums <= actual[:, None]).mean(1)
    known = ~np.isnan(actual)
    width = np.maximum(upto - below, 1e-9)
    share = (np.minimum(upto, 0.9) - np.maximum(below, 0.1)).clip(0) / width
    exact = (below >= 0.1) & (upto <= 0.9)
    return float(np.where(exact, 1.0, share)[known].mean())


def main(data: Folder = SHARED) -> None:
    """Print a line per data set and sampler."""
    data = data.resolve()
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        for case in CASES:
            measure(case, data)


if __name__ == "__main__":
    typer.run(main)

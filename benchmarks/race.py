"""How long until M4 Hourly is forecast as well as by the best network of the popular libraries; a part of `speed`."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from jaxtyping import Float64
from numpy import ndarray

from benchmarks import commands
from benchmarks.accuracy import score, truth
from benchmarks.published import OFFICIAL
from forecaster.build import build
from forecaster.model import Numeric
from forecaster.spec import FitSpec
from forecaster.train import fit
from pipelines.batches.covariates import describe
from pipelines.batches.windows import Table
from pipelines.evaluation.unit import unit
from pipelines.forecasting.distribution import distribution
from pipelines.recipes.recipe import recipes
from pipelines.sources.read import read
from pipelines.training import automatic
from pipelines.training.fitting import batches

GOAL = 0.55
"""The OWA of N-HiTS, which took 139 s of training; where that is from, benchmarks/README.md says."""
HORIZON = 48
LONGEST = 120.0
"""Seconds of a try after which the goal is given up."""
RACER = "gru"
"""The recipe that is to reach the goal."""


class Race:
    """M4 Hourly by one network: how long until its OWA is no more than that of others."""

    def __init__(self, train: Path, test: Path) -> None:
        self.dataset, self.train = OFFICIAL["m4_hourly"], train
        self.panel = read(train)
        self.actual = truth(self.panel, read(test), HORIZON)

    def reach(self, forecasts: Callable[[int], ndarray], effort: int) -> dict[str, float]:
        """The first effort that is enough, or the last that was tried, twice as much each time, and its seconds."""
        began = time.perf_counter()
        made = forecasts(effort)
        seconds = time.perf_counter() - began
        owa = score(self.dataset, self.panel, self.actual, made)["owa"]
        if owa > GOAL and seconds < LONGEST:
            return self.reach(forecasts, 2 * effort)
        return {"effort": effort, "seconds": seconds, "owa": owa}

    def in_process(self, updates: int) -> Float64[ndarray, "series horizon levels"]:
        """Trained and asked in Python: no tests, nothing logged or registered."""
        described = describe(self.panel)
        task = automatic.task(self.panel, described, HORIZON, self.dataset.season)
        network, spec = build(recipes()[RACER].model, task), FitSpec(updates=updates)
        table = Table(self.panel, described, unit=unit(self.panel, self.dataset.season))
        for _ in fit(network, batches(table, network, spec), spec):
            pass
        assert isinstance(network, Numeric)
        return distribution(network.eval(), described, self.panel, HORIZON).forecast().quantiles.numpy()

    def by_commands(self, budget: int) -> Float64[ndarray, "series horizon levels"]:
        """`forecaster train` and `forecaster forecast`, each from its start; three trainings in the first."""
        with tempfile.TemporaryDirectory() as folder:
            options = ["--season", str(self.dataset.season), "--recipe", RACER, "--budget", f"{budget}s"]
            commands.train(self.train, Path(folder), HORIZON, *options)
            return commands.forecast(self.train, Path(folder), HORIZON)
